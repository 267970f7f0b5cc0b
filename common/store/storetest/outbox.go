package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

var outboxTests = []test{
	{"an event waits as soon as its change is written", func(f *fixture) {
		f.insert(thing("a", events("1", "2")))
		f.depth(2)
		f.claims(10, "a: 1 2")
	}},
	{"an event's body comes back as it was", func(f *fixture) {
		body := []byte("\x00\xff not JSON '\"")
		f.insert(store.Record{ID: "a", Body: []byte(`1`), Outbox: []store.Event{{ID: "e", Body: body}}})
		waiting, err := f.table.Claim(f.ctx, 1, patience)
		f.ok(err)
		if len(waiting) != 1 || string(waiting[0].Events[0].Body) != string(body) {
			f.Fatalf("got %v", waiting)
		}
	}},
	{"events of a document keep their order over several changes", func(f *fixture) {
		f.insert(thing("a", events("z", "y")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("x"))))
		f.ok(f.table.Replace(f.ctx, thing("a", at(2))))
		f.ok(f.table.Replace(f.ctx, thing("a", at(3), events("b", "a"))))
		f.depth(5)
		f.claims(10, "a: z y x b a")
	}},
	{"documents that waited longest come first", func(f *fixture) {
		for i := 9; i >= 0; i-- {
			f.insert(thing(fmt.Sprint("in-", i)))
		}
		for i := 9; i >= 0; i-- {
			f.ok(f.table.Replace(f.ctx, thing(fmt.Sprint("in-", i), at(1), events("e"))))
		}
		f.claims(3, "in-9: e", "in-8: e", "in-7: e")
		f.claims(2, "in-6: e", "in-5: e")
	}},
	{"claiming and settling change neither version nor body nor keys", func(f *fixture) {
		f.insert(thing("a", body(`1`), key("owner", "o"), events("1")))
		waiting := f.claims(1, "a: 1")
		f.holds("a", 1, `1`)
		f.ok(f.table.Settle(f.ctx, waiting))
		f.holds("a", 1, `1`)
		f.finds(store.Query{Index: "owner", Match: "o"}, "a")
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), body(`2`))))
	}},
	{"settled events are gone", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.insert(thing("b", events("1", "2")))
		f.ok(f.table.Settle(f.ctx, f.claims(2, "a: 1", "b: 1 2")))
		f.depth(0)
		f.claims(2)
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("3"))))
		f.claims(2, "a: 3")
	}},
	{"events that came after the claim outlive its settling", func(f *fixture) {
		f.insert(thing("a", events("1")))
		waiting := f.claims(1, "a: 1")
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("2", "3"))))
		f.ok(f.table.Settle(f.ctx, waiting))
		f.depth(2)
		f.holds("a", 2, `{"of":"a"}`)
		f.ok(f.table.Settle(f.ctx, f.claims(1, "a: 2 3")))
		f.depth(0)
	}},
	{"some events of a document can be settled alone", func(f *fixture) {
		f.insert(thing("a", events("1", "2", "3")))
		f.claims(1, "a: 1 2 3")
		f.ok(f.table.Settle(f.ctx, []store.Waiting{{DocumentID: "a", Events: []store.Event{{ID: "2"}}}}))
		f.depth(2)
		f.claims(1, "a: 1 3")
	}},
	{"settling what is gone is passed over", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.insert(thing("b", events("2")))
		waiting := f.claims(2, "a: 1", "b: 2")
		f.ok(f.table.Delete(f.ctx, "a", 0))
		f.depth(1)
		f.ok(f.table.Settle(f.ctx, waiting))
		f.ok(f.table.Settle(f.ctx, waiting))
		f.ok(f.table.Settle(f.ctx, nil))
		f.depth(0)
		f.missing("a")
	}},
	{"unsettled events survive a restart, in their order", func(f *fixture) {
		f.insert(thing("b", events("1")))
		f.insert(thing("a", events("2")))
		f.insert(thing("c", events("3")))
		f.ok(f.table.Settle(f.ctx, f.claims(1, "b: 1")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("4"))))
		f.reopen()
		f.depth(3)
		f.insert(thing("0", events("5")))
		f.claims(3, "a: 2 4", "c: 3", "0: 5")
	}},
	{"a settling that ends while changes append loses none of their events", func(f *fixture) { appendWhileSettling(f) }},
}

// appendWhileSettling lets a relay settle one document while others append to it, and counts what came through.
func appendWhileSettling(f *fixture) {
	const writers, changes = 4, 10
	f.insert(thing("a"))
	var (
		wg      sync.WaitGroup
		written = make(chan struct{})
	)
	for w := range writers {
		wg.Go(func() {
			for i := range changes {
				for {
					r, err := f.table.Get(f.ctx, "a")
					if err == nil {
						err = f.table.Replace(f.ctx, thing("a", at(r.Version), events(fmt.Sprintf("%d-%d", w, i))))
					}
					if err == nil {
						break
					}
					if !errors.Is(err, store.ErrConflict) {
						f.Errorf("replace: %v", err)
						return
					}
				}
			}
		})
	}
	go func() { wg.Wait(); close(written) }()
	var got []string
	last := false
	for deadline := time.Now().Add(patience); !last; {
		select {
		case <-written:
			last = true // What waits now is all that is left.
		default:
		}
		waiting, err := f.table.Claim(f.ctx, 1, patience)
		f.ok(err)
		for _, w := range waiting {
			for _, e := range w.Events {
				got = append(got, e.ID)
			}
		}
		f.ok(f.table.Settle(f.ctx, waiting))
		if time.Now().After(deadline) {
			f.Fatal("the writers did not end")
		}
	}
	f.depth(0)
	if len(got) != writers*changes {
		f.Fatalf("%d events came through, want %d", len(got), writers*changes)
	}
	for w := range writers {
		mine := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !strings.HasPrefix(id, fmt.Sprint(w, "-")) })
		for i, id := range mine {
			if id != fmt.Sprintf("%d-%d", w, i) {
				f.Fatalf("events of writer %d came as %v", w, mine)
			}
		}
	}
}

// claims claims with a lease that the test does not outlive, and checks what came, each written "document: event event".
func (f *fixture) claims(limit int, want ...string) []store.Waiting {
	f.Helper()
	return f.claimsFor(limit, 10*patience, want...)
}

func (f *fixture) claimsFor(limit int, lease time.Duration, want ...string) []store.Waiting {
	f.Helper()
	waiting, err := f.table.Claim(f.ctx, limit, lease)
	f.ok(err)
	var got []string
	for _, w := range waiting {
		text := w.DocumentID + ":"
		for _, e := range w.Events {
			text += " " + e.ID
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		f.Fatalf("claimed %q, want %q", got, want)
	}
	return waiting
}
