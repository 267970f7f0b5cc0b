package vessel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

const (
	// settleEvery is how often open ends are looked for. It is also how long a booking stays pending in normal running.
	settleEvery = 100 * time.Millisecond
	// abandoned is the age at which an open end belongs to nobody any more: no request works that long on one. It is longer
	// than the consignment service's own such age.
	abandoned = 10 * time.Second
	// maxAsked is how many bookings are asked after at once.
	maxAsked = 500
	// settlers is how many allocations are written at once.
	settlers = 64
)

// Consignments is what the settler asks of the consignment service: how bookings ended.
type Consignments interface {
	Settle(ctx context.Context, bookings []string) ([]*consignmentpb.Outcome, error)
}

// settler finishes what is open: bookings that were confirmed become FIRM, those that were not give their room back, half
// made voyages are opened. It is the normal end of every booking, not only of those that a crash cut off, so there is one
// way for both and it is always in use.
//
// What becomes of a booking is never decided here. The consignment document is the truth, and it alone is asked.
type settler struct {
	rooms        *registrar
	fleet        *fleet
	consignments Consignments
}

// settle goes over all open ends once.
func (s *settler) settle(ctx context.Context) error {
	return errors.Join(s.pending(ctx), s.openEnds(ctx), s.planned(ctx))
}

// pending goes over the bookings that ledgers have pending.
func (s *settler) pending(ctx context.Context) error {
	list := store.List[Ledger]{Index: byPending, Match: "yes", Limit: 50}
	var failures []error
	for {
		page, err := s.rooms.ledgers.Find(ctx, list)
		if err != nil {
			return err
		}
		for _, l := range page.Items {
			failures = append(failures, s.ledger(ctx, &l.Value))
		}
		if page.Next == "" {
			return errors.Join(failures...)
		}
		list.Cursor = page.Next
	}
}

// ledger settles what one ledger has pending.
func (s *settler) ledger(ctx context.Context, l *Ledger) error {
	ids := make([]string, 0, len(l.Pending))
	for booking := range l.Pending {
		ids = append(ids, allocationID(l.VoyageID, booking))
	}
	var open, written []store.Document[Allocation]
	for len(ids) > 0 {
		n := min(len(ids), store.MaxBatch)
		found, err := s.rooms.allocations.GetMany(ctx, ids[:n])
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, a := range found {
			if a.Value.State == StateIntent || a.Value.State == StateReleasing {
				open = append(open, a)
			} else {
				written = append(written, a)
			}
		}
	}
	settled, err := s.finish(ctx, open)
	return errors.Join(err, s.forget(ctx, append(written, settled...)))
}

// openEnds goes over allocations that no request is working on any more: intents that no ledger has pending, because they
// were refused or the process died, and releases that were cut off.
func (s *settler) openEnds(ctx context.Context) error {
	until := store.TimeOrder(s.rooms.now().Add(-abandoned))
	list := store.List[Allocation]{Index: byOpenEnd, Match: "yes", Until: until, Limit: maxAsked}
	var failures []error
	for {
		page, err := s.rooms.allocations.Find(ctx, list)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		settled, err := s.finish(ctx, page.Items)
		failures = append(failures, err, s.forget(ctx, settled))
		if page.Next == "" {
			return errors.Join(failures...)
		}
		list.Cursor = page.Next
	}
}

// finish brings open allocations to their end where their bookings have come to one, and returns those that it did.
func (s *settler) finish(ctx context.Context, open []store.Document[Allocation]) ([]store.Document[Allocation], error) {
	var settled []store.Document[Allocation]
	for len(open) > 0 {
		n := min(len(open), maxAsked)
		some, err := s.ask(ctx, open[:n])
		settled = append(settled, some...)
		if err != nil {
			return settled, err
		}
		open = open[n:]
	}
	return settled, nil
}

func (s *settler) ask(ctx context.Context, open []store.Document[Allocation]) ([]store.Document[Allocation], error) {
	bookings := make([]string, len(open))
	for i, a := range open {
		bookings[i] = a.Value.BookingID
	}
	outcomes, err := s.consignments.Settle(ctx, bookings)
	if err != nil {
		return nil, fmt.Errorf("ask how bookings ended: %w", err)
	}
	if len(outcomes) != len(open) {
		return nil, fmt.Errorf("asked after %d bookings, told of %d", len(open), len(outcomes))
	}
	ended := make([]bool, len(open))
	err = fanout.All(len(open), settlers, func(i int) (err error) {
		ended[i], err = s.end(ctx, open[i], outcomes[i])
		return err
	})
	var settled []store.Document[Allocation]
	for i, a := range open {
		if ended[i] {
			settled = append(settled, a)
		}
	}
	return settled, err
}

// end applies a booking's outcome to one of its allocations.
func (s *settler) end(ctx context.Context, a store.Document[Allocation], o *consignmentpb.Outcome) (bool, error) {
	if o.GetBookingId() != a.Value.BookingID {
		return false, fmt.Errorf("asked after booking %s, told of %s", a.Value.BookingID, o.GetBookingId())
	}
	switch o.GetState() {
	case consignmentpb.State_RECEIVED:
		return false, nil // its request is under way
	case consignmentpb.State_CONFIRMED, consignmentpb.State_COMPLETED:
		if o.GetVoyageId() != a.Value.VoyageID {
			return true, s.rooms.releaseOne(ctx, a) // it found room on another voyage
		}
		if a.Value.State != StateIntent {
			return false, fmt.Errorf("allocation %s/%s is %s but its booking is confirmed", a.Value.VoyageID, a.Value.BookingID, a.Value.State)
		}
		return true, s.rooms.firm(ctx, a)
	case consignmentpb.State_REJECTED, consignmentpb.State_CANCELLED:
		return true, s.rooms.releaseOne(ctx, a)
	}
	return false, fmt.Errorf("booking %s: unknown state %s", o.GetBookingId(), o.GetState())
}

// forget lets ledgers forget bookings whose allocations carry what they did.
func (s *settler) forget(ctx context.Context, written []store.Document[Allocation]) error {
	return fanout.All(len(written), maxGathered, func(i int) error {
		return s.rooms.books.forget(ctx, written[i].Value.VoyageID, written[i].Value.BookingID)
	})
}

// planned mends voyages that a crash left half made.
func (s *settler) planned(ctx context.Context) error {
	list := store.List[Voyage]{
		Index: byState,
		Match: string(Planned),
		Where: func(v *Voyage) bool { return s.rooms.now().Sub(v.CreatedAt).Abs() > abandoned },
		Limit: 100,
	}
	var failures []error
	for {
		page, err := s.fleet.voyages.Find(ctx, list)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		for _, v := range page.Items {
			failures = append(failures, s.fleet.mend(ctx, v))
		}
		if page.Next == "" {
			return errors.Join(failures...)
		}
		list.Cursor = page.Next
	}
}
