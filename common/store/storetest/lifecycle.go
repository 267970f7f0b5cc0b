package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

var lifecycleTests = []test{
	{"everything that was answered survives a restart", func(f *fixture) {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				id := fmt.Sprintf("%02d", i)
				if err := f.table.Insert(f.ctx, thing(id, key("email", id), ordered("owner", "o", id), events("e"))); err != nil {
					f.Errorf("insert %s: %v", id, err)
				}
			})
		}
		wg.Wait()
		f.ok(f.table.Replace(f.ctx, thing("07", at(1), body(`"seven"`), key("email", "seven"))))
		f.ok(f.table.Delete(f.ctx, "08", 1))
		f.reopen()
		f.holds("07", 2, `"seven"`)
		f.missing("08")
		if n := len(f.find(store.Query{Index: "owner", Match: "o"})); n != 38 {
			f.Fatalf("the index finds %d, want 38", n)
		}
		f.depth(39)
		f.insert(thing("new", key("email", "07")))
		f.duplicate(f.table.Insert(f.ctx, thing("newer", key("email", "seven"))), "email")
	}},
	{"a collection opened again is the same", func(f *fixture) {
		f.insert(thing("a", events("1")))
		other := f.open(things)
		if _, err := other.Get(f.ctx, "a"); err != nil {
			f.Fatal(err)
		}
		f.claims(1, "a: 1")
		waiting, err := other.Claim(f.ctx, 1, time.Minute)
		f.ok(err)
		if len(waiting) != 0 {
			f.Fatalf("%v was claimed twice", waiting)
		}
	}},
	{"collections whose names run together are kept apart", func(f *fixture) {
		one := f.open(store.Schema{Name: "a_b", Indexes: []store.IndexSchema{{Name: "c", Unique: true}}})
		two := f.open(store.Schema{Name: "a", Indexes: []store.IndexSchema{{Name: "b_c", Unique: true}}})
		f.ok(one.Insert(f.ctx, thing("x", key("c", "k"))))
		f.ok(two.Insert(f.ctx, thing("x", key("b_c", "k"))))
		f.ok(two.Delete(f.ctx, "x", 1))
		found, err := one.Find(f.ctx, store.Query{Index: "c", Match: "k", Limit: 2})
		f.ok(err)
		if len(found) != 1 {
			f.Fatalf("found %v, want one", found)
		}
	}},
	{"names that databases may not like are refused", func(f *fixture) {
		for _, name := range []string{"", "A", "a-b", "a.b", "a b", `a"b`, "é", "a\x00", "$a"} {
			if _, err := f.db.Table(f.ctx, store.Schema{Name: name}); err == nil {
				f.Errorf("collection %q was accepted", name)
			}
			if _, err := f.db.Table(f.ctx, store.Schema{Name: "a", Indexes: []store.IndexSchema{{Name: name}}}); err == nil {
				f.Errorf("index %q was accepted", name)
			}
		}
		for _, twice := range [][]store.IndexSchema{{{Name: "x"}, {Name: "x"}}, {{Name: "id"}}} {
			if _, err := f.db.Table(f.ctx, store.Schema{Name: "a", Indexes: twice}); err == nil {
				f.Errorf("indexes %v were accepted", twice)
			}
		}
	}},
	{"a record from before an index is in it once it is written again", func(f *fixture) {
		narrow := store.Schema{Name: "grown"}
		wide := store.Schema{Name: "grown", Indexes: []store.IndexSchema{{Name: "tag"}}}
		f.ok(f.open(narrow).Insert(f.ctx, thing("a")))
		f.reopen()
		table := f.open(wide)
		f.ok(table.Replace(f.ctx, thing("a", at(1), key("tag", "t"))))
		found, err := table.Find(f.ctx, store.Query{Index: "tag", Match: "t", Limit: 2})
		f.ok(err)
		if len(found) != 1 {
			f.Fatalf("found %v, want one", found)
		}
	}},
	{"an index that was left out for a while tells no lies when it is back", func(f *fixture) {
		narrow := store.Schema{Name: "grown"}
		wide := store.Schema{Name: "grown", Indexes: []store.IndexSchema{{Name: "tag"}}}
		table := f.open(wide)
		f.ok(table.Insert(f.ctx, thing("a", key("tag", "t"))))
		f.ok(table.Insert(f.ctx, thing("b", key("tag", "t"))))
		f.reopen()
		table = f.open(narrow)
		f.ok(table.Replace(f.ctx, thing("a", at(1))))
		f.ok(table.Delete(f.ctx, "b", 1))
		f.ok(table.Insert(f.ctx, thing("b")))
		f.reopen()
		found, err := f.open(wide).Find(f.ctx, store.Query{Index: "tag", Match: "t", Limit: 2})
		f.ok(err)
		if len(found) != 0 {
			f.Fatalf("found %v, want none", found)
		}
	}},
	{"a call whose context has ended does nothing", func(f *fixture) {
		f.insert(thing("a", events("1")))
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		for name, err := range everyCall(ctx, f.db, f.table) {
			if err == nil {
				f.Errorf("%s did not fail", name)
				continue
			}
			f.is(err, context.Canceled)
		}
		f.holds("a", 1, `{"of":"a"}`)
		f.missing("new")
		f.depth(1)
		f.claims(1, "a: 1")
	}},
	{"a closed database fails every call", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.ok(f.db.Close())
		for name, err := range everyCall(f.ctx, f.db, f.table) {
			if err == nil {
				f.Errorf("%s did not fail", name)
			}
		}
	}},
	{"Close waits for the writes under way", func(f *fixture) {
		var (
			wg       sync.WaitGroup
			mu       sync.Mutex
			answered []string
			started  = make(chan struct{}, 1)
		)
		for w := range 16 {
			wg.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("%d-%d", w, i)
					if f.table.Insert(f.ctx, thing(id)) != nil {
						return
					}
					mu.Lock()
					answered = append(answered, id)
					mu.Unlock()
					select {
					case started <- struct{}{}:
					default:
					}
				}
			})
		}
		<-started
		f.ok(f.db.Close())
		wg.Wait()
		f.reopen()
		for _, id := range answered {
			f.holds(id, 1, `{"of":"`+id+`"}`)
		}
	}},
	{"a database in order is healthy", func(f *fixture) { f.ok(f.db.Health(f.ctx)) }},
}

// everyCall makes each call once and gives their errors.
func everyCall(ctx context.Context, db store.DB, table store.Table) map[string]error {
	errs := map[string]error{
		"Health":  db.Health(ctx),
		"Insert":  table.Insert(ctx, thing("new", events("2"))),
		"Replace": table.Replace(ctx, thing("a", at(1), events("2"))),
		"Delete":  table.Delete(ctx, "a", 1),
		"Settle":  table.Settle(ctx, []store.Waiting{{DocumentID: "a", Events: []store.Event{{ID: "1"}}}}),
		"Release": table.Settle(ctx, []store.Waiting{{DocumentID: "a"}}),
	}
	_, errs["Table"] = db.Table(ctx, store.Schema{Name: "other"})
	_, errs["Table again"] = db.Table(ctx, things)
	_, errs["Get"] = table.Get(ctx, "a")
	_, errs["GetMany"] = table.GetMany(ctx, []string{"a"})
	_, errs["Find"] = table.Find(ctx, store.Query{Limit: 1})
	_, errs["Claim"] = table.Claim(ctx, 1, time.Minute)
	_, errs["Depth"] = table.Depth(ctx)
	return errs
}
