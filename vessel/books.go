package vessel

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// maxGathered is how many changes of one voyage are decided in one write.
	maxGathered = 256
	// decideTimeout bounds the work on one gathered write, which no single caller's deadline may cut short for the others.
	decideTimeout = 5 * time.Second
)

// books changes ledgers. Changes of one voyage that come at once are gathered and decided in one write, so that a voyage
// everybody wants does not wait for the disk once per booking. Rivals in other replicas are met by compare-and-set.
//
// Every decision follows one rule: read the ledger, then the allocations, then write the ledger if it is still the one
// read. So when a ledger no longer has a booking pending, its allocation was written before, and this read sees it.
type books struct {
	ledgers     *store.Collection[Ledger]
	allocations *store.Collection[Allocation]
	now         func() time.Time

	mu     sync.Mutex
	queues map[string]*queue // by voyage, those with work
}

func newBooks(ledgers *store.Collection[Ledger], allocations *store.Collection[Allocation], now func() time.Time) *books {
	return &books{ledgers: ledgers, allocations: allocations, now: now, queues: map[string]*queue{}}
}

// queue gathers the changes of one voyage while a write is under way.
type queue struct {
	waiting []*change
}

// change is one change that somebody waits for.
type change struct {
	booking string
	decide  decision
	done    chan error
}

// decision changes a ledger for a booking, given the booking's allocation as it is now: nil when there is none.
type decision func(l *Ledger, a *Allocation) (changed bool, err error)

// enter counts a booking whose intent is stored. When it returns nil the room is taken durably.
// Errors: not_found, wrong_state, no_capacity, unavailable.
func (b *books) enter(ctx context.Context, voyage, booking string) error {
	return b.submit(ctx, voyage, booking, func(l *Ledger, a *Allocation) (bool, error) {
		switch {
		case a == nil:
			return false, errReleased()
		case a.State == StateFirm:
			return false, nil
		case a.State != StateIntent:
			return false, errReleased()
		}
		return l.enter(booking, a.Need, a.Span, b.now())
	})
}

// strike takes a booking out of the count; its allocation is RELEASING. Repeating it is harmless.
func (b *books) strike(ctx context.Context, voyage, booking string) error {
	return b.submit(ctx, voyage, booking, func(l *Ledger, a *Allocation) (bool, error) {
		if a == nil || a.State != StateReleasing {
			return false, nil
		}
		return l.strike(booking, a.Need, a.Span, a.WasFirm)
	})
}

// forget drops bookings from the ledger whose allocations carry what it did; others stay.
func (b *books) forget(ctx context.Context, voyage, booking string) error {
	return b.submit(ctx, voyage, booking, func(l *Ledger, a *Allocation) (bool, error) {
		entry := l.Pending[booking]
		firm := entry == Reserved && a != nil && a.State == StateFirm
		gone := entry == Released && a != nil && a.State == StateReleased
		if !firm && !gone {
			return false, nil
		}
		return l.forget(booking), nil
	})
}

// close keeps further bookings out. When it returns nil, nothing comes in any more; repeating it is harmless.
// Errors: not_found.
func (b *books) close(ctx context.Context, voyage string) error {
	return b.submit(ctx, voyage, "", func(l *Ledger, _ *Allocation) (bool, error) {
		changed := !l.Closed
		l.Closed = true
		return changed, nil
	})
}

func (b *books) submit(ctx context.Context, voyage, booking string, decide decision) error {
	r := &change{booking: booking, decide: decide, done: make(chan error, 1)}
	b.mu.Lock()
	q, busy := b.queues[voyage]
	if !busy {
		q = &queue{}
		b.queues[voyage] = q
	}
	q.waiting = append(q.waiting, r)
	b.mu.Unlock()
	if !busy {
		// The work outlives the caller that happened to start it: others are waiting for it too.
		go b.work(context.WithoutCancel(ctx), voyage, q)
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work decides what waits in a queue until nothing does.
func (b *books) work(ctx context.Context, voyage string, q *queue) {
	for {
		b.mu.Lock()
		n := min(len(q.waiting), maxGathered)
		if n == 0 {
			delete(b.queues, voyage)
			b.mu.Unlock()
			return
		}
		gathered := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		b.mu.Unlock()

		results, err := b.decide(ctx, voyage, gathered)
		for i, r := range gathered {
			if err != nil {
				r.done <- err
			} else {
				r.done <- results[i]
			}
		}
	}
}

// decide makes the gathered decisions in one write of the ledger, anew when a rival's write came first. Its error means
// that the outcome of all of them is unknown.
func (b *books) decide(ctx context.Context, voyage string, gathered []*change) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	ids := make([]string, len(gathered))
	for i, r := range gathered {
		ids[i] = allocationID(voyage, r.booking)
	}
	for {
		ledger, err := b.ledgers.Get(ctx, voyage)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNoVoyage()
		}
		if err != nil {
			return nil, err
		}
		allocations, err := b.allocations.GetMany(ctx, ids)
		if err != nil {
			return nil, err
		}
		results := make([]error, len(gathered))
		changed := false
		for i, r := range gathered {
			var a *Allocation
			if doc, ok := allocations[ids[i]]; ok {
				a = &doc.Value
			}
			did, err := r.decide(&ledger.Value, a)
			results[i] = err
			changed = changed || did
		}
		if !changed {
			return results, nil
		}
		_, err = b.ledgers.Replace(ctx, ledger.Value, ledger.Version)
		if !errors.Is(err, store.ErrConflict) {
			return results, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func errNoVoyage() error { return fault.New(fault.NotFound, "there is no such voyage") }
