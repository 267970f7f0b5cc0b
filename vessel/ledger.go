package vessel

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// maxPending bounds a ledger's size, and with it the cost of every booking on the voyage.
	maxPending = 1000
	// maxPendingReleases is higher, so that giving room back is never kept waiting by those who take it.
	maxPendingReleases = 2 * maxPending
)

// Ledger is what is booked on a voyage: one small document, however many bookings there are. The check for room, the count
// and the booking's id enter it in one write.
//
// Pending holds the bookings whose allocation does not yet carry what the ledger did: an id leaves only after its
// allocation document does. So for every booking the two documents together say whether it is counted, at every moment: while
// it is pending the ledger says so, and afterwards the allocation.
type Ledger struct {
	VoyageID string `json:"voyage_id"`
	VesselID string `json:"vessel_id"`
	OwnerID  string `json:"owner_id"`
	// Calls are the voyage's, for searching.
	Calls []PortCall `json:"calls,omitempty"`
	// Legs is the room on each leg.
	Legs    []Room          `json:"legs"`
	Pending map[string]Hold `json:"pending,omitempty"`
	// Closed tells that no more bookings come in. CutOff is when that happens by itself, zero when it does not.
	Closed bool      `json:"closed,omitempty"`
	CutOff time.Time `json:"cut_off,omitzero"`
}

// Room is what a leg carries and what is taken of it.
type Room struct {
	// In quarters of a TEU.
	Quarters     int64 `json:"quarters"`
	UsedQuarters int64 `json:"used_quarters"`
	// In kg.
	Weight     int64 `json:"weight"`
	UsedWeight int64 `json:"used_weight"`
}

// Need is what a booking takes on each of its legs.
type Need struct {
	Quarters int64 `json:"quarters"`
	Weight   int64 `json:"weight"`
}

// Span are the legs that a booking travels: from leg First until before leg End, counted from 0.
type Span struct {
	First int `json:"first"`
	End   int `json:"end"`
}

// Hold is what the ledger did for a pending booking. There may be a thousand in a ledger that is written hundreds of times a
// second, hence the short names.
type Hold struct {
	// Released: not counted, or not any more, and never again. Else the booking is counted.
	Released bool `json:"r,omitempty"`
	// What it needs and where.
	Quarters int64 `json:"q,omitempty"`
	Weight   int64 `json:"w,omitempty"`
	First    int   `json:"f,omitempty"`
	End      int   `json:"e,omitempty"`
}

func (h Hold) need() Need { return Need{Quarters: h.Quarters, Weight: h.Weight} }
func (h Hold) span() Span { return Span{First: h.First, End: h.End} }

// Indexes of the ledgers.
const (
	bySailing = "sailing" // voyages with room: by each port of loading in order of departure, or withoutPorts in order of id
	byPending = "pending" // voyages with pending bookings
)

// withoutPorts is the Match of sailings without ports in the index bySailing.
const withoutPorts = "-"

func openLedgers(ctx context.Context, db store.DB) (*store.Collection[Ledger], error) {
	return store.Open(ctx, db, store.Spec[Ledger]{
		Name: "ledgers",
		ID:   func(l *Ledger) string { return l.VoyageID },
		Indexes: []store.Index[Ledger]{
			{Name: bySailing, Keys: (*Ledger).sailingKeys},
			{Name: byPending, Keys: func(l *Ledger) []store.Key {
				if len(l.Pending) == 0 {
					return nil
				}
				return []store.Key{{Match: "yes"}}
			}},
		},
	})
}

func newLedger(v *Voyage) Ledger {
	l := Ledger{VoyageID: v.ID, VesselID: v.VesselID, OwnerID: v.OwnerID, Calls: v.Calls, CutOff: v.CutOff}
	for range v.legs() {
		l.Legs = append(l.Legs, Room{Quarters: int64(v.Capacity) * rule.QuartersPerTEU, Weight: int64(v.MaxWeight)})
	}
	return l
}

// bookable tells whether bookings may come in at a time.
func (l *Ledger) bookable(at time.Time) bool {
	return !l.Closed && (l.CutOff.IsZero() || at.Before(l.CutOff))
}

