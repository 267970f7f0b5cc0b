package consignment

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

const (
	// bookingTimeout is the longest that a request may take to find room, rejectTimeout the longest to give up after that.
	bookingTimeout = 5 * time.Second
	rejectTimeout  = 2 * time.Second
	// abandoned is the age at which a booking that is still RECEIVED belongs to no request any more. The vessel service's own
	// such age is longer, so by then this service has decided.
	abandoned = bookingTimeout + rejectTimeout + time.Second
	// together is how many bookings are ended at once, so that their writes share commits.
	together = 64
)

// Vessels is what booking asks of the vessel service.
type Vessels interface {
	Reserve(ctx context.Context, r *vesselpb.Reservation) (*vesselpb.Allocation, error)
	Release(ctx context.Context, booking string) error
}

// desk books and cancels.
//
// A booking is stored as RECEIVED, the vessel service takes the room, the booking becomes CONFIRMED: in this order, so that
// a confirmed booking has its room at every moment. When the vessel service refuses, or cannot be asked, or does not answer,
// the booking becomes REJECTED. The vessel service asks before it gives room back, and so releases what it may have taken
// after that, never before. When a crash cuts this off, the booking stays RECEIVED until no request can be working on it and
// is then rejected as well. Each move is a compare-and-set, so a request that comes late finds its booking rejected and
// cannot confirm it, or has confirmed it and it stays.
type desk struct {
	consignments *store.Collection[Consignment]
	vessels      Vessels
	now          func() time.Time
}

// book stores a booking and finds room for it. quarters is what it needs, in quarters of a TEU. It goes on when its caller
// goes away: to finish takes milliseconds, to clean up after half of it takes longer.
//
// Errors: no_capacity, not_found (voyage), wrong_state, invalid, unavailable and the like: the booking is kept as REJECTED.
func (d *desk) book(ctx context.Context, c Consignment, quarters int64) (store.Document[Consignment], error) {
	asked := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(asked), bookingTimeout)
	defer cancel()
	c.State = Received
	c.CreatedAt = d.now().UTC()
	c.TraceParent, _ = trace.Headers(ctx)
	received, err := d.event(ctx, &c, "received", 1, map[string]any{
		"weight": c.Weight, "containers": len(c.Containers), "quarter_teu": quarters,
	})
	if err != nil {
		return store.Document[Consignment]{}, err
	}
	doc, err := d.consignments.Insert(ctx, c, received)
	if err != nil {
		return doc, err
	}
	room, err := d.vessels.Reserve(ctx, reservation(&c, quarters))
	if err == nil {
		return d.confirm(ctx, doc, room)
	}
	late, cancelLate := context.WithTimeout(context.WithoutCancel(asked), rejectTimeout)
	defer cancelLate()
	if _, failed := d.reject(late, doc.Value.ID, fault.CodeOf(err)); failed != nil && !errors.Is(failed, fault.WrongState) {
		return doc, errors.Join(err, failed)
	}
	return doc, err
}

func reservation(c *Consignment, quarters int64) *vesselpb.Reservation {
	r := &vesselpb.Reservation{
		BookingId: c.ID,
		Quarters:  quarters,
		Weight:    int64(c.Weight),
		VoyageId:  c.VoyageID,
		From:      c.From,
		To:        c.To,
	}
	if !c.NotBefore.IsZero() {
		r.NotBefore = timestamppb.New(c.NotBefore)
	}
	return r
}

// confirm moves a booking whose room is taken. When it was rejected or cancelled meanwhile the room is given back by the
// vessel service, which asks.
func (d *desk) confirm(ctx context.Context, doc store.Document[Consignment], room *vesselpb.Allocation) (store.Document[Consignment], error) {
	c := doc.Value
	if err := c.move(Confirmed); err != nil {
		return doc, err
	}
	c.VoyageID, c.VesselID, c.CarrierID = room.GetVoyageId(), room.GetVesselId(), room.GetCarrierId()
	confirmed, err := d.event(ctx, &c, "confirmed", doc.Version+1, map[string]any{
		"voyage_id": c.VoyageID, "vessel_id": c.VesselID,
	})
	if err != nil {
		return doc, err
	}
	next, err := d.consignments.Replace(ctx, c, doc.Version, confirmed)
	if errors.Is(err, store.ErrConflict) {
		return doc, fault.Wrap(fault.WrongState, err, "the booking was cancelled, or took too long and was rejected")
	}
	return next, err
}

