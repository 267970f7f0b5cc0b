package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

var claimTests = []test{
	{"a claimed document is not claimed again, though it may be written", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.insert(thing("b", events("2")))
		f.claims(1, "a: 1")
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("3"))))
		f.claims(10, "b: 2")
		f.claims(10)
		f.depth(3)
	}},
	{"a claim that settles nothing ends and the events come again", func(f *fixture) {
		f.insert(thing("a", events("1")))
		waiting := f.claims(1, "a: 1")
		waiting[0].Events = nil
		f.ok(f.table.Settle(f.ctx, waiting))
		f.depth(1)
		f.claims(1, "a: 1")
	}},
	{"a claim ends with its lease and not before", func(f *fixture) {
		const lease = 300 * time.Millisecond
		f.insert(thing("a", events("1")))
		before := time.Now()
		f.claimsFor(1, lease, "a: 1")
		f.eventually("the lease ends", func() bool {
			waiting, err := f.table.Claim(f.ctx, 1, patience)
			f.ok(err)
			return len(waiting) == 1
		})
		// Clocks of databases may count whole milliseconds.
		if held := time.Since(before); held < lease-2*time.Millisecond {
			f.Fatalf("the claim ended after %v, its lease was %v", held, lease)
		}
		f.claims(1)
	}},
	{"a claim never takes more than its limit", func(f *fixture) {
		for i := range 5 {
			f.insert(thing(fmt.Sprint(i), events("e")))
		}
		f.claims(0)
		f.claims(2, "0: e", "1: e")
		f.claims(9, "2: e", "3: e", "4: e")
	}},
	{"claimers at the same time get different documents, and together all", func(f *fixture) {
		const documents = 120
		for i := range documents {
			f.insert(thing(fmt.Sprint(i), events("e")))
		}
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			times = map[string]int{}
		)
		for range 8 {
			wg.Go(func() {
				for {
					waiting, err := f.table.Claim(f.ctx, 7, 10*patience)
					if err != nil {
						f.Errorf("claim: %v", err)
						return
					}
					if len(waiting) == 0 {
						return
					}
					mu.Lock()
					for _, w := range waiting {
						times[w.DocumentID]++
					}
					mu.Unlock()
					if err := f.table.Settle(f.ctx, waiting); err != nil {
						f.Errorf("settle: %v", err)
					}
				}
			})
		}
		wg.Wait()
		for id, n := range times {
			if n != 1 {
				f.Errorf("%s was claimed %d times", id, n)
			}
		}
		if len(times) != documents {
			f.Errorf("%d documents were claimed, want %d", len(times), documents)
		}
		f.depth(0)
	}},
	{"a claim is open to an event written while it is looked for", func(f *fixture) {
		// Nothing may fall between the claims: whoever writes an event after the last claim is signalled.
		f.insert(thing("a", events("1")))
		waiting := f.claims(1, "a: 1")
		f.drain()
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), events("2"))))
		f.ok(f.table.Settle(f.ctx, waiting))
		f.signalled("events are left after the settling")
		f.claims(1, "a: 2")
	}},
	{"Signal receives after a change with events", func(f *fixture) {
		f.drain()
		f.insert(thing("a", events("1")))
		f.signalled("an insert brought an event")
		f.claims(1, "a: 1")
		f.drain()
		f.insert(thing("b"))
		f.ok(f.table.Replace(f.ctx, thing("b", at(1), events("2"))))
		f.signalled("a replace brought an event")
	}},
	{"Signal receives when a lease has ended", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.claimsFor(1, time.Minute, "a: 1")
		f.insert(thing("b", events("2")))
		f.claimsFor(1, 200*time.Millisecond, "b: 2")
		f.drain()
		f.eventually("the lease ends, is signalled and the event comes again", func() bool {
			f.signalled("a lease ended")
			waiting, err := f.table.Claim(f.ctx, 1, time.Minute)
			f.ok(err)
			return len(waiting) == 1 && waiting[0].DocumentID == "b"
		})
	}},
	{"Signal receives when a claim ended without settling", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.claims(1, "a: 1")
		f.drain()
		f.ok(f.table.Settle(f.ctx, []store.Waiting{{DocumentID: "a"}}))
		f.signalled("a claim was given back")
	}},
	{"Signal receives after a restart when events wait", func(f *fixture) {
		f.insert(thing("a", events("1")))
		f.reopen()
		f.signalled("an event waits from before")
		f.claims(1, "a: 1")
	}},
}

func (f *fixture) signalled(why string) {
	f.Helper()
	select {
	case <-f.table.Signal():
	case <-time.After(patience):
		f.Fatalf("no signal, though %s", why)
	}
}

// drain takes a signal that may be left from before.
func (f *fixture) drain() {
	select {
	case <-f.table.Signal():
	default:
	}
}
