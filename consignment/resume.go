package consignment

import (
	"context"
	"errors"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
)

// bookOnce is book for a request that may have an Idempotency-Key. Where an earlier request with the key has begun the booking
// it goes on with it, and makes it anew only when it was given up for a reason of ours, which must not be its answer.
//
// It goes on when its caller goes away: to finish takes milliseconds, to clean up after half of it takes longer.
// Errors: those of book.
func (d *desk) bookOnce(ctx context.Context, c Consignment, quarters int64) (doc store.Document[Consignment], err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bookingTimeout)
	defer cancel()
	if c.ID, err = idempotency.NewID(ctx); err != nil {
		return doc, err
	}
	if idempotency.Resumed(ctx) {
		doc, err = d.resume(ctx, c.ID, quarters)
		switch {
		case errors.Is(err, errGivenUp):
			if c.ID, err = idempotency.Renew(ctx); err != nil {
				return doc, err
			}
		case !errors.Is(err, store.ErrNotFound):
			return doc, err
		}
	}
	return d.book(ctx, c, quarters)
}

// errGivenUp is how a booking ended that was rejected because of us.
var errGivenUp = errors.New("the booking was given up")

// resume finishes a booking, or answers as it ended. Errors: store.ErrNotFound, errGivenUp, those of book.
func (d *desk) resume(ctx context.Context, id string, quarters int64) (store.Document[Consignment], error) {
	doc, err := d.consignments.Update(ctx, id, func(doc *store.Document[Consignment]) ([]store.Event, error) {
		if doc.Value.State != Received {
			return nil, store.ErrUnchanged
		}
		doc.Value.AttemptedAt = d.now().UTC() // keeps others from giving it up meanwhile
		return nil, nil
	})
	if err != nil {
		return doc, err
	}
	switch doc.Value.State {
	case Received:
		return d.pursue(ctx, doc, quarters)
	case Rejected:
		return doc, refusal(fault.Code(doc.Value.Reason))
	}
	return doc, nil
}

// refusal is the answer to a booking that was rejected for a reason of its own.
func refusal(reason fault.Code) error {
	switch reason {
	case fault.NoCapacity:
		return fault.New(reason, "no voyage that fits has room for the containers and their weight")
	case fault.NotFound:
		return fault.New(reason, "there is no such voyage")
	case fault.WrongState:
		return fault.New(reason, "the voyage takes no more bookings")
	case fault.Invalid:
		return fault.InvalidFields([]fault.Field{{
			Name: "voyage_id", Rule: rule.Route, Message: "the voyage has sailed already, or does not sail on the way and by the time asked for",
		}})
	}
	return errGivenUp
}
