package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/fairwayfreight/fairway/common/store"
)

var pagingTests = []test{
	{"pages of an index neither repeat nor skip what stays, while others come and go", func(f *fixture) {
		f.pagesAreStable(store.Query{Index: "owner", Match: "o"})
	}},
	{"pages backwards are as stable", func(f *fixture) {
		f.pagesAreStable(store.Query{Index: "owner", Match: "o", Descending: true})
	}},
	{"pages of the whole collection are as stable", func(f *fixture) { f.pagesAreStable(store.Query{}) }},
	{"a position whose record is gone still holds", func(f *fixture) {
		for i := range 6 {
			f.insert(thing(fmt.Sprint(i), key("owner", "o")))
		}
		q := store.Query{Index: "owner", Match: "o", Limit: 3}
		found, err := f.table.Find(f.ctx, q)
		f.ok(err)
		f.ok(f.table.Delete(f.ctx, "2", 1))
		q.After = found[2].At
		f.finds(q, "3", "4", "5")
	}},
}

// pagesAreStable walks q several times while records come, go and change.
func (f *fixture) pagesAreStable(q store.Query) {
	var stay []string
	for i := range 60 {
		id := fmt.Sprintf("stay-%02d", i)
		stay = append(stay, id)
		f.insert(thing(id, key("owner", "o")))
	}
	if q.Descending {
		slices.Reverse(stay)
	}
	var (
		wg   sync.WaitGroup
		stop = make(chan struct{})
	)
	for w := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// These sort in among those that stay.
				id := fmt.Sprintf("stay-%02d-%d-%d", random.IntN(60), w, i)
				if err := f.table.Insert(f.ctx, thing(id, key("owner", "o"))); err != nil {
					f.Errorf("insert %s: %v", id, err)
					return
				}
				if i%2 == 0 {
					if err := f.table.Delete(f.ctx, id, 1); err != nil {
						f.Errorf("delete %s: %v", id, err)
						return
					}
				}
			}
		})
	}
	for range 5 {
		q.After, q.Limit = store.Position{}, 7
		seen := map[string]int{}
		var kept []string
		for {
			found, err := f.table.Find(f.ctx, q)
			f.ok(err)
			for _, r := range found {
				if seen[r.ID]++; seen[r.ID] > 1 {
					f.Errorf("%s came twice", r.ID)
				}
				if slices.Contains(stay, r.ID) {
					kept = append(kept, r.ID)
				}
			}
			if len(found) < q.Limit {
				break
			}
			q.After = found[len(found)-1].At
		}
		if !slices.Equal(kept, stay) {
			f.Errorf("of those that stay, %v came, want %v", kept, stay)
		}
	}
	close(stop)
	wg.Wait()
}