// reject moves a booking that is still RECEIVED to REJECTED. Errors: wrong_state when it is something else by now.
func (d *desk) reject(ctx context.Context, id string, reason fault.Code) (store.Document[Consignment], error) {
	return d.consignments.Update(ctx, id, func(doc *store.Document[Consignment]) ([]store.Event, error) {
		if err := doc.Value.move(Rejected); err != nil {
			return nil, err
		}
		doc.Value.Reason = string(reason)
		rejected, err := d.event(ctx, &doc.Value, "rejected", doc.Version, map[string]any{"reason": reason})
		return []store.Event{rejected}, err
	})
}

// cancel moves a booking to CANCELLED and gives its room back before it returns. Repeating it is harmless.
// Errors: wrong_state; after unavailable and the like the booking may be cancelled, and its room is given back later.
func (d *desk) cancel(ctx context.Context, id string) (store.Document[Consignment], error) {
	doc, err := d.consignments.Update(ctx, id, func(doc *store.Document[Consignment]) ([]store.Event, error) {
		if doc.Value.State == Cancelled {
			return nil, store.ErrUnchanged
		}
		if err := doc.Value.move(Cancelled); err != nil {
			return nil, err
		}
		doc.Value.Releasing = true
		cancelled, err := d.event(ctx, &doc.Value, "cancelled", doc.Version, nil)
		return []store.Event{cancelled}, err
	})
	if err != nil {
		return doc, err
	}
	return d.release(ctx, doc)
}

// release gives back the room of a cancelled booking and notes that it was.
func (d *desk) release(ctx context.Context, doc store.Document[Consignment]) (store.Document[Consignment], error) {
	if !doc.Value.Releasing {
		return doc, nil
	}
	if err := d.vessels.Release(ctx, doc.Value.ID); err != nil {
		return doc, err
	}
	return d.consignments.Update(ctx, doc.Value.ID, func(doc *store.Document[Consignment]) ([]store.Event, error) {
		if !doc.Value.Releasing {
			return nil, store.ErrUnchanged
		}
		doc.Value.Releasing = false
		return nil, nil
	})
}

// outcomes tells how bookings ended. Those that no request can be working on any more are first brought to an end.
func (d *desk) outcomes(ctx context.Context, ids []string) ([]*consignmentpb.Outcome, error) {
	outcomes := make([]*consignmentpb.Outcome, len(ids))
	err := fanout.All(len(ids), together, func(i int) (err error) {
		outcomes[i], err = d.outcome(ctx, ids[i])
		return err
	})
	return outcomes, err
}

func (d *desk) outcome(ctx context.Context, id string) (*consignmentpb.Outcome, error) {
	o := &consignmentpb.Outcome{BookingId: id, State: consignmentpb.State_REJECTED}
	doc, err := d.consignments.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return o, nil // bookings are stored before any room is asked for, so this one never was
	}
	if err == nil {
		doc, err = d.giveUp(ctx, doc)
	}
	if err != nil {
		return nil, err
	}
	o.State = doc.Value.State.message()
	if doc.Value.VesselID != "" {
		o.VoyageId = doc.Value.VoyageID
	}
	return o, nil
}

// giveUp rejects a booking that has been RECEIVED for so long that no request is working on it, and returns the booking as
// it is then. One that was received far in the future is from before the clock was put right.
func (d *desk) giveUp(ctx context.Context, doc store.Document[Consignment]) (store.Document[Consignment], error) {
	if doc.Value.State != Received || d.now().Sub(doc.Value.CreatedAt).Abs() < abandoned {
		return doc, nil
	}
	rejected, err := d.reject(d.onBehalf(ctx, &doc.Value), doc.Value.ID, fault.Unavailable)
	if errors.Is(err, fault.WrongState) { // it moved on after all
		return d.consignments.Get(ctx, doc.Value.ID)
	}
	return rejected, err
}

// onBehalf is the context for what the service does about a booking in place of its shipper, after the shipper's request.
func (d *desk) onBehalf(ctx context.Context, c *Consignment) context.Context {
	ctx = auth.NewContext(ctx, auth.Identity{Service: Name, UserID: c.UserID})
	return trace.Continue(ctx, c.TraceParent)
}

func (d *desk) event(ctx context.Context, c *Consignment, action string, version int64, data any) (store.Event, error) {
	e := event.New(ctx, d.now(), Name, action, c.ID, version)
	e.Audience = c.parties()
	return e.Record(data)
}
