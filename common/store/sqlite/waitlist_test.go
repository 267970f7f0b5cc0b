package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// flood inserts so many documents with events that not all of them are kept in memory, and returns how many events.
func flood(t *testing.T, table *table) int {
	t.Helper()
	const each = 20
	list := make([]store.Record, 1000)
	for i := range list {
		list[i] = store.Record{ID: fmt.Sprintf("d%03d", i), Body: []byte(`1`)}
		for n := range each {
			list[i].Outbox = append(list[i].Outbox, store.Event{ID: fmt.Sprintf("%03d-%02d", i, n)})
		}
	}
	if n, err := table.InsertMany(t.Context(), list); err != nil || n != len(list) {
		t.Fatalf("%d inserted, %v", n, err)
	}
	if all := len(list) * each; all > maxHeld {
		return all
	}
	t.Fatal("all of them are kept in memory")
	return 0
}

// drainAll claims and settles until nothing is left, and checks that every document's events came in order, each once.
func drainAll(t *testing.T, table *table, want int) {
	t.Helper()
	last, n := map[string]string{}, 0
	for {
		waiting, err := table.Claim(t.Context(), 100, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) == 0 {
			break
		}
		for _, w := range waiting {
			for _, e := range w.Events {
				if e.ID <= last[w.DocumentID] {
					t.Fatalf("%s came after %s", e.ID, last[w.DocumentID])
				}
				last[w.DocumentID] = e.ID
				n++
			}
		}
		if err := table.Settle(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
	}
	if depth, err := table.Depth(t.Context()); n != want || depth != 0 || err != nil {
		t.Errorf("%d events came, want %d; %d left, %v", n, want, depth, err)
	}
	if h := table.waitlist; h.held != 0 || len(h.documents) != 0 || len(h.claimed) != 0 || len(h.ready) != 0 {
		t.Errorf("%d events and %d documents are still in memory", h.held, len(h.documents))
	}
}

func TestMoreEventsThanMemoryTakesWaitOnDisk(t *testing.T) {
	_, ships := openShips(t)
	table := ships.(*table)
	want := flood(t, table)
	if held := table.waitlist.held; held > maxHeld {
		t.Errorf("%d events in memory", held)
	}
	// What comes while others wait on disk alone comes behind them.
	if err := table.Insert(t.Context(), store.Record{ID: "late", Body: []byte(`1`), Outbox: []store.Event{{ID: "e"}}}); err != nil {
		t.Fatal(err)
	}
	// An event that waits on disk alone can be settled, and a document with such events deleted.
	if err := table.Settle(t.Context(), []store.Waiting{{DocumentID: "d999", Events: []store.Event{{ID: "999-19"}}}}); err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(t.Context(), "d998", 0); err != nil {
		t.Fatal(err)
	}
	drainAll(t, table, want+1-1-20)
}

func TestEventsFromBeforeTheStartAreReadInParts(t *testing.T) {
	db, before := openShips(t)
	want := flood(t, before.(*table))
	path := db.path
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	reopened, err := again.Table(t.Context(), ships)
	if err != nil {
		t.Fatal(err)
	}
	drainAll(t, reopened.(*table), want)
}

func TestADocumentThatIsDeletedInTheGroupThatMadeItLeavesNoEvent(t *testing.T) {
	db, table := openShips(t)
	resume := halt(t, db)
	defer resume()
	var wg sync.WaitGroup
	for n, call := range []func() error{
		func() error {
			return table.Insert(t.Context(), store.Record{ID: "a", Body: []byte(`1`), Outbox: []store.Event{{ID: "e"}}})
		},
		func() error { return table.Delete(t.Context(), "a", 0) },
	} {
		wg.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
		waitQueued(t, db, n+1)
	}
	resume()
	wg.Wait()
	var rows int
	if err := db.read(t.Context(), func(s *session) error { return s.row(`SELECT count(*) FROM "outbox_ships"`, nil, &rows) }); err != nil || rows != 0 {
		t.Errorf("%d events left, %v", rows, err)
	}
}

func TestAFileOfAnotherFormIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	s, err := openWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exec(`CREATE TABLE "doc_ships" (id TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "another version of Fairway") {
		t.Errorf("got %v", err)
	}
}

// The document that a claim was made of may be gone when the claim ends, and another one of its id be claimed by somebody else.
func TestWhoHasSettledEndsNobodyElsesClaim(t *testing.T) {
	l := newWaitlist(time.Now)
	defer l.stop()
	claim := func() []store.Waiting {
		t.Helper()
		list, err := l.claim(1, time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	l.add([]waitingEvent{{sequence: 1, document: "a", Event: store.Event{ID: "1"}}})
	first := claim()
	l.settled(first, 1)
	l.add([]waitingEvent{{sequence: 2, document: "a", Event: store.Event{ID: "2"}}})
	second := claim()
	if len(second) != 1 || second[0].Events[0].ID != "2" {
		t.Fatalf("claimed %v", second)
	}
	l.end(first)
	l.settled(first, 0)
	if again := claim(); len(again) != 0 {
		t.Errorf("claimed a second time: %v", again)
	}
	l.end([]store.Waiting{{DocumentID: "a"}}) // its own claimer gives it back
	if again := claim(); len(again) != 1 {
		t.Errorf("claimed %v after it was given back", again)
	}
}

func TestNobodyIsWokenForEventsThatHaveNoPlaceInMemory(t *testing.T) {
	l := newWaitlist(time.Now)
	defer l.stop()
	events := make([]waitingEvent, maxHeld)
	for i := range events {
		events[i] = waitingEvent{sequence: int64(i + 1), document: "a", Event: store.Event{ID: fmt.Sprint(i)}}
	}
	l.add(events)
	l.add([]waitingEvent{{sequence: maxHeld + 1, document: "b", Event: store.Event{ID: "one more"}}}) // stays on disk
	if list, err := l.claim(10, time.Minute, nil); err != nil || len(list) != 1 {
		t.Fatalf("claimed %d documents, %v", len(list), err)
	}
	select { // from the adding
	case <-l.signal:
	default:
	}
	if list, err := l.claim(10, time.Minute, nil); err != nil || len(list) != 0 {
		t.Fatalf("claimed %d documents, %v", len(list), err)
	}
	select {
	case <-l.signal:
		t.Error("woken, and there is nothing to claim")
	default:
	}
}
