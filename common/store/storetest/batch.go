package storetest

import (
	"fmt"

	"github.com/fairwayfreight/fairway/common/store"
)

var batchTests = []test{
	{"many records are inserted as each alone would be", func(f *fixture) {
		f.adds(3, thing("a", at(9), key("owner", "o"), events("1")), thing("b", key("owner", "o")), thing("c", body(`3`)))
		f.holds("a", 1, `{"of":"a"}`)
		f.holds("c", 1, `3`)
		f.finds(store.Query{Index: "owner", Match: "o"}, "a", "b")
		f.depth(1)
		f.claims(9, "a: 1")
	}},
	{"inserting stops at a taken id: what is before it is added, what is behind it is not", func(f *fixture) {
		f.insert(thing("taken"))
		f.duplicate(f.adds(2, thing("a"), thing("b", events("1")), thing("taken", events("2")), thing("c", events("3"))), store.ByID)
		f.holds("b", 1, `{"of":"b"}`)
		f.holds("taken", 1, `{"of":"taken"}`)
		f.missing("c")
		f.depth(1)
	}},
	{"inserting stops at a taken key, also one taken by the same list", func(f *fixture) {
		f.duplicate(f.adds(1, thing("a", key("email", "e")), thing("b", key("email", "e")), thing("c")), "email")
		f.missing("b")
		f.missing("c")
	}},
	{"an empty list adds nothing", func(f *fixture) { f.ok(f.adds(0)) }},
	{"many records are replaced as each alone would be, whatever happens to the others", func(f *fixture) {
		f.insert(thing("a", key("owner", "o")))
		f.insert(thing("b", key("email", "mine")))
		f.insert(thing("c"))
		f.insert(thing("d"))
		refused, err := f.table.ReplaceMany(f.ctx, []store.Record{
			thing("gone", at(1)), thing("a", at(1), body(`1`), events("1")), thing("b", at(7)),
			thing("c", at(1), key("email", "mine")), thing("d", at(1), key("owner", "o")),
		})
		f.ok(err)
		if len(refused) != 5 {
			f.Fatalf("told of %d records, want 5", len(refused))
		}
		f.is(refused[0], store.ErrNotFound)
		f.ok(refused[1])
		f.is(refused[2], store.ErrConflict)
		f.duplicate(refused[3], "email")
		f.ok(refused[4])
		f.holds("a", 2, `1`)
		f.holds("b", 1, `{"of":"b"}`)
		f.holds("c", 1, `{"of":"c"}`)
		f.finds(store.Query{Index: "owner", Match: "o"}, "d")
		f.depth(1)
	}},
	{"a list longer than a batch is refused", func(f *fixture) {
		list := make([]store.Record, store.MaxBatch+1)
		for i := range list {
			list[i] = thing(fmt.Sprint(i))
		}
		_, err := f.table.InsertMany(f.ctx, list)
		f.refused(err)
		_, err = f.table.ReplaceMany(f.ctx, list)
		f.refused(err)
		f.missing("0")
	}},
	{"a record that cannot be written refuses its whole list before anything is written", func(f *fixture) {
		_, err := f.table.InsertMany(f.ctx, []store.Record{thing("a"), thing("")})
		f.refused(err)
		f.missing("a")
	}},
}

// adds inserts records and checks how many were added.
func (f *fixture) adds(want int, list ...store.Record) error {
	f.Helper()
	added, err := f.table.InsertMany(f.ctx, list)
	if added != want {
		f.Fatalf("%d records added, want %d; error %v", added, want, err)
	}
	return err
}
