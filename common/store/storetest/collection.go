package storetest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairwayfreight/fairway/common/store"
)

// ship is the document of the typed tests.
type ship struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
	Built string `json:"built"`
	Calls int    `json:"calls"`
	Notes string `json:"notes,omitempty"`
}

var ships = store.Spec[ship]{
	Name: "ships",
	ID:   func(s *ship) string { return s.ID },
	Indexes: []store.Index[ship]{
		{Name: "name", Unique: true, Keys: func(s *ship) []store.Key { return []store.Key{{Match: s.Name}} }},
		{Name: "owner", Keys: func(s *ship) []store.Key {
			if s.Owner == "" {
				return nil
			}
			return []store.Key{{Match: s.Owner, Order: s.Built}}
		}},
	},
}

func (f *fixture) ships() *store.Collection[ship] {
	f.Helper()
	c, err := store.Open(f.ctx, f.db, ships)
	f.ok(err)
	return c
}

var collectionTests = []test{
	{"a page of large documents ends early, and the pages hold them all", func(f *fixture) {
		c := f.ships()
		var want []string
		for i := range 12 {
			id := fmt.Sprintf("%02d", i)
			want = append(want, id)
			_, err := c.Insert(f.ctx, ship{ID: id, Name: id, Notes: strings.Repeat("x", 300_000), Owner: "o"})
			f.ok(err)
		}
		var got []string
		list := store.List[ship]{Index: "owner", Match: "o", Limit: 200}
		for {
			page, err := c.Find(f.ctx, list)
			f.ok(err)
			if len(page.Items) > 4 {
				f.Errorf("a page holds %d documents of 300 kB", len(page.Items))
			}
			for _, doc := range page.Items {
				got = append(got, doc.Value.ID)
			}
			if list.Cursor = page.Next; list.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			f.Errorf("got %v", got)
		}
	}},
	{"a cursor tells nothing of documents that were kept back", func(f *fixture) {
		c := f.ships()
		for i := range 20 {
			id := fmt.Sprintf("mine-%02d", i)
			if i%5 != 0 {
				id = fmt.Sprintf("mine-%02d-secret", i)
			}
			_, err := c.Insert(f.ctx, ship{ID: id, Name: id, Owner: "o"})
			f.ok(err)
		}
		var got []string
		list := store.List[ship]{Index: "owner", Match: "o", Limit: 1, Where: func(s *ship) bool { return !strings.Contains(s.ID, "secret") }}
		for {
			page, err := c.Find(f.ctx, list)
			f.ok(err)
			for _, doc := range page.Items {
				got = append(got, doc.Value.ID)
			}
			if list.Cursor = page.Next; list.Cursor == "" {
				break
			}
			text, err := base64.RawURLEncoding.DecodeString(page.Next)
			f.ok(err)
			if strings.Contains(string(text), "secret") {
				f.Errorf("the cursor holds %s", text)
			}
		}
		if !slices.Equal(got, []string{"mine-00", "mine-05", "mine-10", "mine-15"}) {
			f.Errorf("got %v", got)
		}
	}},
	{"a document goes in and comes back as it was", func(f *fixture) {
		c := f.ships()
		value := ship{ID: "1", Name: "Ever <Given> & \"Co\"", Owner: "o", Built: "2018", Calls: -1}
		doc, err := c.Insert(f.ctx, value, store.Event{ID: "e"})
		f.ok(err)
		if doc.Version != 1 || doc.Value != value {
			f.Fatalf("insert gave %+v", doc)
		}
		doc, err = c.Get(f.ctx, "1")
		f.ok(err)
		if doc.Version != 1 || doc.Value != value {
			f.Fatalf("get gave %+v", doc)
		}
		if n, err := c.Outbox().Depth(f.ctx); n != 1 || err != nil {
			f.Fatalf("depth is %d, %v", n, err)
		}
	}},
	{"errors keep their names through the types", func(f *fixture) {
		c := f.ships()
		_, err := c.Get(f.ctx, "1")
		f.is(err, store.ErrNotFound)
		_, err = c.Insert(f.ctx, ship{ID: "1", Name: "A"})
		f.ok(err)
		_, err = c.Insert(f.ctx, ship{ID: "2", Name: "A"})
		f.duplicate(err, "name")
		_, err = c.Insert(f.ctx, ship{ID: "1", Name: "B"})
		f.duplicate(err, store.ByID)
		_, err = c.Replace(f.ctx, ship{ID: "1", Name: "A"}, 2)
		f.is(err, store.ErrConflict)
		f.is(c.Delete(f.ctx, "1", 3), store.ErrConflict)
		f.is(c.Delete(f.ctx, "9", 1), store.ErrNotFound)
		_, err = c.Update(f.ctx, "9", func(*store.Document[ship]) ([]store.Event, error) { return nil, nil })
		f.is(err, store.ErrNotFound)
	}},
	{"many documents come by their ids", func(f *fixture) {
		c := f.ships()
		for i := range 5 {
			_, err := c.Insert(f.ctx, ship{ID: fmt.Sprint(i), Name: fmt.Sprint("n", i)})
			f.ok(err)
		}
		found, err := c.GetMany(f.ctx, []string{"3", "1", "9"})
		f.ok(err)
		if len(found) != 2 || found["3"].Value.Name != "n3" || found["1"].Version != 1 {
			f.Fatalf("got %v", found)
		}
	}},
	{"updates by sixty-four at once are all counted", func(f *fixture) {
		c := f.ships()
		_, err := c.Insert(f.ctx, ship{ID: "1", Name: "A"})
		f.ok(err)
		const updaters, each = 64, 4
		var wg sync.WaitGroup
		for u := range updaters {
			wg.Go(func() {
				for i := range each {
					_, err := c.Update(f.ctx, "1", func(doc *store.Document[ship]) ([]store.Event, error) {
						doc.Value.Calls++
						return []store.Event{{ID: fmt.Sprintf("%d-%d", u, i)}}, nil
					})
					if err != nil {
						f.Errorf("update: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		doc, err := c.Get(f.ctx, "1")
		f.ok(err)
		if doc.Value.Calls != updaters*each || doc.Version != updaters*each+1 {
			f.Fatalf("counted %d at version %d, want %d", doc.Value.Calls, doc.Version, updaters*each)
		}
		waiting, err := c.Outbox().Claim(f.ctx, 2, patience)
		f.ok(err)
		if len(waiting) != 1 || len(waiting[0].Events) != updaters*each {
			f.Fatalf("%d documents wait, want one with %d events", len(waiting), updaters*each)
		}
	}},
	{"an update sees the version it will make and returns what it wrote", func(f *fixture) {
		c := f.ships()
		_, err := c.Insert(f.ctx, ship{ID: "1", Name: "A"})
		f.ok(err)
		doc, err := c.Update(f.ctx, "1", func(doc *store.Document[ship]) ([]store.Event, error) {
			doc.Value.Calls = int(doc.Version)
			return nil, nil
		})
		f.ok(err)
		if doc.Version != 2 || doc.Value.Calls != 2 {
			f.Fatalf("got %+v", doc)
		}
	}},
	{"an update that changes nothing or fails writes nothing", func(f *fixture) {
		c := f.ships()
		_, err := c.Insert(f.ctx, ship{ID: "1", Name: "A"})
		f.ok(err)
		broken := errors.New("broken")
		for _, want := range []error{store.ErrUnchanged, broken} {
			doc, err := c.Update(f.ctx, "1", func(doc *store.Document[ship]) ([]store.Event, error) {
				doc.Value.Calls = 99
				return []store.Event{{ID: "e"}}, want
			})
			if want == broken {
				f.is(err, broken)
				continue
			}
			f.ok(err)
			if doc.Version != 1 || doc.Value.Calls != 0 {
				f.Fatalf("got %+v", doc)
			}
		}
		doc, err := c.Get(f.ctx, "1")
		f.ok(err)
		if n, _ := c.Outbox().Depth(f.ctx); n != 0 || doc.Version != 1 {
			f.Fatalf("version %d with %d outboxes", doc.Version, n)
		}
	}},
	{"lists come page by page, in order and filtered", func(f *fixture) {
		c := f.shipsOf("o", 250)
		even := func(s *ship) bool { return s.Calls%2 == 0 }
		for _, tt := range []struct {
			name  string
			list  store.List[ship]
			count int
		}{
			{"all", store.List[ship]{Index: "owner", Match: "o", Limit: 7}, 250},
			{"all in full pages", store.List[ship]{Index: "owner", Match: "o", Limit: 50}, 250},
			{"all in one page", store.List[ship]{Index: "owner", Match: "o", Limit: store.MaxBatch}, 250},
			{"down", store.List[ship]{Index: "owner", Match: "o", Limit: 33, Descending: true}, 250},
			{"even", store.List[ship]{Index: "owner", Match: "o", Limit: 7, Where: even}, 125},
			{"even down", store.List[ship]{Index: "owner", Match: "o", Limit: 125, Where: even, Descending: true}, 125},
			{"bounded", store.List[ship]{Index: "owner", Match: "o", Limit: 7, From: "0100", Until: "0200"}, 100},
			{"by id", store.List[ship]{Limit: 19}, 250},
			{"none", store.List[ship]{Index: "owner", Match: "p", Limit: 7}, 0},
		} {
			calls := walk(f, c, tt.list)
			if len(calls) != tt.count {
				f.Errorf("%s: got %d documents, want %d", tt.name, len(calls), tt.count)
			}
			if tt.list.Descending {
				slices.Reverse(calls)
			}
			if !slices.IsSorted(calls) || len(slices.Compact(slices.Clone(calls))) != len(calls) {
				f.Errorf("%s: out of order or twice: %v", tt.name, calls)
			}
		}
	}},
	{"a page that is just full has no next when nothing follows", func(f *fixture) {
		page, err := f.shipsOf("o", 10).Find(f.ctx, store.List[ship]{Index: "owner", Match: "o", Limit: 10})
		f.ok(err)
		if len(page.Items) != 10 || page.Next != "" {
			f.Fatalf("%d items, next %q", len(page.Items), page.Next)
		}
	}},
	{"a filter that nothing fits ends, after a bounded look each time", func(f *fixture) {
		c := f.shipsOf("o", 5_200)
		var looks int
		list := store.List[ship]{Index: "owner", Match: "o", Limit: 10, Where: func(*ship) bool { looks++; return false }}
		page, err := c.Find(f.ctx, list)
		f.ok(err)
		if len(page.Items) != 0 || page.Next == "" || looks >= 5_200 {
			f.Fatalf("%d items after %d looks, next %q", len(page.Items), looks, page.Next)
		}
		list.Cursor = page.Next
		page, err = c.Find(f.ctx, list)
		f.ok(err)
		if page.Next != "" || looks != 5_200 {
			f.Fatalf("after %d looks, next is %q", looks, page.Next)
		}
	}},
	{"a filter looks no further ahead than a small page or its bound needs", func(f *fixture) {
		c := f.shipsOf("o", 1_000)
		var looks int
		list := store.List[ship]{Index: "owner", Match: "o", Limit: 1, Where: func(*ship) bool { looks++; return true }}
		_, err := c.Find(f.ctx, list)
		f.ok(err)
		if looks > 5 {
			f.Errorf("%d looks for a page of one", looks)
		}
		looks = 0
		list.Scan, list.Where = 100, func(*ship) bool { looks++; return false }
		page, err := c.Find(f.ctx, list)
		f.ok(err)
		if page.Next == "" || looks < 100 || looks > 200 {
			f.Errorf("%d looks with a bound of 100, next %q", looks, page.Next)
		}
	}},
	{"what an index finds comes with the order of its key", func(f *fixture) {
		c := f.shipsOf("o", 3)
		found, err := c.Find(f.ctx, store.List[ship]{Index: "owner", Match: "o", Limit: 10})
		f.ok(err)
		from := found.Items[1].Order
		rest, err := c.Find(f.ctx, store.List[ship]{Index: "owner", Match: "o", From: from, Limit: 10})
		f.ok(err)
		if from == "" || len(rest.Items) != 2 || rest.Items[0].Order != from {
			f.Errorf("from %q on there are %+v", from, rest.Items)
		}
	}},
	{"a cursor of another query, or none at all, is refused", func(f *fixture) {
		c := f.shipsOf("o", 10)
		list := store.List[ship]{Index: "owner", Match: "o", Limit: 3}
		page, err := c.Find(f.ctx, list)
		f.ok(err)
		for name, change := range map[string]func(*store.List[ship]){
			"match":     func(l *store.List[ship]) { l.Match = "p" },
			"index":     func(l *store.List[ship]) { l.Index = "name" },
			"no index":  func(l *store.List[ship]) { l.Index, l.Match = "", "" },
			"direction": func(l *store.List[ship]) { l.Descending = true },
			"from":      func(l *store.List[ship]) { l.From = "0" },
			"until":     func(l *store.List[ship]) { l.Until = "9" },
			"garbage":   func(l *store.List[ship]) { l.Cursor = "garbage" },
			"cut":       func(l *store.List[ship]) { l.Cursor = l.Cursor[:len(l.Cursor)/2] },
			"longer":    func(l *store.List[ship]) { l.Cursor += "AAAA" },
		} {
			other := list
			other.Cursor = page.Next
			change(&other)
			if _, err := c.Find(f.ctx, other); !errors.Is(err, store.ErrCursor) {
				f.Errorf("%s: got %v, want ErrCursor", name, err)
			}
		}
		list.Cursor, list.Limit = page.Next, 5
		if page, err = c.Find(f.ctx, list); err != nil || len(page.Items) != 5 {
			f.Errorf("another limit: got %d items, %v", len(page.Items), err)
		}
	}},
	{"a limit out of bounds is refused", func(f *fixture) {
		for _, limit := range []int{-1, 0, store.MaxBatch + 1} {
			_, err := f.ships().Find(f.ctx, store.List[ship]{Limit: limit})
			f.refused(err)
		}
	}},
}

// shipsOf inserts ships of one owner, built in the order of their Calls. Their ids are in that order too.
func (f *fixture) shipsOf(owner string, n int) *store.Collection[ship] {
	f.Helper()
	c := f.ships()
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				number := fmt.Sprintf("%04d", i)
				if _, err := c.Insert(f.ctx, ship{ID: number, Name: "MV " + number, Owner: owner, Built: number, Calls: i}); err != nil {
					f.Errorf("insert: %v", err)
				}
			}
		})
	}
	wg.Wait()
	return c
}

// walk follows the cursors to the last page and gives the Calls of all documents.
func walk(f *fixture, c *store.Collection[ship], list store.List[ship]) []int {
	f.Helper()
	var calls []int
	for range 1_000 {
		page, err := c.Find(f.ctx, list)
		f.ok(err)
		if len(page.Items) > list.Limit {
			f.Fatalf("a page of %d, the limit is %d", len(page.Items), list.Limit)
		}
		for _, doc := range page.Items {
			calls = append(calls, doc.Value.Calls)
		}
		if page.Next == "" {
			return calls
		}
		if strings.ContainsAny(page.Next, "+/= &?") {
			f.Fatalf("cursor %q needs escaping in a URL", page.Next)
		}
		list.Cursor = page.Next
	}
	f.Fatal("the pages do not end")
	return nil
}
