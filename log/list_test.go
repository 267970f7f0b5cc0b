package log

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

var boss = auth.Identity{UserID: "boss", Roles: []string{auth.RoleAdmin}}

// walk reads all pages of a list and gives the ids of the entries. between runs before each further page.
func (l *testLog) walk(t testing.TB, who auth.Identity, req *logpb.ListRequest, between func(cursor string)) (ids []string) {
	t.Helper()
	ctx := auth.NewContext(t.Context(), who)
	for req.Cursor = ""; ; {
		var rsp logpb.ListResponse
		if err := l.List(ctx, req, &rsp); err != nil {
			t.Fatal(err)
		}
		if len(rsp.GetEntries()) > int(req.GetLimit()) {
			t.Fatalf("%d entries, at most %d were asked for", len(rsp.GetEntries()), req.GetLimit())
		}
		for _, e := range rsp.GetEntries() {
			ids = append(ids, e.GetId())
		}
		if rsp.GetNextCursor() == "" {
			return ids
		}
		if rsp.GetNextCursor() == req.Cursor {
			t.Fatalf("the list does not advance beyond %q", req.Cursor)
		}
		req.Cursor = rsp.GetNextCursor()
		if between != nil {
			between(req.Cursor)
		}
	}
}

// crowd makes events of few entities, persons and traces in no order of their ids, each with what tells it from the others.
type crowd struct{ random *rand.Rand }

func (c crowd) pick(kind string, n int) string { return fmt.Sprint(kind, c.random.IntN(n)) }

func (c crowd) events(n int) []event.Envelope {
	list := make([]event.Envelope, n)
	for i := range list {
		e := booking(c.pick("entity-", 7), int64(i+1))
		e.ActorID = c.pick("person-", 5)
		e.Audience = []string{c.pick("person-", 5), c.pick("person-", 5)}
		e.Action = c.pick("action-", 3)
		e.TraceParent = []string{"", "00-" + traceA + "-b7ad6b7169203331-01", "00-" + traceB + "-b7ad6b7169203331-01"}[c.random.IntN(3)]
		list[i] = e
	}
	c.random.Shuffle(n, func(i, j int) { list[i].ID, list[j].ID = list[j].ID, list[i].ID })
	return list
}

// addInBatches appends events in batches of many sizes, and some of them again in later ones.
func (c crowd) addInBatches(t testing.TB, l *testLog, events []event.Envelope) {
	t.Helper()
	for done := 0; done < len(events); {
		next := min(len(events), done+1+c.random.IntN(30))
		l.addTogether(t, events[max(0, done-5):next]...)
		done = next
	}
}

// expect is what a list must give: the entries that fit, block for block and in each the last first.
func (l *testLog) expect(t testing.TB, who auth.Identity, req *logpb.ListRequest) (ids []string) {
	t.Helper()
	for _, b := range l.stored(t) {
		for _, k := range slices.Backward(b.Links) {
			if fits(k.entry, req) && visible(k.entry, who) {
				ids = append(ids, k.entry.ID)
			}
		}
	}
	return ids
}

func lists() (all []struct {
	who auth.Identity
	req *logpb.ListRequest
}) {
	for _, who := range []auth.Identity{boss, {UserID: "person-1"}, {UserID: "stranger"}} {
		for _, req := range []*logpb.ListRequest{
			{}, {EntityId: "entity-2"}, {TraceId: traceA}, {ActorId: "person-3"}, {Action: "action-1"},
			{EntityId: "entity-2", Action: "action-1"}, {TraceId: traceB, ActorId: "person-1"}, {EntityId: "none"},
		} {
			all = append(all, struct {
				who auth.Identity
				req *logpb.ListRequest
			}{who, req})
		}
	}
	return all
}

func TestPagesOfAnySizeGiveEachEntryOnce(t *testing.T) {
	l := openLog(t, newDB(t))
	c := crowd{rand.New(rand.NewPCG(1, 2))}
	events := c.events(60)
	c.addInBatches(t, l, events)
	l.sound(t, len(events))
	for _, list := range lists() {
		want := l.expect(t, list.who, list.req)
		if len(want) == 0 != (list.who.UserID == "stranger" || list.req.GetEntityId() == "none") || len(want) > len(events) {
			t.Fatalf("%s asks %v: want %d entries", list.who.UserID, list.req, len(want))
		}
		for _, limit := range []int32{1, 2, 3, 5, 8, 17, 59, 60, 61, 200} {
			list.req.Limit = limit
			if got := l.walk(t, list.who, list.req, nil); !slices.Equal(got, want) {
				t.Fatalf("%s asks %v: got %d entries\n%v, want %d\n%v", list.who.UserID, list.req, len(got), got, len(want), want)
			}
		}
	}
}