// sailingKeys leaves out ports from which nothing more can be loaded: a search does not pass over full ships again and again.
func (l *Ledger) sailingKeys() []store.Key {
	if l.Closed {
		return nil
	}
	var keys []store.Key
	for i := range l.Legs {
		if !l.fits(Need{Quarters: 1, Weight: 1}, Span{First: i, End: i + 1}) {
			continue
		}
		if len(l.Calls) == 0 {
			keys = append(keys, store.Key{Match: withoutPorts})
		} else {
			keys = append(keys, store.Key{Match: l.Calls[i].Port, Order: store.TimeOrder(l.Calls[i].Departure)})
		}
	}
	return keys
}

// whole are all legs.
func (l *Ledger) whole() Span { return Span{End: len(l.Legs)} }

// fits tells whether every leg of the span has room for the need.
func (l *Ledger) fits(n Need, s Span) bool {
	for _, leg := range l.Legs[s.First:s.End] {
		if leg.UsedQuarters+n.Quarters > leg.Quarters || leg.UsedWeight+n.Weight > leg.Weight {
			return false
		}
	}
	return true
}

// enter counts a booking on the first legs of its wish that have room. a is its allocation, nil when there is none. changed is
// false when the booking was counted before. Errors: wrong_state, invalid, no_capacity, unavailable.
func (l *Ledger) enter(booking string, w wish, a *Allocation, now time.Time) (changed bool, err error) {
	hold, pending := l.Pending[booking]
	switch {
	case hold.Released, a != nil && a.State != StateFirm:
		return false, errReleased()
	case pending, a != nil:
		return false, nil
	case !l.bookable(now):
		return false, errNotBookable()
	case len(l.spans(w)) == 0:
		return false, errNotOnWay()
	}
	span, ok := l.place(w)
	if !ok {
		return false, errNoCapacity()
	}
	if len(l.Pending) >= maxPending {
		return false, fault.Wrap(fault.Unavailable, errFull, "too many bookings on this voyage at once; try again in a moment").WithRetryAfter(time.Second)
	}
	l.count(w.need, span, +1)
	l.note(booking, Hold{Quarters: w.need.Quarters, Weight: w.need.Weight, First: span.First, End: span.End})
	return true, nil
}

// strike takes a booking out of the count whose allocation is being, or was, released. changed is false when it is not
// counted. Errors: unavailable.
func (l *Ledger) strike(booking string, a *Allocation) (changed bool, err error) {
	hold, pending := l.Pending[booking]
	switch {
	case hold.Released:
		return false, nil
	case pending:
		l.count(hold.need(), hold.span(), -1)
	case a.State == StateReleasing && a.WasFirm: // were it struck and forgotten, the allocation would be RELEASED
		if len(l.Pending) >= maxPendingReleases {
			return false, fault.New(fault.Unavailable, "too many cancellations on this voyage at once; try again in a moment").WithRetryAfter(time.Second)
		}
		l.count(a.Need, a.Span, -1)
	default:
		return false, nil
	}
	l.note(booking, Hold{Released: true})
	return true, nil
}

// forget drops a booking whose allocation carries what the ledger did.
func (l *Ledger) forget(booking string, a *Allocation) (changed bool) {
	hold, pending := l.Pending[booking]
	if !pending || a == nil || hold.Released != (a.State == StateReleased) || !hold.Released && a.State != StateFirm {
		return false
	}
	delete(l.Pending, booking)
	return true
}

func (l *Ledger) count(n Need, s Span, sign int64) {
	for i := s.First; i < s.End; i++ {
		l.Legs[i].UsedQuarters += sign * n.Quarters
		l.Legs[i].UsedWeight += sign * n.Weight
	}
}

func (l *Ledger) note(booking string, h Hold) {
	if l.Pending == nil {
		l.Pending = map[string]Hold{}
	}
	l.Pending[booking] = h
}

// errFull is the cause of the refusal of a booking that has only to wait its turn.
var errFull = errors.New("the ledger has as many bookings pending as it may")

func errNoCapacity() error {
	return fault.New(fault.NoCapacity, "no voyage that fits has room for the containers and their weight")
}

func errNotBookable() error {
	return fault.New(fault.WrongState, "the voyage takes no more bookings")
}

func errNotOnWay() error {
	return fault.InvalidFields([]fault.Field{{
		Name: "voyage_id", Rule: rule.Route, Message: "the voyage has sailed already, or does not sail on the way and by the time asked for",
	}})
}

func errReleased() error {
	return fault.New(fault.WrongState, "the booking was given up and cannot take room any more")
}
