package vessel

import (
	"context"
	"errors"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Reserve takes room for a booking: on the voyage it names, else on the first sailing that has room.
func (h *handler) Reserve(ctx context.Context, req *vesselpb.Reservation, rsp *vesselpb.Allocation) error {
	rule.NormalizeReservation(req)
	if err := fault.InvalidFields(rule.Reservation(req)); err != nil {
		return err
	}
	taken, err := h.rooms.resume(ctx, req.GetBookingId())
	if err != nil {
		return err
	}
	if taken == nil {
		if taken, err = h.take(ctx, req); err != nil {
			return err
		}
	}
	rsp.BookingId = req.GetBookingId()
	rsp.VoyageId = taken.VoyageID
	rsp.VesselId = taken.VesselID
	rsp.CarrierId = taken.OwnerID
	return nil
}

// take finds a voyage for a booking that has none and takes room on it.
func (h *handler) take(ctx context.Context, req *vesselpb.Reservation) (*Ledger, error) {
	w := wish{
		need:      Need{Quarters: req.GetQuarters(), Weight: req.GetWeight()},
		from:      req.GetFrom(),
		to:        req.GetTo(),
		notBefore: h.rooms.now(),
	}
	if at := req.GetNotBefore(); at != nil && at.AsTime().After(w.notBefore) {
		w.notBefore = at.AsTime()
	}
	if req.GetVoyageId() != "" {
		return h.takeOn(ctx, req.GetVoyageId(), req.GetBookingId(), w)
	}
	var taken *Ledger
	err := sailings(ctx, h.rooms.ledgers, w, func(l *Ledger, s Span) (bool, error) {
		err := h.rooms.reserve(ctx, req.GetBookingId(), w.need, s, l)
		if code := fault.CodeOf(err); code == fault.NoCapacity || code == fault.WrongState {
			return false, nil // somebody was quicker: try the next
		}
		taken = l
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if taken == nil {
		return nil, errNoCapacity()
	}
	return taken, nil
}

// takeOn takes room on a certain voyage. Errors: not_found, invalid when it does not sail as the booking asks, no_capacity,
// wrong_state, unavailable.
func (h *handler) takeOn(ctx context.Context, voyage, booking string, w wish) (*Ledger, error) {
	ledger, err := h.rooms.ledgers.Get(ctx, voyage)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoVoyage()
	}
	if err != nil {
		return nil, err
	}
	if len(ledger.Value.spans(w)) == 0 {
		return nil, fault.InvalidFields([]fault.Field{{
			Name: "voyage_id", Rule: rule.Route, Message: "the voyage has sailed already, or does not sail on the way and by the time asked for",
		}})
	}
	span, ok := ledger.Value.place(w)
	if !ok {
		return nil, errNoCapacity()
	}
	return &ledger.Value, h.rooms.reserve(ctx, booking, w.need, span, &ledger.Value)
}

// Release gives back all that a booking took.
func (h *handler) Release(ctx context.Context, req *vesselpb.ReleaseRequest, _ *vesselpb.ReleaseResponse) error {
	if !rule.PlausibleID(req.GetBookingId()) {
		return fault.InvalidFields([]fault.Field{{Name: "booking_id", Rule: rule.Format, Message: "is not an id"}})
	}
	return h.rooms.release(ctx, req.GetBookingId())
}
