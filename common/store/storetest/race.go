package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairwayfreight/fairway/common/store"
)

var raceTests = []test{
	{"one of fifty inserts wins a unique key", func(f *fixture) {
		won := f.race(50, "email", func(i int) error {
			return f.table.Insert(f.ctx, thing(fmt.Sprintf("id-%d", i), key("email", "e"), key("owner", "o"), events("x")))
		})
		f.finds(store.Query{Index: "email", Match: "e"}, fmt.Sprintf("id-%d", won))
		f.finds(store.Query{Index: "owner", Match: "o"}, fmt.Sprintf("id-%d", won))
		f.finds(store.Query{}, fmt.Sprintf("id-%d", won))
		f.depth(1)
	}},
	{"one of fifty inserts wins an id", func(f *fixture) {
		won := f.race(50, store.ByID, func(i int) error {
			return f.table.Insert(f.ctx, thing("a", body(fmt.Sprint(i)), key("owner", fmt.Sprint(i))))
		})
		f.holds("a", 1, fmt.Sprint(won))
		for i := range 50 {
			if found := f.find(store.Query{Index: "owner", Match: fmt.Sprint(i)}); (len(found) == 1) != (i == won) {
				f.Fatalf("writer %d won, but owner %d finds %v", won, i, found)
			}
		}
	}},
	{"one of fifty replaces wins a unique key", func(f *fixture) {
		for i := range 50 {
			f.insert(thing(fmt.Sprintf("id-%d", i)))
		}
		won := f.race(50, "email", func(i int) error {
			return f.table.Replace(f.ctx, thing(fmt.Sprintf("id-%d", i), at(1), key("email", "e")))
		})
		f.finds(store.Query{Index: "email", Match: "e"}, fmt.Sprintf("id-%d", won))
	}},
	{"one of fifty replaces wins a version", func(f *fixture) {
		f.insert(thing("a"))
		won := f.race(50, "", func(i int) error {
			return f.table.Replace(f.ctx, thing("a", at(1), body(fmt.Sprint(i)), key("tag", fmt.Sprint(i)), events(fmt.Sprint(i))))
		})
		f.holds("a", 2, fmt.Sprint(won))
		f.finds(store.Query{Index: "tag", Match: fmt.Sprint(won)}, "a")
		waiting, err := f.table.Claim(f.ctx, 10, patience)
		f.ok(err)
		if len(waiting) != 1 || len(waiting[0].Events) != 1 || waiting[0].Events[0].ID != fmt.Sprint(won) {
			f.Fatalf("writer %d won, but %v waits", won, waiting)
		}
	}},
	{"a refused write does not disturb those it travels with", func(f *fixture) {
		f.insert(thing("taken", key("email", "taken")))
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if i%2 == 0 {
					if err := f.table.Insert(f.ctx, thing(fmt.Sprintf("id-%03d", i), key("owner", "o"), events("x"))); err != nil {
						f.Errorf("insert %d: %v", i, err)
					}
					return
				}
				err := f.table.Insert(f.ctx, thing(fmt.Sprintf("id-%03d", i), key("owner", "o"), key("email", "taken"), events("x")))
				if !store.IsDuplicate(err, "email") {
					f.Errorf("insert %d: got %v, want a duplicate", i, err)
				}
			})
		}
		wg.Wait()
		want := make([]string, 0, 100)
		for i := 0; i < 200; i += 2 {
			want = append(want, fmt.Sprintf("id-%03d", i))
		}
		f.finds(store.Query{Index: "owner", Match: "o"}, want...)
		f.depth(100)
	}},
	{"a read sees every write that was answered before", func(f *fixture) {
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 20 {
					id := fmt.Sprintf("%d-%d", w, i)
					if err := f.table.Insert(f.ctx, thing(id, key("owner", id))); err != nil {
						f.Errorf("insert %s: %v", id, err)
						return
					}
					if _, err := f.table.Get(f.ctx, id); err != nil {
						f.Errorf("get %s after its insert: %v", id, err)
					}
					found, err := f.table.Find(f.ctx, store.Query{Index: "owner", Match: id, Limit: 2})
					if err != nil || !slices.Equal(ids(found), []string{id}) {
						f.Errorf("find %s after its insert: %v, %v", id, ids(found), err)
					}
				}
			})
		}
		wg.Wait()
	}},
}

// race lets n writers try the same at once and returns the only one that won. The others must have failed with a duplicate of
// index or, where that is empty, with a conflict.
func (f *fixture) race(n int, index string, try func(i int) error) int {
	f.Helper()
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		wins  atomic.Int64
		won   atomic.Int64
	)
	for i := range n {
		wg.Go(func() {
			<-start
			err := try(i)
			switch {
			case err == nil:
				wins.Add(1)
				won.Store(int64(i))
			case index == "" && errors.Is(err, store.ErrConflict), index != "" && store.IsDuplicate(err, index):
			default:
				f.Errorf("writer %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if wins.Load() != 1 {
		f.Fatalf("%d writers won, want 1", wins.Load())
	}
	return int(won.Load())
}
