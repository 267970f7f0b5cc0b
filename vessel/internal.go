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
	if err := fault.InvalidFields(rule.Reservation(req)); err != nil {
		return err
	}
	taken, err := h.held(ctx, req.GetBookingId())
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

func (h *handler) take(ctx context.Context, req *vesselpb.Reservation) (*Ledger, error) {
	w := wish{
		need: Need{Quarters: req.GetQuarters(), Weight: req.GetWeight()},
		from: req.GetFrom(),
		to:   req.GetTo(),
	}
	if req.GetVoyageId() != "" {
		return h.takeOn(ctx, req.GetVoyageId(), req.GetBookingId(), w)
	}
	w.notBefore = h.now() // what has sailed takes nobody along
	if at := req.GetNotBefore(); at != nil && at.AsTime().After(w.notBefore) {
		w.notBefore = at.AsTime()
	}
	var taken *Ledger
	err := sailings(ctx, h.ledgers, w, func(l *Ledger) (bool, error) {
		err := h.reserve(ctx, req.GetBookingId(), w.need, l)
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

// takeOn takes room on a certain voyage.
func (h *handler) takeOn(ctx context.Context, voyage, booking string, w wish) (*Ledger, error) {
	ledger, err := h.ledgers.Get(ctx, voyage)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoVoyage()
	}
	if err != nil {
		return nil, err
	}
	if w.from != "" && !ledger.Value.calls(w.from, w.to) {
		return nil, fault.InvalidFields([]fault.Field{{Name: "voyage_id", Rule: "route", Message: "the voyage does not sail from " + w.from + " to " + w.to}})
	}
	return &ledger.Value, h.reserve(ctx, booking, w.need, &ledger.Value)
}

// Release gives back all that a booking took.
func (h *handler) Release(ctx context.Context, req *vesselpb.ReleaseRequest, _ *vesselpb.ReleaseResponse) error {
	if req.GetBookingId() == "" {
		return fault.InvalidFields([]fault.Field{{Name: "booking_id", Rule: "required", Message: "is required"}})
	}
	return h.release(ctx, req.GetBookingId())
}
