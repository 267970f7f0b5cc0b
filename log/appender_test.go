package log

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// inOrder checks that each entity has the versions 1 to n, in this order in its chain.
func (l *testLog) inOrder(t testing.TB, entities, n int) {
	t.Helper()
	versions := make(map[string]int64)
	for number := range chain.Count {
		for _, link := range l.links(t, number) {
			var e Entry
			if err := json.Unmarshal(link.Content, &e); err != nil {
				t.Fatal(err)
			}
			if versions[e.EntityID]++; versions[e.EntityID] != e.Version {
				t.Fatalf("version %d of %s stands where %d should", e.Version, e.EntityID, versions[e.EntityID])
			}
		}
	}
	for entity, last := range versions {
		if last != int64(n) {
			t.Fatalf("%s has versions up to %d, want %d", entity, last, n)
		}
	}
	if len(versions) != entities {
		t.Fatalf("%d entities, want %d", len(versions), entities)
	}
}

func TestAnEventMakesOneEntryHoweverOftenItComes(t *testing.T) {
	l := openLog(t, newDB(t))
	var events []event.Envelope
	for i := range 100 {
		events = append(events, booking(fmt.Sprintf("c%d", i%5), int64(i/5+1)))
	}
	l.add(t, events[:50]...)
	var wait sync.WaitGroup
	for range 3 { // at once, those that are stored, and those that are not yet
		for _, e := range events {
			wait.Go(func() {
				if err := l.append(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	l.sound(t, 100)
}

func TestManyAppendersKeepTheOrderOfEachEntity(t *testing.T) {
	l := openLog(t, newDB(t))
	const entities, each = 64, 20
	var wait sync.WaitGroup
	for i := range entities {
		wait.Go(func() {
			for version := range each {
				if err := l.append(t.Context(), booking(fmt.Sprintf("c%d", i), int64(version+1))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	l.sound(t, entities*each)
	l.inOrder(t, entities, each)
}

func TestRivalReplicasAppendWithoutGapOrFork(t *testing.T) {
	db := newDB(t)
	replicas := []*testLog{openLog(t, db), openLog(t, db), openLog(t, db)}
	const entities, each = 24, 15
	var wait sync.WaitGroup
	for i := range entities {
		wait.Go(func() {
			for version := range each {
				e := booking(fmt.Sprintf("c%d", i), int64(version+1))
				for r := range 2 { // each delivered to two replicas, as after a rebalance
					if err := replicas[(i+version+r)%3].append(t.Context(), e); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	replicas[0].sound(t, entities*each)
	replicas[0].inOrder(t, entities, each)
}

// Batches of blocks against each other: which of them wins a place, the others must not leave half of themselves behind.
func TestRivalReplicasWithBlocksAppendWithoutGapOrFork(t *testing.T) {
	db := newDB(t)
	const entities, each, batches = 6, 30, 5
	var wait sync.WaitGroup
	var replicas []*testLog
	for range 3 {
		replicas = append(replicas, newLog(t, db))
	}
	events := make([][]event.Envelope, entities)
	for i := range events {
		for version := range each * batches {
			events[i] = append(events[i], booking(fmt.Sprintf("c%d", i), int64(version+1)))
		}
	}
	for r, l := range replicas {
		wait.Go(func() {
			for n := range batches {
				var batch []event.Envelope
				for v := range each { // its own two entities, and those that another replica was given too
					for _, i := range []int{2 * r, 2*r + 1, (2*r + 2) % entities} {
						batch = append(batch, events[i][n*each+v])
					}
				}
				list := together(t, batch...)
				l.write(t.Context(), list)
				for _, w := range list {
					if err := <-w.done; err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
	replicas[0].sound(t, entities*each*batches)
	if n := len(replicas[0].stored(t)); n > entities*each*batches/2 {
		t.Errorf("%d blocks", n)
	}
	for i := range events {
		if list := replicas[0].versions(t, fmt.Sprintf("c%d", i)); !slices.IsSorted(list) {
			t.Errorf("c%d: %v", i, list)
		}
	}
}

// versions are those of an entity, in the order of its chain.
func (l *testLog) versions(t testing.TB, entity string) (list []int64) {
	t.Helper()
	for _, link := range l.links(t, chain.Of(entity)) {
		var e Entry
		if err := json.Unmarshal(link.Content, &e); err != nil {
			t.Fatal(err)
		}
		if e.EntityID == entity {
			list = append(list, e.Version)
		}
	}
	return list
}

func TestAReplicaThatStartsGoesOnWhereTheChainsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	for start := range 3 {
		db := openDB(t, path)
		l := openLog(t, db)
		for i := range 20 {
			l.add(t, booking(fmt.Sprintf("c%d", i), int64(start+1)))
		}
		l.sound(t, (start+1)*20)
		l.stop()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// failing is a database that fails as it is told to.
type failing struct {
	store.DB
	// before runs before each InsertMany; what it returns is its answer.
	before func() error
	// after runs after each InsertMany that was done; an error hides what was done.
	after func() error
}

type failingTable struct {
	store.Table
	db *failing
}

func (f *failing) Table(ctx context.Context, schema store.Schema) (store.Table, error) {
	t, err := f.DB.Table(ctx, schema)
	return failingTable{t, f}, err
}

func (t failingTable) InsertMany(ctx context.Context, list []store.Record) (int, error) {
	if t.db.before != nil {
		if err := t.db.before(); err != nil {
			return 0, err
		}
	}
	n, err := t.Table.InsertMany(ctx, list)
	if t.db.after != nil {
		if err := t.db.after(); err != nil {
			return 0, err
		}
	}
	return n, err
}

var errDisk = errors.New("the disk is on fire")

func TestAWriteOfUnknownOutcomeIsDeliveredAgain(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(once func() error) *failing
	}{
		{"not written", func(once func() error) *failing { return &failing{before: once} }},
		{"written", func(once func() error) *failing { return &failing{after: once} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var broken atomic.Bool
			db := tc.make(func() error {
				if broken.Swap(false) {
					return errDisk
				}
				return nil
			})
			db.DB = newDB(t)
			l := openLog(t, db)
			l.add(t, booking("c", 1))
			second := booking("c", 2)
			broken.Store(true)
			if err := l.append(t.Context(), second); !errors.Is(err, errDisk) {
				t.Fatalf("got %v, want %v", err, errDisk)
			}
			l.add(t, second, booking("c", 3))
			l.sound(t, 3)
			l.inOrder(t, 1, 3)
		})
	}
}

func TestAfterAnUnknownOutcomeTheEndsOfTheChainsAreReadAnew(t *testing.T) {
	var journeys atomic.Int32
	var broken atomic.Bool
	db := &failing{DB: newDB(t)}
	db.after = func() error {
		journeys.Add(1)
		if broken.Swap(false) {
			return errDisk
		}
		return nil
	}
	l := openLog(t, db)
	l.add(t, booking("c", 1))
	broken.Store(true)
	if err := l.append(t.Context(), booking("c", 2)); !errors.Is(err, errDisk) {
		t.Fatalf("got %v, want %v", err, errDisk)
	}
	l.add(t, booking("c", 3))
	if n := journeys.Load(); n != 3 {
		t.Errorf("%d journeys for three appends", n)
	}
	l.sound(t, 3)
}

func TestEverybodyInAFailedBatchIsTold(t *testing.T) {
	db := &failing{DB: newDB(t), before: func() error { return errDisk }}
	l := newLog(t, db)
	const callers = 40
	answers := make(chan error, callers)
	for i := range callers {
		go func() { answers <- l.append(t.Context(), booking(fmt.Sprint(i), 1)) }()
	}
	await(t, "the queue to fill", func() bool { return len(l.queue) == callers })
	l.write(t.Context(), l.gather(<-l.queue))
	for range callers {
		if err := <-answers; !errors.Is(err, errDisk) {
			t.Errorf("got %v, want %v", err, errDisk)
		}
	}
}

func TestWhatWaitsIsWrittenOnOneJourney(t *testing.T) {
	var journeys atomic.Int32
	db := &failing{DB: newDB(t), before: func() error { journeys.Add(1); return nil }}
	l := newLog(t, db)
	const callers = 200
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			if err := l.append(t.Context(), booking(fmt.Sprint(i), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	await(t, "the queue to fill", func() bool { return len(l.queue) == callers })
	l.write(t.Context(), l.gather(<-l.queue))
	wait.Wait()
	if n := journeys.Load(); n != 1 {
		t.Errorf("%d journeys for one batch", n)
	}
	l.sound(t, callers)
}

func TestABatchOfRepeatsCostsTwoJourneys(t *testing.T) {
	var journeys atomic.Int32
	db := &failing{DB: newDB(t), before: func() error { journeys.Add(1); return nil }}
	l := newLog(t, db)
	var events []event.Envelope
	for i := range 100 {
		events = append(events, booking(fmt.Sprint(i), 1))
	}
	for _, list := range [][]event.Envelope{events[:60], events} {
		l.addTogether(t, list...)
	}
	if n := journeys.Load(); n != 3 {
		t.Errorf("%d journeys, want 1 for the first batch and 2 for the second", n)
	}
	l.sound(t, 100)
}

func TestRepeatsAmongNewEntriesOfABatchAreLeftOut(t *testing.T) {
	l := openLog(t, newDB(t))
	var events []event.Envelope
	for i := range 400 { // of few chains, so that blocks are full
		events = append(events, booking(fmt.Sprintf("c%d", i%3), int64(i/3+1)))
	}
	// Stored are some at the beginning of what would be blocks, some in the middle, some at their ends and whole blocks.
	l.addTogether(t, events[:3]...)
	l.addTogether(t, events[3:60]...)
	l.addTogether(t, events[60:64]...)
	l.addTogether(t, events[:70]...) // those that were not are in the order of the chain
	for i := 70; i < len(events); i += 110 {
		l.addTogether(t, events[max(0, i-40):min(len(events), i+110)]...)
	}
	l.addTogether(t, events...)
	l.sound(t, len(events))
	for i := range 3 {
		list := l.versions(t, fmt.Sprintf("c%d", i))
		for n, version := range list {
			if version != int64(n+1) {
				t.Fatalf("c%d: versions %v", i, list)
			}
		}
	}
}

func TestABatchOfRepeatsIsAnsweredSoon(t *testing.T) {
	l := openLog(t, newDB(t))
	var events []event.Envelope
	for i := range batchLength {
		events = append(events, booking(fmt.Sprint(i), 1))
	}
	l.addTogether(t, events...)
	l.forget()
	begun := time.Now()
	l.addTogether(t, events...)
	if took := time.Since(begun); took > writeTimeout/2 {
		t.Errorf("took %s", took)
	}
	l.sound(t, batchLength)
}

func TestAnEventThatComesTwiceInABatchMakesOneEntry(t *testing.T) {
	for name, fails := range map[string]error{"written": nil, "failed": errDisk} {
		t.Run(name, func(t *testing.T) {
			var journeys atomic.Int32
			l := newLog(t, &failing{DB: newDB(t), before: func() error { journeys.Add(1); return fails }})
			var events []event.Envelope
			for i := range 50 {
				events = append(events, booking("c", int64(i+1)))
			}
			const times = 3
			answers := make(chan error, times*len(events))
			for range times {
				for _, e := range events {
					go func() { answers <- l.append(t.Context(), e) }()
				}
			}
			await(t, "the queue to fill", func() bool { return len(l.queue) == times*len(events) })
			l.write(t.Context(), l.gather(<-l.queue))
			for range times * len(events) {
				if err := <-answers; !errors.Is(err, fails) {
					t.Errorf("got %v, want %v", err, fails)
				}
			}
			if n := journeys.Load(); n != 1 {
				t.Errorf("%d journeys", n)
			}
			if fails == nil {
				l.sound(t, len(events))
			}
		})
	}
}

func TestACallerThatGoesAwayIsNotWaitedFor(t *testing.T) {
	l := newLog(t, newDB(t)) // nobody runs it
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() { answered <- l.append(ctx, booking("c", 1)) }()
	await(t, "the entry to wait", func() bool { return len(l.queue) == 1 })
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if batch := l.gather(<-l.queue); len(batch) != 0 {
		t.Errorf("an entry is written for nobody: %v", batch)
	}
	for range maxWaiting {
		l.queue <- nil
	}
	if err := l.append(ctx, booking("c", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a full queue: %v", err)
	}
}

func TestEventsThatCanNeverBeStoredAreRefusedForGood(t *testing.T) {
	l := openLog(t, newDB(t))
	for name, spoil := range map[string]func(*event.Envelope){
		"no id":              func(e *event.Envelope) { e.ID = "" },
		"no entity":          func(e *event.Envelope) { e.EntityID = "" },
		"NUL in the entity":  func(e *event.Envelope) { e.EntityID = "a\x00b" },
		"a reader not UTF-8": func(e *event.Envelope) { e.Audience = []string{"\xff"} },
		"broken data":        func(e *event.Envelope) { e.Data = json.RawMessage(`{"k":`) },
		"a time without JSON": func(e *event.Envelope) {
			e.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		},
		"too large": func(e *event.Envelope) {
			e.Data = json.RawMessage(`"` + strings.Repeat("x", maxContent) + `"`)
		},
	} {
		e := booking("c", 1)
		spoil(&e)
		if err := l.append(t.Context(), e); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.sound(t, 0)
}

// Whatever an event holds, what is read back is what was hashed.
func TestContentsComeBackByteForByte(t *testing.T) {
	l := openLog(t, newDB(t))
	texts := []string{`<script>&amp;`, "\u2028\u2029", `\"\\/`, "\x7f\u0080\ufffd", "😀", "\xed\xa0\xbd", "\xff\xfe", "\\u0000", "\n\t\x01"}
	for i, text := range texts {
		e := booking("c", int64(i+1))
		e.Data, _ = json.Marshal(map[string]string{text: text})
		l.add(t, e)
		e = booking("c", int64(i+1))
		e.Action = text
		e.Data = json.RawMessage(` { "raw" : "` + strings.ToValidUTF8(strings.Map(visible1, text), "?") + `" , "n": 1.50e1 } `)
		l.add(t, e)
		e = booking("c", int64(i+1))
		e.Data = json.RawMessage("\"\xff\"") // decoders let this pass
		l.add(t, e)
	}
	l.sound(t, 3*len(texts))
}

// visible1 drops what must be escaped in JSON.
func visible1(r rune) rune {
	if r < ' ' || r == '"' || r == '\\' {
		return -1
	}
	return r
}

func TestAnAppendGoesOnBehindAnEndThatWasCut(t *testing.T) {
	l := openLog(t, newDB(t))
	for i := range 6 {
		l.add(t, booking("c", int64(i+1)))
	}
	number := chain.Of("c")
	l.delete(t, number, 6)
	heads, err := l.appender.heads(t.Context())
	if err != nil || heads[number].Position != 6 {
		t.Fatalf("heads %+v, %v: want what was appended, not what is left", heads[number], err)
	}
	last := l.links(t, number)[4]
	l.forget()
	if heads, err = l.appender.heads(t.Context()); err != nil || heads[number].Position != 5 || heads[number].Hash != hex.EncodeToString(last.Hash) {
		t.Fatalf("heads %+v, %v: want what is stored", heads[number], err)
	}
	l.add(t, booking("c", 7))
	l.sound(t, 6)
}

func TestAnAppendGoesOnBehindAnEndThatWasSpoilt(t *testing.T) {
	number := chain.Of("c")
	for name, spoil := range map[string]func(b *block){
		"no hash":    func(b *block) { b.Links[0].Hash = "abcdefgh" },
		"no content": func(b *block) { b.Links[0].Content = "garbage" },
		"no entry":   func(b *block) { b.Links = nil },
		"no id":      func(b *block) { b.ID = "" },
		"a false id": func(b *block) { b.ID = "7fffffffffffffff0" },
	} {
		l := openLog(t, newDB(t))
		l.add(t, booking("c", 1), booking("c", 2))
		l.alterBody(t, number, 2, spoil)
		l.forget()
		l.add(t, booking("c", 3), booking("c", 4))
		r := l.verify(t)
		found := r.Findings()
		if strings.HasSuffix(name, " id") {
			if len(found) != 0 {
				t.Errorf("%s: found %v", name, found)
			}
		} else if len(found) != 1 || found[0].First != 2 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
