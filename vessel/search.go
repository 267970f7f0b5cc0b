package vessel

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// wish is what is asked of a sailing: by a booking, which names both ports or none, or by somebody who looks for voyages.
type wish struct {
	need Need
	// from and to are UN/LOCODEs. Without from a voyage is loaded at its first call, without to discharged at its last.
	from, to string
	// notBefore is the earliest departure from the port of loading. For a booking it is not before now: nothing that has
	// sailed takes anybody along.
	notBefore time.Time
	// now is the time at which the voyage must take bookings. When zero, it need not.
	now time.Time
}

// spans are the legs of a voyage with these calls on which freight could travel as it wishes, whether or not they have room.
// A voyage may call at a port more than once.
func (w wish) spans(calls []PortCall) []Span {
	if len(calls) == 0 {
		if w.from != "" || w.to != "" {
			return nil
		}
		return []Span{{End: 1}}
	}
	var spans []Span
	for i, loading := range calls[:len(calls)-1] {
		if w.from == "" && i > 0 {
			break
		}
		if w.from != "" && loading.Port != w.from || loading.Departure.Before(w.notBefore) {
			continue
		}
		if j := w.discharge(calls, i); j > 0 {
			spans = append(spans, Span{First: i, End: j})
		}
	}
	return spans
}

// discharge is the call at which freight that is loaded at call i leaves the ship, 0 when there is none.
func (w wish) discharge(calls []PortCall, i int) int {
	if w.to == "" {
		return len(calls) - 1
	}
	for j := i + 1; j < len(calls); j++ {
		if calls[j].Port == w.to {
			return j
		}
	}
	return 0
}

// spans are the legs on which a booking could travel as it wishes.
func (l *Ledger) spans(w wish) []Span { return w.spans(l.Calls) }

// place finds the best legs with room for a wish.
func (l *Ledger) place(w wish) (Span, bool) {
	best, ok := l.offer(w)
	return best.span, ok
}

// offer is a place on a voyage that a booking could take.
type offer struct {
	ledger *Ledger
	span   Span
	// arrival is that at the port of discharge, zero on a sailing without ports.
	arrival time.Time
	// left is the largest share of a leg that would stay free.
	left share
}

// offer is the best place on the voyage for a wish, if there is one.
func (l *Ledger) offer(w wish) (best offer, ok bool) {
	if !w.now.IsZero() && !l.bookable(w.now) {
		return best, false
	}
	for _, s := range l.spans(w) {
		if !l.fits(w.need, s) {
			continue
		}
		o := offer{ledger: l, span: s, left: l.left(w.need, s)}
		if len(l.Calls) > 0 {
			o.arrival = l.Calls[s.End].Arrival
		}
		if !ok || o.compare(best) < 0 {
			best, ok = o, true
		}
	}
	return best, ok
}

// compare puts the better offer first: the one that arrives earlier, then the one that leaves less room unused, so that large
// bookings still find some elsewhere. The voyage's id and the fewest legs decide between equals.
func (o offer) compare(other offer) int {
	return cmp.Or(
		o.arrival.Compare(other.arrival),
		o.left.compare(other.left),
		strings.Compare(o.ledger.VoyageID, other.ledger.VoyageID),
		cmp.Compare(o.span.End-o.span.First, other.span.End-other.span.First),
	)
}

// left is the largest share, of TEU or of kg, that stays free on any leg of the span once the need is taken.
func (l *Ledger) left(n Need, s Span) share {
	largest := share{of: 1}
	for _, leg := range l.Legs[s.First:s.End] {
		for _, free := range []share{
			{leg.Quarters - leg.UsedQuarters - n.Quarters, leg.Quarters},
			{leg.Weight - leg.UsedWeight - n.Weight, leg.Weight},
		} {
			if free.compare(largest) > 0 {
				largest = free
			}
		}
	}
	return largest
}

// share is a part of a whole, exactly. No part or whole is more than 2,000,000,000 kg or 4,000,000 quarters of a TEU, so
// the products of two of them fit.
type share struct{ part, of int64 }

func (s share) compare(other share) int { return cmp.Compare(s.part*other.of, other.part*s.of) }

// sailings offers the sailings that had room when they were read, and the legs that the booking would travel, in the
// order in which it should try them, until try says that it has what it wants or fails. Sailings without ports come oldest
// first, and they alone when no ports are asked for; the others by their offers.
func sailings(ctx context.Context, ledgers *store.Collection[Ledger], w wish, try func(*Ledger, Span) (done bool, err error)) error {
	if w.from != "" {
		return byArrival(ctx, ledgers, w, try)
	}
	list := store.List[Ledger]{Index: bySailing, Match: withoutPorts, Where: w.hasPlace, Limit: 20}
	for page, err := range ledgers.Pages(ctx, list) {
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			span, _ := doc.Value.place(w)
			if done, err := try(&doc.Value, span); done || err != nil {
				return err
			}
		}
	}
	return nil
}

func (w wish) hasPlace(l *Ledger) bool {
	_, ok := l.place(w)
	return ok
}

// maxOffers is how many sailings with room are compared before the best of them is tried. The choice is exact unless more
// than that depart before the best of them arrives.
const maxOffers = 200

// byArrival offers sailings between ports, the best offer first. It reads them in the order in which they depart, and only as
// far as needed: what departs when the best offer arrives cannot arrive before it.
func byArrival(ctx context.Context, ledgers *store.Collection[Ledger], w wish, try func(*Ledger, Span) (done bool, err error)) error {
	list := store.List[Ledger]{Index: bySailing, Match: w.from, From: store.TimeOrder(w.notBefore), Where: w.hasPlace, Limit: 50}
	var (
		offers []offer                 // best first, not tried yet
		seen   = make(map[string]bool) // voyages; one is found once for each of its calls at the port
		read   time.Time               // what departs earlier has been read
	)
	for more := true; more || len(offers) > 0; {
		if more && (len(offers) == 0 || len(offers) < maxOffers && read.Before(offers[0].arrival)) {
			page, err := ledgers.Find(ctx, list)
			if err != nil {
				return err
			}
			for _, doc := range page.Items {
				l := &doc.Value
				read = later(read, l.departs(w))
				if o, ok := l.offer(w); ok && !seen[l.VoyageID] {
					seen[l.VoyageID] = true
					offers = append(offers, o)
				}
			}
			slices.SortFunc(offers, offer.compare)
			list.Cursor, more = page.Next, page.Next != ""
			continue
		}
		best := offers[0]
		offers = offers[1:]
		if done, err := try(best.ledger, best.span); done || err != nil {
			return err
		}
	}
	return nil
}

// departs is the first departure on which the wish could go, which is not after the one under which the voyage was found.
func (l *Ledger) departs(w wish) time.Time { return l.Calls[l.spans(w)[0].First].Departure }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
