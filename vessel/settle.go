package vessel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

const (
	// settleRest is the time between two looks at the bookings that this process's books have pending. It is about how long a
	// booking stays pending in normal running, and the shorter that is, the smaller are the ledgers.
	settleRest = 20 * time.Millisecond
	// sweepEvery is how often everything is gone over, also what other replicas and dead processes left behind.
	sweepEvery = time.Second
	// abandoned is the age at which an open end belongs to nobody any more: no request works that long on one. It is longer
	// than the consignment service's own such age.
	abandoned = 10 * time.Second
	// maxAsked is how many bookings are asked after at once.
	maxAsked = 500
	// settlers is how many bookings are released at once.
	settlers = 64
	// patience is how long a booking is left alone after it was asked for while its request was under way.
	patience = 5 * settleRest
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
	swept        time.Time
	// underWay are the pending bookings that were RECEIVED when they were last asked after, and when that may be done again.
	underWay map[string]time.Time
}

// look settles what this process's books have pending, and now and then everything.
func (s *settler) look(ctx context.Context) error {
	now := s.rooms.now()
	if now.Sub(s.swept).Abs() >= sweepEvery {
		s.swept = now
		s.underWay = map[string]time.Time{}
		return s.settle(ctx)
	}
	var failures []error
	for voyage, pending := range s.rooms.books.pending() {
		failures = append(failures, s.ledger(ctx, voyage, pending))
	}
	return errors.Join(failures...)
}

// settle goes over all open ends once.
func (s *settler) settle(ctx context.Context) error {
	return errors.Join(s.pending(ctx), s.releases(ctx), s.planned(ctx))
}

// pending goes over the bookings that ledgers have pending.
func (s *settler) pending(ctx context.Context) error {
	list := store.List[Ledger]{Index: byPending, Match: "yes", Limit: 50}
	var failures []error
	for page, err := range s.rooms.ledgers.Pages(ctx, list) {
		failures = append(failures, err)
		for _, l := range page.Items {
			failures = append(failures, s.ledger(ctx, l.Value.VoyageID, l.Value.Pending))
		}
	}
	return errors.Join(failures...)
}

// ledger settles what a voyage's ledger has pending, or had a moment ago: every step is decided anew on what it meets.
func (s *settler) ledger(ctx context.Context, voyage string, pending map[string]Hold) error {
	var counted, struck []string
	for booking, hold := range pending {
		switch {
		case hold.Released:
			struck = append(struck, booking)
		case !s.rooms.now().Before(s.underWay[booking]):
			counted = append(counted, booking)
		}
	}
	confirmed, given, failure := s.ask(ctx, voyage, counted)
	if failure != nil {
		// Of those that a crash cut off, the allocations say which way they go.
		struck = append(struck, counted...)
	}
	if err := s.rooms.firm(ctx, voyage, confirmed, pending); err != nil {
		return errors.Join(failure, err)
	}
	over, leaving, err := s.decided(ctx, voyage, struck, pending)
	leaving = append(leaving, given...)
	failure = errors.Join(failure, err, fanout.All(len(leaving), settlers, func(i int) error {
		return s.rooms.releaseOn(ctx, voyage, leaving[i])
	}))
	return errors.Join(failure, s.rooms.books.forget(ctx, voyage, slices.Concat(over, confirmed, leaving)))
}

// decided tells of pending bookings that have an allocation which of them the ledger may forget, and which are being released.
func (s *settler) decided(ctx context.Context, voyage string, bookings []string, pending map[string]Hold) (over, leaving []string, err error) {
	for some := range slices.Chunk(bookings, store.MaxBatch) {
		ids := make([]string, len(some))
		for i, booking := range some {
			ids[i] = allocationID(voyage, booking)
		}
		found, err := s.rooms.allocations.GetMany(ctx, ids)
		if err != nil {
			return over, leaving, err
		}
		for i, booking := range some {
			switch state := found[ids[i]].Value.State; {
			case state == StateFirm, state == StateReleased && pending[booking].Released:
				over = append(over, booking)
			case state == StateReleasing, state == StateReleased:
				leaving = append(leaving, booking)
			}
		}
	}
	return over, leaving, nil
}

// ask asks how bookings ended that a voyage has counted: confirmed on its voyage, or to be given up there. Those whose
// request is under way are in neither list.
func (s *settler) ask(ctx context.Context, voyage string, bookings []string) (confirmed, given []string, err error) {
	for some := range slices.Chunk(bookings, maxAsked) {
		outcomes, err := s.consignments.Settle(ctx, some)
		if err != nil {
			return confirmed, given, fmt.Errorf("ask how bookings ended: %w", err)
		}
		if len(outcomes) != len(some) {
			return confirmed, given, fmt.Errorf("asked after %d bookings, told of %d", len(some), len(outcomes))
		}
		for i, o := range outcomes {
			if o.GetBookingId() != some[i] {
				return confirmed, given, fmt.Errorf("asked after booking %s, told of %s", some[i], o.GetBookingId())
			}
			switch o.GetState() {
			case consignmentpb.State_RECEIVED: // its request is under way
				if s.underWay != nil {
					s.underWay[some[i]] = s.rooms.now().Add(patience)
				}
			case consignmentpb.State_CONFIRMED, consignmentpb.State_COMPLETED:
				if o.GetVoyageId() == voyage {
					confirmed = append(confirmed, some[i])
				} else {
					given = append(given, some[i]) // it found room on another voyage
				}
			case consignmentpb.State_REJECTED, consignmentpb.State_CANCELLED:
				given = append(given, some[i])
			default:
				return confirmed, given, fmt.Errorf("booking %s: unknown state %s", some[i], o.GetState())
			}
		}
	}
	return confirmed, given, nil
}

// releases finishes releases that no request is working on any more.
func (s *settler) releases(ctx context.Context) error {
	until := store.TimeOrder(s.rooms.now().Add(-abandoned))
	list := store.List[Allocation]{Index: byOpenEnd, Match: "yes", Until: until, Limit: maxAsked}
	var failures []error
	for page, err := range s.rooms.allocations.Pages(ctx, list) {
		failures = append(failures, err, fanout.All(len(page.Items), settlers, func(i int) error {
			a := &page.Items[i].Value
			if err := s.rooms.releaseOn(ctx, a.VoyageID, a.BookingID); err != nil {
				return err
			}
			err := s.rooms.books.forget(ctx, a.VoyageID, []string{a.BookingID})
			if errors.Is(err, fault.NotFound) { // nor is there anything to forget it
				return nil
			}
			return err
		}))
	}
	return errors.Join(failures...)
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
	for page, err := range s.fleet.voyages.Pages(ctx, list) {
		failures = append(failures, err)
		for _, v := range page.Items {
			failures = append(failures, s.fleet.mend(ctx, v))
		}
	}
	return errors.Join(failures...)
}
