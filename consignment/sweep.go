package consignment

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/store"
)

// sweepEvery is how often bookings that nobody works on are looked for.
const sweepEvery = time.Second

// sweeper ends what a crash, or a service that was away, left half done: bookings that stayed RECEIVED, and cancelled ones
// whose room was not given back.
type sweeper struct {
	*desk
}

// sweep goes over all open ends once.
func (s *sweeper) sweep(ctx context.Context) error {
	list := store.List[Consignment]{Index: byOpenEnd, Match: "yes", Limit: 500}
	var failures []error
	for page, err := range s.consignments.Pages(ctx, list) {
		failures = append(failures, err, fanout.All(len(page.Items), together, func(i int) error {
			return s.finish(ctx, page.Items[i])
		}))
	}
	return errors.Join(failures...)
}

func (s *sweeper) finish(ctx context.Context, doc store.Document[Consignment]) error {
	if doc.Value.Releasing {
		_, err := s.release(s.onBehalf(ctx, &doc.Value), doc)
		return err
	}
	_, err := s.giveUp(ctx, doc)
	return err
}