func TestAListOfAnEntityIsInTheOrderOfAppending(t *testing.T) {
	l := openLog(t, newDB(t))
	c := crowd{rand.New(rand.NewPCG(3, 4))}
	events := c.events(150) // their ids are in no order, as where events are redriven
	c.addInBatches(t, l, events)
	for _, who := range []auth.Identity{boss, {UserID: "person-1"}} {
		for entity := range 7 {
			req := &logpb.ListRequest{EntityId: fmt.Sprint("entity-", entity), Limit: 4}
			var want []string
			for _, e := range slices.Backward(events) {
				if entry := fromEvent(e); e.EntityID == req.EntityId && visible(&entry, who) {
					want = append(want, e.ID)
				}
			}
			if got := l.walk(t, who, req, nil); !slices.Equal(got, want) {
				t.Errorf("%s asks %v: got\n%v, want\n%v", who.UserID, req, got, want)
			}
		}
	}
}

// Walking pages while others append, also a replica whose clock is slow, neither repeats nor skips what was there before.
func TestPagesAreNotMovedByWhatIsAppendedMeanwhile(t *testing.T) {
	for _, limit := range []int32{2, 9} {
		db := newDB(t)
		l, slow := openLog(t, db), openLog(t, db)
		c := crowd{rand.New(rand.NewPCG(5, uint64(limit)))}
		slow.appender.now = func() time.Time { return time.Now().Add(-time.Duration(c.random.Int64N(int64(time.Second)))) }
		events := c.events(40)
		c.addInBatches(t, l, events[:10])
		l.addTogether(t, events[10:]...) // so that the first page ends within a block
		for _, list := range lists() {
			list.req.Limit = limit
			want := l.expect(t, list.who, list.req)
			pages := 0
			got := l.walk(t, list.who, list.req, func(string) {
				if pages++; pages > 4 {
					return
				}
				l.forget()
				l.addTogether(t, c.events(5)...)
				slow.forget()
				fresh := c.events(5)
				for i := range fresh {
					fresh[i].EntityID = fmt.Sprint("entity-2", i) // of chains where its ids are not pushed up
				}
				slow.addTogether(t, fresh...)
			})
			before := make(map[string]int)
			for _, id := range got {
				if before[id]++; before[id] > 1 {
					t.Fatalf("%s asks %v: %s is there twice", list.who.UserID, list.req, id)
				}
			}
			got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
			if !slices.Equal(got, want) {
				t.Fatalf("%s asks %v: got %d entries\n%v, want %d\n%v", list.who.UserID, list.req, len(got), got, len(want), want)
			}
		}
	}
}

func TestACursorTellsNothingOfWhatOthersDid(t *testing.T) {
	l := openLog(t, newDB(t))
	c := crowd{rand.New(rand.NewPCG(6, 7))}
	c.addInBatches(t, l, c.events(150))
	me := auth.Identity{UserID: "person-1"}
	places := make(map[string]bool) // the blocks with entries that I may see
	blocks := l.stored(t)
	for _, b := range blocks {
		for _, k := range b.Links {
			places[b.ID] = places[b.ID] || visible(k.entry, me)
		}
	}
	cursors := 0
	for _, req := range []*logpb.ListRequest{{Limit: 1}, {Limit: 2, EntityId: "entity-2"}, {Limit: 1, TraceId: traceA, Action: "action-1"}} {
		l.walk(t, me, req, func(text string) {
			cursors++
			at, _ := parseCursor(text)
			behind, err := base64.RawURLEncoding.DecodeString(at.behind)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range blocks {
				if !places[b.ID] && (at.block == b.ID || strings.Contains(string(behind), b.ID)) {
					t.Errorf("cursor %q of %v names a block in which there is nothing of mine", text, req)
				}
				for _, k := range b.Links {
					if strings.Contains(string(behind), k.entry.ID) || strings.Contains(text, k.entry.ID) {
						t.Errorf("cursor %q of %v names entry %s", text, req, k.entry.ID)
					}
				}
			}
		})
	}
	if cursors < 50 {
		t.Errorf("%d cursors", cursors)
	}
}

