package idempotency

import (
	"context"
	"errors"

	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// sweepBatch is how many intents are read at once, sweepers how many are removed at once, so that their writes share commits.
	sweepBatch = 200
	sweepers   = 32
)

// Sweep removes the intents that count no more, oldest first. It is background work; until it has run, they count as absent.
func (k *Keeper) Sweep(ctx context.Context) error {
	now := k.now()
	list := store.List[intent]{
		Index: byAge,
		Match: anyAge,
		Until: store.TimeOrder(now.Add(-Kept)),
		Where: func(i *intent) bool { return k.expired(i) },
		Limit: sweepBatch,
	}
	for page, err := range k.intents.Pages(ctx, list) {
		if err != nil {
			return err
		}
		err = fanout.All(len(page.Items), sweepers, func(n int) error {
			err := k.intents.Delete(ctx, page.Items[n].Value.ID, page.Items[n].Version)
			if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				return nil // it began anew, or another replica was faster
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
