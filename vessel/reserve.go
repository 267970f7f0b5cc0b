package vessel

import (
	"context"
	"errors"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Reserve takes room for a booking: on the voyage it names, else on the first sailing that has room.
func (h *handler) Reserve(ctx context.Context, req *vesselpb.Reservation, rsp *vesselpb.Allocation) error {
	rule.NormalizeReservation(req)
	if err := fault.InvalidFields(rule.Reservation(req)); err != nil {
		return err
	}
	now := h.rooms.now()
	w := wish{
		need:      Need{Quarters: req.GetQuarters(), Weight: req.GetWeight()},
		from:      req.GetFrom(),
		to:        req.GetTo(),
		notBefore: now,
		now:       now,
	}
	if at := req.GetNotBefore(); at != nil && at.AsTime().After(w.notBefore) {
		w.notBefore = at.AsTime()
	}
	taken, err := h.take(ctx, req.GetVoyageId(), req.GetBookingId(), w)
	if err != nil {
		return err
	}
	rsp.BookingId = req.GetBookingId()
	rsp.VoyageId = taken.voyage
	rsp.VesselId = taken.vessel
	rsp.CarrierId = taken.carrier
	return nil
}

// take takes room on the voyage that is named, or else on the first that has some.
func (h *handler) take(ctx context.Context, voyage, booking string, w wish) (room, error) {
	if voyage != "" {
		return h.rooms.reserve(ctx, voyage, booking, w)
	}
	var taken room
	found, full := false, ""
	err := sailings(ctx, h.rooms.ledgers, w, func(l *Ledger, _ Span) (bool, error) {
		var err error
		taken, err = h.rooms.books.enter(ctx, l.VoyageID, booking, w)
		switch code := fault.CodeOf(err); {
		case errors.Is(err, errFull): // wait for it only if there is no other
			if full == "" {
				full = l.VoyageID
			}
			return false, nil
		case code == fault.NoCapacity, code == fault.WrongState, code == fault.Invalid:
			return false, nil // somebody was quicker, or it has just sailed: try the next
		}
		found = err == nil
		return true, err
	})
	switch {
	case err != nil || found:
		return taken, err
	case full != "":
		return h.rooms.reserve(ctx, full, booking, w)
	}
	return taken, errNoCapacity()
}

// Release gives back the room of a booking.
func (h *handler) Release(ctx context.Context, req *vesselpb.ReleaseRequest, _ *vesselpb.ReleaseResponse) error {
	if !rule.PlausibleID(req.GetBookingId()) {
		return fault.InvalidFields([]fault.Field{{Name: "booking_id", Rule: rule.Format, Message: "is not an id"}})
	}
	if req.GetVoyageId() != "" && !rule.PlausibleID(req.GetVoyageId()) {
		return fault.InvalidFields([]fault.Field{{Name: "voyage_id", Rule: rule.Format, Message: "is not an id"}})
	}
	return h.rooms.release(ctx, req.GetBookingId(), req.GetVoyageId())
}
