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
// allocation document does. So for every booking the two documents together say whether it is counted, at every moment.
type Ledger struct {
	VoyageID string `json:"voyage_id"`
	VesselID string `json:"vessel_id"`
	OwnerID  string `json:"owner_id"`
	// Calls are the voyage's, for searching.
	Calls []PortCall `json:"calls,omitempty"`
	// Legs is the room on each leg.
	Legs    []Room           `json:"legs"`
	Pending map[string]Entry `json:"pending,omitempty"`
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

// Entry says what the ledger did for a booking.
type Entry string

const (
	Reserved Entry = "reserved" // counted
	Released Entry = "released" // not counted, or not any more, and never again
)

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

// enter counts a booking whose allocation is an open intent. changed is false when it was counted before.
// Errors: wrong_state, no_capacity, unavailable.
func (l *Ledger) enter(booking string, n Need, s Span, now time.Time) (changed bool, err error) {
	switch l.Pending[booking] {
	case Reserved:
		return false, nil
	case Released:
		return false, errReleased()
	}
	switch {
	case !l.bookable(now):
		return false, errNotBookable()
	case !l.fits(n, s):
		return false, errNoCapacity()
	case len(l.Pending) >= maxPending:
		return false, fault.Wrap(fault.Unavailable, errFull, "too many bookings on this voyage at once; try again in a moment").WithRetryAfter(time.Second)
	}
	l.count(n, s, +1)
	l.note(booking, Reserved)
	return true, nil
}

// strike takes a booking out of the count, or bars it from coming in when it was never counted. counted tells whether the
// allocation says that it was, for a booking that is not pending. changed is false when it was released before.
func (l *Ledger) strike(booking string, n Need, s Span, counted bool) (changed bool, err error) {
	entry := l.Pending[booking]
	if entry == Released {
		return false, nil
	}
	if entry == "" && len(l.Pending) >= maxPendingReleases {
		return false, fault.New(fault.Unavailable, "too many cancellations on this voyage at once; try again in a moment").WithRetryAfter(time.Second)
	}
	if entry == Reserved || counted {
		l.count(n, s, -1)
	}
	l.note(booking, Released)
	return true, nil
}

// forget drops a booking whose allocation carries what the ledger did.
func (l *Ledger) forget(booking string) (changed bool) {
	if _, ok := l.Pending[booking]; !ok {
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

func (l *Ledger) note(booking string, e Entry) {
	if l.Pending == nil {
		l.Pending = map[string]Entry{}
	}
	l.Pending[booking] = e
}

// errFull is the cause of the refusal of a booking that has only to wait its turn.
var errFull = errors.New("the ledger has as many bookings pending as it may")

func errNoCapacity() error {
	return fault.New(fault.NoCapacity, "no voyage that fits has room for the containers and their weight")
}

func errNotBookable() error {
	return fault.New(fault.WrongState, "the voyage takes no more bookings")
}

func errReleased() error {
	return fault.New(fault.WrongState, "the booking was given up and cannot take room any more")
}
