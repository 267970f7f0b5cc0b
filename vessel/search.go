package vessel

import (
	"context"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// wish is what a booking asks of a sailing.
type wish struct {
	need Need
	// from and to are UN/LOCODEs; both empty asks for sailings without ports alone.
	from, to string
	// notBefore is the earliest departure from the port of loading.
	notBefore time.Time
}

// sailings offers the open sailings that had room when they were read, in the order in which a booking should try them,
// until try says that it has what it wants or fails. Sailings without ports come oldest first, the others by departure.
func sailings(ctx context.Context, ledgers *store.Collection[Ledger], w wish, try func(*Ledger) (done bool, err error)) error {
	list := store.List[Ledger]{
		Index: bySailing,
		Match: withoutPorts,
		Where: func(l *Ledger) bool { return l.fits(w.need) && l.calls(w.from, w.to) },
		Limit: 20,
	}
	if w.from != "" {
		list.Match, list.From = w.from, sortable(w.notBefore)
	}
	for {
		page, err := ledgers.Find(ctx, list)
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			if done, err := try(&doc.Value); done || err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		list.Cursor = page.Next
	}
}

// calls tells whether the voyage sails from one port to the other; with neither named, whether it sails without ports.
func (l *Ledger) calls(from, to string) bool {
	if from == "" {
		return len(l.Calls) == 0
	}
	loading := slices.IndexFunc(l.Calls, func(c PortCall) bool { return c.Port == from })
	return loading >= 0 && slices.ContainsFunc(l.Calls[loading+1:], func(c PortCall) bool { return c.Port == to })
}
