package vessel

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

// registrar takes and gives back room for bookings.
//
// A booking takes room in one atomic write: the ledger counts it and has it pending. Once the consignment service has
// confirmed the booking, its allocation is inserted as FIRM and the ledger forgets it. It gives room back in four steps:
// the allocation is RELEASING, the ledger takes the booking out of its count, the allocation is RELEASED, the ledger
// forgets it. Whichever step a crash cuts off, settle.go finds the open end and goes on from there.
//
// Nothing is written before the room is taken, so a refusal costs no write and a booking half of what it would cost with an
// intent to find it by. It need not be found: a booking that took room and whose answer was lost is pending in the
// ledger it took it from, and is settled from there like any other.
type registrar struct {
	allocations *store.Collection[Allocation]
	ledgers     *store.Collection[Ledger]
	books       *books
	now         func() time.Time
}

// maxTurns is how often a booking waits for the settler to make place in a full ledger, two seconds in all.
const maxTurns = 40

// reserve takes room for a booking on a certain voyage. It returns without an error only when the room is taken durably; then
// repeating it takes nothing. Where a ledger has as many bookings pending as it may, the booking waits its turn.
// Errors: not_found, wrong_state, invalid, no_capacity, unavailable.
func (r *registrar) reserve(ctx context.Context, voyage, booking string, w wish) (room, error) {
	for turn := 1; ; turn++ {
		taken, err := r.books.enter(ctx, voyage, booking, w)
		if !errors.Is(err, errFull) || turn == maxTurns {
			return taken, err
		}
		// Apart from each other, so that not all come back at once.
		wait := time.NewTimer(settleRest/2 + rand.N(4*settleRest))
		select {
		case <-ctx.Done():
			wait.Stop()
			return room{}, err
		case <-wait.C:
		}
	}
}

// release gives back the room of a booking on a voyage and bars the booking from it; without a voyage, on all voyages that
// have it pending. The booking must be in a final state, REJECTED or CANCELLED. Room that a reservation takes which is still on
// its way, to a voyage that is not barred, is given back as soon as the settler has asked.
func (r *registrar) release(ctx context.Context, booking, voyage string) error {
	if voyage != "" {
		return r.releaseOn(ctx, voyage, booking)
	}
	list := store.List[Ledger]{
		Index: byPending,
		Match: "yes",
		Where: func(l *Ledger) bool { _, ok := l.Pending[booking]; return ok },
		Limit: 50,
	}
	for page, err := range r.ledgers.Pages(ctx, list) {
		if err != nil {
			return err
		}
		for _, l := range page.Items {
			if err := r.releaseOn(ctx, l.Value.VoyageID, booking); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *registrar) releaseOn(ctx context.Context, voyage, booking string) error {
	if err := r.releasing(ctx, voyage, booking); err != nil {
		return err
	}
	// Where there is no such voyage, which a booking may have asked for, there is nothing to give back.
	if err := r.books.strike(ctx, voyage, booking); err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return r.released(ctx, voyage, booking)
}

// releasing notes that a booking's room is being given back.
func (r *registrar) releasing(ctx context.Context, voyage, booking string) error {
	_, err := r.allocations.Insert(ctx, Allocation{
		BookingID: booking,
		VoyageID:  voyage,
		State:     StateReleasing,
		CreatedAt: r.now().UTC(),
	})
	if !store.IsDuplicate(err, store.ByID) {
		return err
	}
	_, err = r.allocations.Update(ctx, allocationID(voyage, booking), func(doc *store.Document[Allocation]) ([]store.Event, error) {
		if doc.Value.State != StateFirm {
			return nil, store.ErrUnchanged
		}
		doc.Value.WasFirm = true
		doc.Value.State = StateReleasing
		return nil, nil
	})
	return err
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

// firm writes through that bookings are confirmed on a voyage, which holds room for them. One about which somebody has decided
// already, or whose release has begun, is passed over.
func (r *registrar) firm(ctx context.Context, voyage string, bookings []string, holds map[string]Hold) error {
	list := make([]Allocation, len(bookings))
	for i, booking := range bookings {
		list[i] = Allocation{
			BookingID: booking,
			VoyageID:  voyage,
			State:     StateFirm,
			Need:      holds[booking].need(),
			Span:      holds[booking].span(),
			CreatedAt: r.now().UTC(),
		}
	}
	for len(list) > 0 {
		some := list[:min(len(list), store.MaxBatch)]
		added, err := r.allocations.InsertMany(ctx, some)
		if err == nil {
			list = list[added:]
			continue
		}
		if !store.IsDuplicate(err, store.ByID) {
			return err
		}
		// Where one is there already, many may be: a crash came before the ledger forgot them.
		if list, err = r.undecided(ctx, list[added:]); err != nil {
			return err
		}
	}
	return nil
}

// undecided are those allocations that are not there yet. The first is known to be.
func (r *registrar) undecided(ctx context.Context, list []Allocation) ([]Allocation, error) {
	rest := list[1:]
	ids := make([]string, min(len(rest), store.MaxBatch))
	for i := range ids {
		ids[i] = allocationID(rest[i].VoyageID, rest[i].BookingID)
	}
	found, err := r.allocations.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rest, func(a Allocation) bool {
		_, there := found[allocationID(a.VoyageID, a.BookingID)]
		return there
	}), nil
}
