package vessel

import (
	"context"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// wish is what a booking asks of a sailing.
type wish struct {
	need Need
	// from and to are UN/LOCODEs; both empty asks for the whole of a voyage.
	from, to string
	// notBefore is the earliest departure from the port of loading; nothing that has sailed takes anybody along.
	notBefore time.Time
}

// sailings offers the sailings that had room when they were read, and the legs that the booking would travel, in the
// order in which it should try them, until try says that it has what it wants or fails. Sailings without ports come oldest
// first, and they alone when no ports are asked for; the others by departure.
func sailings(ctx context.Context, ledgers *store.Collection[Ledger], w wish, try func(*Ledger, Span) (done bool, err error)) error {
	list := store.List[Ledger]{
		Index: bySailing,
		Match: withoutPorts,
		Where: func(l *Ledger) bool { _, ok := l.place(w); return ok },
		Limit: 20,
	}
	if w.from != "" {
		list.Match, list.From = w.from, store.TimeOrder(w.notBefore)
	}
	for {
		page, err := ledgers.Find(ctx, list)
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			span, _ := doc.Value.place(w)
			if done, err := try(&doc.Value, span); done || err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		list.Cursor = page.Next
	}
}

// place finds legs with room for a wish: the first on which they are.
func (l *Ledger) place(w wish) (Span, bool) {
	for _, s := range l.spans(w) {
		if l.fits(w.need, s) {
			return s, true
		}
	}
	return Span{}, false
}

// spans are the legs on which a booking could travel as it wishes, whether or not they have room. A voyage may call at a
// port more than once.
func (l *Ledger) spans(w wish) []Span {
	if w.from == "" {
		if len(l.Calls) > 0 && l.Calls[0].Departure.Before(w.notBefore) {
			return nil
		}
		return []Span{l.whole()}
	}
	var spans []Span
	for i, loading := range l.Calls {
		if loading.Port != w.from || loading.Departure.Before(w.notBefore) {
			continue
		}
		for j := i + 1; j < len(l.Calls); j++ {
			if l.Calls[j].Port == w.to {
				spans = append(spans, Span{First: i, End: j})
				break
			}
		}
	}
	return spans
}
