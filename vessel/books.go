package vessel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// maxGathered is how many bookings of one voyage are decided about in one write.
	maxGathered = 256
	// decideTimeout bounds the work on one gathered write, which no single caller's deadline may cut short for the others.
	decideTimeout = 5 * time.Second
	// maxKept is how many ledgers are kept in memory as they were last written.
	maxKept = 256
)

// books changes ledgers. Changes of one voyage that come at once are gathered and decided in one write, so that a voyage
// everybody wants does not wait for the disk once per booking. Rivals in other replicas are met by compare-and-set.
//
// Every decision follows one rule: know the ledger, then read the allocations, then write the ledger if it is still the one
// that was known. So when a ledger no longer has a booking pending, its allocation was written before, and this read sees
// it. A decision that writes nothing, such as a refusal, has no such check, so it counts only on a ledger that was just read.
type books struct {
	ledgers     *store.Collection[Ledger]
	allocations *store.Collection[Allocation]
	now         func() time.Time

	mu     sync.Mutex
	queues map[string]*queue // by voyage, those with work
	// kept are ledgers as this process last wrote them. While a queue has work its ledger is the queue's alone.
	kept map[string]store.Document[Ledger]
	// open is what voyages had pending when this process last wrote their ledgers. The inner maps are never changed.
	open map[string]map[string]Hold
}

func newBooks(ledgers *store.Collection[Ledger], allocations *store.Collection[Allocation], now func() time.Time) *books {
	return &books{
		ledgers:     ledgers,
		allocations: allocations,
		now:         now,
		queues:      map[string]*queue{},
		kept:        map[string]store.Document[Ledger]{},
		open:        map[string]map[string]Hold{},
	}
}

// queue gathers the changes of one voyage while a write is under way.
type queue struct {
	waiting []*change
}

// change is one change that somebody waits for.
type change struct {
	bookings []string
	decide   decision
	done     chan error
}

// decision changes a ledger, given the allocations of the change's bookings as they are now: nil for those that have none.
// When it reports no change, it has made none.
type decision func(l *Ledger, allocation func(booking string) *Allocation) (changed bool, err error)

// room says where a booking has its room.
type room struct{ voyage, vessel, carrier string }

// enter counts a booking. When it returns without an error the room is taken durably.
// Errors: not_found, wrong_state, invalid, no_capacity, unavailable.
func (b *books) enter(ctx context.Context, voyage, booking string, w wish) (room, error) {
	var taken room
	err := b.submit(ctx, voyage, []string{booking}, func(l *Ledger, allocation func(string) *Allocation) (bool, error) {
		taken = room{l.VoyageID, l.VesselID, l.OwnerID}
		return l.enter(booking, w, allocation(booking), b.now())
	})
	if err != nil {
		return room{}, err
	}
	return taken, nil
}

// strike takes a booking out of the count if its allocation is being, or was, released. Repeating it is harmless.
func (b *books) strike(ctx context.Context, voyage, booking string) error {
	return b.submit(ctx, voyage, []string{booking}, func(l *Ledger, allocation func(string) *Allocation) (bool, error) {
		a := allocation(booking)
		if a == nil || a.State == StateFirm {
			return false, nil
		}
		return l.strike(booking, a)
	})
}

