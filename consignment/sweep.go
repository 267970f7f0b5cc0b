package consignment

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairwayfreight/fairway/common/store"
)

// sweepEvery is how often bookings that nobody works on are looked for.
const sweepEvery = time.Second

// sweeper ends what a crash, or a service that was away, left half done: bookings that stayed RECEIVED, and cancelled ones
// whose room was not given back.
type sweeper struct {
	*desk
	log *slog.Logger
}

// Run sweeps until ctx ends.
func (s *sweeper) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing { // once, not every second
			s.log.WarnContext(ctx, "half-done bookings wait", "error", err)
		}
		failing = err != nil
	}
}

// sweep goes over all open ends once.
func (s *sweeper) sweep(ctx context.Context) error {
	list := store.List[Consignment]{Index: byOpenEnd, Match: "yes", Limit: 500}
	var failures []error
	for {
		page, err := s.consignments.Find(ctx, list)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(together)
		for _, doc := range page.Items {
			group.Go(func() error { return s.finish(ctx, doc) })
		}
		failures = append(failures, group.Wait())
		if page.Next == "" {
			return errors.Join(failures...)
		}
		list.Cursor = page.Next
	}
}

func (s *sweeper) finish(ctx context.Context, doc store.Document[Consignment]) error {
	if doc.Value.Releasing {
		_, err := s.release(s.onBehalf(ctx, &doc.Value), doc)
		return err
	}
	_, err := s.giveUp(ctx, doc)
	return err
}
