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
	// Sailed tells whether a voyage has departed.
	Sailed(ctx context.Context, voyage string) (bool, error)
	// Release gives back the room on a voyage, or on all that are not settled yet where none is named.
	Release(ctx context.Context, booking, voyage string) error
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

// book stores a booking and finds room for it. quarters is what it needs, in quarters of a TEU.
//
// Errors: no_capacity, not_found (voyage), wrong_state, invalid, unavailable and the like: the booking is kept as REJECTED.
func (d *desk) book(ctx context.Context, c Consignment, quarters int64) (store.Document[Consignment], error) {
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
	return d.pursue(ctx, doc, quarters)
}

// pursue finds room for a booking that is RECEIVED.
func (d *desk) pursue(ctx context.Context, doc store.Document[Consignment], quarters int64) (store.Document[Consignment], error) {
	room, err := d.vessels.Reserve(ctx, reservation(&doc.Value, quarters))
	if err == nil {
		return d.confirm(ctx, doc, room)
	}
	late, cancelLate := context.WithTimeout(context.WithoutCancel(ctx), rejectTimeout)
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
	if !errors.Is(err, store.ErrConflict) {
		return next, err
	}
	now, failed := d.consignments.Get(ctx, c.ID)
	switch {
	case failed != nil:
		return doc, failed
	case now.Value.State == Cancelled:
		return now, fault.New(fault.WrongState, "the booking was cancelled while room was found for it")
	}
	return now, fault.Wrap(fault.Unavailable, err, "the booking took too long and was rejected; try again").WithRetryAfter(time.Second)
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

// cancel moves a booking to CANCELLED and gives its room back before it returns. Repeating it is harmless. Whether the ship has
// sailed is asked first; when it sails while that answer is on its way, the cancellation still came before.
//
// Errors: wrong_state; after unavailable and the like the booking may be cancelled, and its room is given back later.
func (d *desk) cancel(ctx context.Context, booking Consignment) (store.Document[Consignment], error) {
	if booking.State == Confirmed {
		sailed, err := d.vessels.Sailed(ctx, booking.VoyageID)
		if err != nil {
			return store.Document[Consignment]{}, err
		}
		if sailed {
			return store.Document[Consignment]{}, fault.New(fault.WrongState, "the voyage has departed: its consignments cannot be cancelled any more")
		}
	}
	doc, err := d.consignments.Update(ctx, booking.ID, func(doc *store.Document[Consignment]) ([]store.Event, error) {
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
	if err := d.vessels.Release(ctx, doc.Value.ID, doc.Value.VoyageID); err != nil {
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
	found, err := d.consignments.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	outcomes := make([]*consignmentpb.Outcome, len(ids))
	var received []int
	for i, id := range ids {
		doc, ok := found[id]
		if !ok { // bookings are stored before any room is asked for, so this one never was
			outcomes[i] = &consignmentpb.Outcome{BookingId: id, State: consignmentpb.State_REJECTED}
			continue
		}
		outcomes[i] = outcome(doc.Value)
		if doc.Value.State == Received {
			received = append(received, i)
		}
	}
	return outcomes, fanout.All(len(received), together, func(n int) error {
		i := received[n]
		doc, err := d.giveUp(ctx, found[ids[i]])
		outcomes[i] = outcome(doc.Value)
		return err
	})
}

func outcome(c Consignment) *consignmentpb.Outcome {
	o := &consignmentpb.Outcome{BookingId: c.ID, State: c.State.message()}
	if c.VesselID != "" {
		o.VoyageId = c.VoyageID
	}
	return o
}

// giveUp rejects a booking that has been RECEIVED for so long that no request is working on it, and returns the booking as
// it is then. One that was received far in the future is from before the clock was put right.
func (d *desk) giveUp(ctx context.Context, doc store.Document[Consignment]) (store.Document[Consignment], error) {
	if doc.Value.State != Received || d.now().Sub(doc.Value.begun()).Abs() < abandoned {
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
