package vessel

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

// registrar takes and gives back room for bookings.
//
// A booking takes room in three steps, each one atomic write: its allocation is stored as INTENT; the ledger counts it and
// has it pending; the allocation becomes FIRM once the consignment service has confirmed the booking, and leaves the
// ledger's pending ones. It gives room back in four: RELEASING, out of the ledger's count, RELEASED, no longer pending.
// Whichever step a crash cuts off, settle.go finds the open end and goes on from there.
type registrar struct {
	allocations *store.Collection[Allocation]
	ledgers     *store.Collection[Ledger]
	books       *books
	now         func() time.Time
}

// reserve takes room for a booking on the legs of a certain voyage. The answer is nil only when the room is taken durably.
// Errors: not_found, wrong_state, no_capacity, unavailable.
func (r *registrar) reserve(ctx context.Context, booking string, n Need, s Span, l *Ledger) error {
	// Most refusals are decided here, on a ledger that was just read, and leave no trace.
	if !l.fits(n, s) {
		return errNoCapacity()
	}
	_, err := r.allocations.Insert(ctx, Allocation{
		BookingID: booking,
		VoyageID:  l.VoyageID,
		Need:      n,
		Span:      s,
		State:     StateIntent,
		CreatedAt: r.now().UTC(),
	})
	if err != nil && !store.IsDuplicate(err, store.ByID) {
		return err
	}
	// An intent that is refused now stays: only the consignment's end releases an allocation, and the settler will ask.
	return r.enter(ctx, l.VoyageID, booking)
}

// maxTurns is how often a booking waits for the settler to make place in a full ledger, a second in all.
const maxTurns = 10

// enter counts a booking in the ledger. Where that has as many bookings pending as it may, it waits its turn.
func (r *registrar) enter(ctx context.Context, voyage, booking string) error {
	for turn := 1; ; turn++ {
		err := r.books.enter(ctx, voyage, booking)
		if !errors.Is(err, errFull) || turn == maxTurns {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(settleEvery/2 + rand.N(settleEvery)): // apart from each other, so that not all come back at once
		}
	}
}

// resume goes on with an earlier attempt at the booking: it takes the room of a stored intent, if that can still be had, and
// says on which voyage. It is nil when there was no attempt, or none that can succeed. Errors: wrong_state, unavailable.
func (r *registrar) resume(ctx context.Context, booking string) (*Ledger, error) {
	allocations, err := r.of(ctx, booking)
	if err != nil {
		return nil, err
	}
	for _, a := range allocations {
		if a.Value.State == StateReleasing || a.Value.State == StateReleased {
			return nil, errReleased()
		}
		err := r.enter(ctx, a.Value.VoyageID, booking)
		if code := fault.CodeOf(err); code == fault.NoCapacity || code == fault.WrongState {
			continue
		}
		if err != nil {
			return nil, err
		}
		l, err := r.ledgers.Get(ctx, a.Value.VoyageID)
		return &l.Value, err
	}
	return nil, nil
}

// of are all allocations of a booking: one for each voyage that was tried.
func (r *registrar) of(ctx context.Context, booking string) ([]store.Document[Allocation], error) {
	var all []store.Document[Allocation]
	list := store.List[Allocation]{Index: byBooking, Match: booking, Limit: store.MaxBatch}
	for {
		page, err := r.allocations.Find(ctx, list)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if list.Cursor = page.Next; list.Cursor == "" {
			return all, nil
		}
	}
}

// release gives back everything that a booking took, and bars it from the voyages it had tried. The booking must be in a
// final state, REJECTED or CANCELLED. A reservation of it that is still on its way to a voyage it had not tried takes room
// there for as long as the settler needs to ask.
func (r *registrar) release(ctx context.Context, booking string) error {
	allocations, err := r.of(ctx, booking)
	if err != nil {
		return err
	}
	for _, a := range allocations {
		if err := r.releaseOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (r *registrar) releaseOne(ctx context.Context, a store.Document[Allocation]) error {
	if a.Value.State == StateReleased {
		return nil
	}
	_, err := r.allocations.Update(ctx, allocationID(a.Value.VoyageID, a.Value.BookingID), func(doc *store.Document[Allocation]) ([]store.Event, error) {
		if doc.Value.State == StateReleasing || doc.Value.State == StateReleased {
			return nil, store.ErrUnchanged
		}
		doc.Value.WasFirm = doc.Value.State == StateFirm
		doc.Value.State = StateReleasing
		return nil, nil
	})
	if err != nil {
		return err
	}
	if err := r.books.strike(ctx, a.Value.VoyageID, a.Value.BookingID); err != nil {
		return err
	}
	return r.released(ctx, a.Value.VoyageID, a.Value.BookingID)
}

// released writes through that the ledger has taken a booking out of its count. The ledger may forget it afterwards, which
// nobody has to wait for: the settler sees to it.
func (r *registrar) released(ctx context.Context, voyage, booking string) error {
	_, err := r.allocations.Update(ctx, allocationID(voyage, booking), func(doc *store.Document[Allocation]) ([]store.Event, error) {
		if doc.Value.State != StateReleasing {
			return nil, store.ErrUnchanged
		}
		doc.Value.State = StateReleased
		return nil, nil
	})
	return err
}

// firm writes through that a booking is confirmed on the voyage.
func (r *registrar) firm(ctx context.Context, a store.Document[Allocation]) error {
	a.Value.State = StateFirm
	_, err := r.allocations.Replace(ctx, a.Value, a.Version)
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody else goes on with it
	}
	return err
}