// forget drops those bookings from the ledger whose allocations carry what it did; others stay.
func (b *books) forget(ctx context.Context, voyage string, bookings []string) error {
	for len(bookings) > 0 {
		some := bookings[:min(len(bookings), maxGathered)]
		bookings = bookings[len(some):]
		err := b.submit(ctx, voyage, some, func(l *Ledger, allocation func(string) *Allocation) (bool, error) {
			changed := false
			for _, booking := range some {
				changed = l.forget(booking, allocation(booking)) || changed
			}
			return changed, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close keeps further bookings out. When it returns nil, nothing comes in any more; repeating it is harmless.
// Errors: not_found.
func (b *books) close(ctx context.Context, voyage string) error {
	return b.submit(ctx, voyage, nil, func(l *Ledger, _ func(string) *Allocation) (bool, error) {
		changed := !l.Closed
		l.Closed = true
		return changed, nil
	})
}

// pending is what voyages had pending when this process last wrote their ledgers. Another replica may have settled some of it
// since; forgetting that is what tells this one. Nobody may change the maps.
func (b *books) pending() map[string]map[string]Hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.open)
}

func (b *books) submit(ctx context.Context, voyage string, bookings []string, decide decision) error {
	c := &change{bookings: bookings, decide: decide, done: make(chan error, 1)}
	b.mu.Lock()
	q, busy := b.queues[voyage]
	if !busy {
		q = &queue{}
		b.queues[voyage] = q
	}
	q.waiting = append(q.waiting, c)
	b.mu.Unlock()
	if !busy {
		// The work outlives the caller that happened to start it: others are waiting for it too.
		go b.work(context.WithoutCancel(ctx), voyage, q)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work decides what waits in a queue until nothing does.
func (b *books) work(ctx context.Context, voyage string, q *queue) {
	b.mu.Lock()
	known := b.kept[voyage]
	delete(b.kept, voyage)
	b.mu.Unlock()
	for {
		gathered := b.gather(voyage, q, known)
		if len(gathered) == 0 {
			return
		}
		results, written, err := b.survive(ctx, voyage, gathered, known)
		known = written
		for i, c := range gathered {
			if err != nil {
				c.done <- err
			} else {
				c.done <- results[i]
			}
		}
	}
}

// survive is decide, whose panic becomes the error of those who wait for it.
func (b *books) survive(ctx context.Context, voyage string, gathered []*change, known store.Document[Ledger]) (results []error, written store.Document[Ledger], err error) {
	defer func() {
		if v := recover(); v != nil {
			written, err = store.Document[Ledger]{}, fmt.Errorf("panic while changing the ledger of voyage %s: %v\n%s", voyage, v, debug.Stack())
		}
	}()
	return b.decide(ctx, voyage, gathered, known)
}

// gather takes the next changes out of a queue. When there are none it ends the queue and keeps what is known of the ledger.
func (b *books) gather(voyage string, q *queue, known store.Document[Ledger]) []*change {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case known.Version > 0 && len(known.Value.Pending) == 0:
		delete(b.open, voyage)
	case known.Version > 0:
		b.open[voyage] = maps.Clone(known.Value.Pending) // the work on known goes on
	}
	n, bookings := 0, 0
	for n < len(q.waiting) && (n == 0 || bookings+len(q.waiting[n].bookings) <= maxGathered) {
		bookings += len(q.waiting[n].bookings)
		n++
	}
	gathered := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	if n > 0 {
		return gathered
	}
	delete(b.queues, voyage)
	if known.Version > 0 {
		if len(b.kept) >= maxKept {
			for some := range b.kept {
				delete(b.kept, some)
				break
			}
		}
		b.kept[voyage] = known
	}
	return nil
}

// decide makes the gathered decisions in one write of the ledger, anew when a rival's write came first, and returns the
// ledger as it is then. known is the ledger as it was last written here, its version 0 when that is not known. The error
// means that the outcome of all decisions is unknown, and so is the ledger.
func (b *books) decide(ctx context.Context, voyage string, gathered []*change, known store.Document[Ledger]) ([]error, store.Document[Ledger], error) {
	unknown := store.Document[Ledger]{}
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	var ids []string
	for _, c := range gathered {
		for _, booking := range c.bookings {
			ids = append(ids, allocationID(voyage, booking))
		}
	}
	for justRead := false; ; {
		if known.Version == 0 {
			var err error
			known, err = b.ledgers.Get(ctx, voyage)
			if errors.Is(err, store.ErrNotFound) {
				return nil, unknown, errNoVoyage()
			}
			if err != nil {
				return nil, unknown, err
			}
			justRead = true
		}
		allocations, err := b.allocations.GetMany(ctx, ids)
		if err != nil {
			return nil, unknown, err
		}
		allocation := func(booking string) *Allocation {
			if doc, ok := allocations[allocationID(voyage, booking)]; ok {
				return &doc.Value
			}
			return nil
		}
		results := make([]error, len(gathered))
		changed := false
		for i, c := range gathered {
			did, err := c.decide(&known.Value, allocation)
			results[i] = err
			changed = changed || did
		}
		if !changed && justRead {
			return results, known, nil
		}
		if changed {
			written, err := b.ledgers.Replace(ctx, known.Value, known.Version)
			if !errors.Is(err, store.ErrConflict) {
				return results, written, err // no document when it failed
			}
			if err := ctx.Err(); err != nil {
				return nil, unknown, err
			}
		}
		known = unknown
	}
}

func errNoVoyage() error { return fault.New(fault.NotFound, "there is no such voyage") }
