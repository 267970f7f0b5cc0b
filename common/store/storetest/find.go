package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fairwayfreight/fairway/common/store"
)

var findTests = []test{
	{"a record with several keys is found under each, once per key", func(f *fixture) {
		f.insert(thing("a", key("tag", "red"), key("tag", "blue"), key("tag", "red"), ordered("tag", "red", "2")))
		f.insert(thing("b", key("tag", "blue")))
		f.finds(store.Query{Index: "tag", Match: "red"}, "a", "a")
		f.finds(store.Query{Index: "tag", Match: "blue"}, "a", "b")
		f.finds(store.Query{Index: "tag", Match: "re"})
		f.finds(store.Query{Index: "owner", Match: "red"})
	}},
	{"records come in the order of Order and then of ids, both ways", func(f *fixture) {
		f.insert(thing("c", ordered("owner", "o", "")))
		f.insert(thing("a", ordered("owner", "o", "b")))
		f.insert(thing("d", ordered("owner", "o", "a")))
		f.insert(thing("b", ordered("owner", "o", "a")))
		f.insert(thing("e", ordered("owner", "other", "a")))
		f.finds(store.Query{Index: "owner", Match: "o"}, "c", "b", "d", "a")
		f.finds(store.Query{Index: "owner", Match: "o", Descending: true}, "a", "d", "b", "c")
		f.finds(store.Query{Index: "owner", Match: "o", Limit: 2}, "c", "b")
		f.finds(store.Query{Index: "owner", Match: "o", Limit: 2, Descending: true}, "a", "d")
	}},
	{"a found record has its version, body and place", func(f *fixture) {
		f.insert(thing("a", ordered("owner", "o", "x")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), body(`{"n":2}`), ordered("owner", "o", "y"), events("e"))))
		found, err := f.table.Find(f.ctx, store.Query{Index: "owner", Match: "o", Limit: 1})
		f.ok(err)
		r := found[0]
		if r.ID != "a" || r.Version != 2 || string(r.Body) != `{"n":2}` || r.At != (store.Position{Order: "y", ID: "a"}) || len(r.Outbox) != 0 {
			f.Fatalf("got %+v", r)
		}
	}},
	{"bounds of Order are from inclusive until exclusive", func(f *fixture) {
		for _, order := range []string{"", "1", "10", "2", "3"} {
			f.insert(thing("id"+order, ordered("owner", "o", order)))
		}
		for _, tt := range []struct {
			from, until string
			want        []string
		}{
			{"", "", []string{"id", "id1", "id10", "id2", "id3"}},
			{"1", "", []string{"id1", "id10", "id2", "id3"}},
			{"10", "3", []string{"id10", "id2"}},
			{"", "2", []string{"id", "id1", "id10"}},
			{"11", "111", nil},
			{"3", "1", nil},
			{"4", "", nil},
		} {
			q := store.Query{Index: "owner", Match: "o", From: tt.from, Until: tt.until}
			f.finds(q, tt.want...)
			q.Descending = true
			slices.Reverse(tt.want)
			f.finds(q, tt.want...)
		}
	}},
	{"a query without an index ranges over all records by id", func(f *fixture) {
		for _, id := range []string{"b", "ab", "a", "c"} {
			f.insert(thing(id))
		}
		f.finds(store.Query{}, "a", "ab", "b", "c")
		f.finds(store.Query{Descending: true}, "c", "b", "ab", "a")
		f.finds(store.Query{After: store.Position{ID: "ab"}}, "b", "c")
		f.finds(store.Query{After: store.Position{ID: "ab"}, Descending: true}, "a")
		f.finds(store.Query{Limit: 2}, "a", "ab")
	}},
	{"any query gives what a plain search of all records gives", func(f *fixture) { anyQuery(f) }},
	{"a query that makes no sense is refused", func(f *fixture) {
		for name, q := range map[string]store.Query{
			"no limit":             {},
			"a negative limit":     {Limit: -1},
			"too large a limit":    {Limit: store.MaxBatch + 1},
			"an unknown index":     {Index: "nothing", Limit: 1},
			"bounds but no index":  {From: "a", Limit: 1},
			"a match but no index": {Match: "a", Limit: 1},
			"an end but no index":  {Until: "a", Limit: 1},
		} {
			if _, err := f.table.Find(f.ctx, q); err == nil {
				f.Errorf("a query with %s was accepted", name)
			}
		}
		for _, q := range []store.Query{
			{Index: "owner", Match: "o", Limit: 1, After: store.Position{Order: "x"}},
			{Index: "owner", Match: "o", Limit: 1, After: store.Position{ID: "\xff"}},
			{Limit: 1, After: store.Position{Order: "x", ID: "y"}},
		} {
			_, err := f.table.Find(f.ctx, q)
			f.is(err, store.ErrCursor)
		}
	}},
}

// anyQuery puts random queries, whole and page by page, to random records and compares with a model.
func anyQuery(f *fixture) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "a", "aa", "ab", "b", "B", "é", "😀", "\uffff", "\x01"}
	type entry struct{ match, order, id string }
	var all []entry
	for i := range 60 {
		r := thing(fmt.Sprintf("%s-%d", texts[random.IntN(len(texts))], i))
		for range random.IntN(4) {
			e := entry{texts[random.IntN(2)], texts[random.IntN(len(texts))], r.ID}
			if !slices.Contains(all, e) {
				all = append(all, e)
				ordered("owner", e.match, e.order)(&r)
			}
		}
		f.insert(r)
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id)) })
	for range 150 {
		pick := func() string { return texts[random.IntN(len(texts))] }
		q := store.Query{
			Index: "owner", Match: texts[random.IntN(2)], From: pick(), Until: pick(), Descending: random.IntN(2) == 0,
			Limit: 1 + random.IntN(12),
		}
		var want []store.Position
		for _, e := range all {
			if e.match == q.Match && e.order >= q.From && (q.Until == "" || e.order < q.Until) {
				want = append(want, store.Position{Order: e.order, ID: e.id})
			}
		}
		if q.Descending {
			slices.Reverse(want)
		}
		var got []store.Position
		for walk := q; ; {
			found, err := f.table.Find(f.ctx, walk)
			f.ok(err)
			for _, r := range found {
				got = append(got, r.At)
			}
			if len(found) > q.Limit {
				f.Fatalf("%+v gave %d records", walk, len(found))
			}
			if len(found) < q.Limit {
				break
			}
			walk.After = found[len(found)-1].At
		}
		if !slices.Equal(got, want) {
			f.Fatalf("%+v page by page gave\n%v, want\n%v", q, got, want)
		}
	}
}