func TestCursorsThatWereNotGivenAreRefused(t *testing.T) {
	l := openLog(t, newDB(t))
	c := crowd{rand.New(rand.NewPCG(8, 9))}
	c.addInBatches(t, l, c.events(100))
	ctx := auth.NewContext(t.Context(), boss)
	good := ""
	l.walk(t, boss, &logpb.ListRequest{Limit: 7}, func(cursor string) {
		if strings.Count(cursor, ".") == 2 && !strings.HasPrefix(cursor, ".") {
			good = cursor
		}
	})
	at, ok := parseCursor(good)
	if !ok || good == "" {
		t.Fatalf("no cursor within a block: %q", good)
	}
	for _, bad := range []string{
		"garbage", ".", "..", "." + at.block, at.behind + ".", at.behind + "." + at.block, at.behind + "." + at.block + ".",
		at.behind + "." + at.block + ".x", at.behind + "." + at.block + ".-1", at.behind + ".x.1", "x." + at.block + ".1",
		at.behind[1:] + "." + at.block + ".1", good + ".1", good + " ", "\x00", "e30.",
	} {
		err := l.List(ctx, &logpb.ListRequest{Cursor: bad}, &logpb.ListResponse{})
		var f *fault.Error
		if !errors.As(err, &f) || !errors.Is(err, fault.Invalid) || len(f.Fields) != 1 || f.Fields[0].Name != "cursor" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := l.List(ctx, &logpb.ListRequest{Cursor: good, EntityId: "entity-2"}, &logpb.ListResponse{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("the cursor of another list: %v", err)
	}
	// One that is forged well shows no more than the list itself.
	me := auth.Identity{UserID: "person-1"}
	want := l.expect(t, me, &logpb.ListRequest{})
	for _, b := range l.stored(t) {
		for _, given := range []int{0, 1, 40, 1 << 40} {
			var rsp logpb.ListResponse
			forged := cursor{block: b.ID, given: given}.String()
			if err := l.List(auth.NewContext(t.Context(), me), &logpb.ListRequest{Cursor: forged}, &rsp); err != nil {
				t.Fatal(err)
			}
			for _, e := range rsp.GetEntries() {
				if !slices.Contains(want, e.GetId()) {
					t.Errorf("%q shows %v", forged, e)
				}
			}
		}
	}
}

func TestALargePageEndsEarly(t *testing.T) {
	for bytes, want := range map[int]int{pageBytes/10 + 1: 10, pageBytes/2 + 1: 2, 1000: 40} { // entries on the first page
		l := openLog(t, newDB(t))
		var events []event.Envelope
		for i := range 40 {
			e := booking("c", int64(i+1))
			e.Data = []byte(`"` + strings.Repeat("x", bytes-2) + `"`)
			events = append(events, e)
		}
		l.addTogether(t, events...)
		var rsp logpb.ListResponse
		if err := l.List(auth.NewContext(t.Context(), boss), &logpb.ListRequest{}, &rsp); err != nil || len(rsp.GetEntries()) != want {
			t.Errorf("%d entries of %d bytes on a page, want %d; %v", len(rsp.GetEntries()), bytes, want, err)
		}
		if got := l.walk(t, boss, &logpb.ListRequest{Limit: 200}, nil); len(got) != len(events) {
			t.Errorf("%d entries of %d bytes on all pages", len(got), bytes)
		}
	}
}

// fill puts blocks of one entry each into the store, the oldest first, without hashing them.
func (l *testLog) fill(t testing.TB, n int, action func(i int) string) {
	t.Helper()
	blocks := make([]block, 0, 1000)
	for i := range n {
		e := fromEvent(booking("c", int64(i+1)))
		e.Action = action(i)
		content, err := e.content()
		if err != nil {
			t.Fatal(err)
		}
		b := block{ID: blockID(int64(i+1), 0), First: int64(i + 1), Links: []link{{Content: string(content), entry: &e}}}
		if blocks = append(blocks, b); len(blocks) == cap(blocks) || i == n-1 {
			if _, err := l.handler.blocks.InsertMany(t.Context(), blocks); err != nil {
				t.Fatal(err)
			}
			blocks = blocks[:0]
		}
	}
}

func TestAListThatPassesOverManyHasEmptyPages(t *testing.T) {
	l := newLog(t, newDB(t))
	const n = 2*pageScan + 1000
	l.fill(t, n, func(i int) string {
		if i == 0 || i == 1 || i == n-1 {
			return "rare"
		}
		return "common"
	})
	var pages []int
	req := &logpb.ListRequest{Action: "rare", Limit: 10}
	for {
		var rsp logpb.ListResponse
		if err := l.List(auth.NewContext(t.Context(), boss), req, &rsp); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(rsp.GetEntries()))
		if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
			break
		}
	}
	if !slices.Equal(pages, []int{1, 0, 2}) {
		t.Errorf("pages of %v entries", pages)
	}

	// A cursor within the first block, and then more new ones than one page passes over.
	at := cursor{block: blockID(2, 0), given: 0}
	if got := l.walkFrom(t.Context(), t, &logpb.ListRequest{Cursor: at.String()}); !slices.Equal(got, []int64{2, 1}) {
		t.Errorf("got versions %v", got)
	}
}

// walkFrom reads all pages of an admin's list from a cursor on and gives the versions of the entries.
func (l *testLog) walkFrom(ctx context.Context, t testing.TB, req *logpb.ListRequest) (versions []int64) {
	t.Helper()
	for {
		var rsp logpb.ListResponse
		if err := l.List(auth.NewContext(ctx, boss), req, &rsp); err != nil {
			t.Fatal(err)
		}
		for _, e := range rsp.GetEntries() {
			versions = append(versions, e.GetVersion())
		}
		if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
			return versions
		}
	}
}
