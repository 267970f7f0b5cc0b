package vessel

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Voyage is a vessel's sailing: port calls in order, or none for the open sailing of a vessel without a schedule.
type Voyage struct {
	ID       string      `json:"id"`
	Number   string      `json:"number"`
	VesselID string      `json:"vessel_id"`
	OwnerID  string      `json:"owner_id"`
	State    VoyageState `json:"state"`
	Calls    []PortCall  `json:"calls,omitempty"`
	// Capacity is in TEU, MaxWeight in kg; both hold on every leg.
	Capacity  int32 `json:"capacity"`
	MaxWeight int32 `json:"max_weight"`
	// CutOff is when booking ends by itself: the first departure at the latest, never when zero.
	CutOff time.Time `json:"cut_off,omitzero"`
	// EndedAt is when the owner ended booking, zero where nobody has. The voyage is CLOSED soon after it.
	EndedAt   time.Time `json:"ended_at,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	// TraceParent is that of the request that made the voyage, or of the one that ended its booking, for events that are
	// written after it.
	TraceParent string `json:"traceparent,omitempty"`
}

// PortCall is a stop at a port (UN/LOCODE). Zero times are those the schedule does not name: the first arrival and the
// last departure.
type PortCall struct {
	Port      string    `json:"port"`
	Arrival   time.Time `json:"arrival,omitzero"`
	Departure time.Time `json:"departure,omitzero"`
}

// Indexes of the voyages.
const (
	// byState finds the voyages with which something is to be done: those still PLANNED, oldest first, and those OPEN ones
	// whose booking ends some time, in the order of that time.
	byState = "state"
	// byPort finds voyages by each port they call at.
	byPort = "port"
)

func openVoyages(ctx context.Context, db store.DB) (*store.Collection[Voyage], error) {
	return store.Open(ctx, db, store.Spec[Voyage]{
		Name: "voyages",
		ID:   func(v *Voyage) string { return v.ID },
		Indexes: []store.Index[Voyage]{
			{Name: byState, Keys: (*Voyage).stateKeys},
			{Name: byPort, Keys: (*Voyage).portKeys},
		},
	})
}

func (v *Voyage) stateKeys() []store.Key {
	switch ends := v.bookingEnds(); {
	case v.State == Planned:
		return store.Matches(string(Planned))
	case v.State == Open && !ends.IsZero():
		return []store.Key{{Match: string(Open), Order: store.TimeOrder(ends)}}
	}
	return nil
}

func (v *Voyage) portKeys() []store.Key {
	if v.State == Planned {
		return nil
	}
	var ports []string
	for _, call := range v.Calls {
		if !slices.Contains(ports, call.Port) {
			ports = append(ports, call.Port)
		}
	}
	return store.Matches(ports...)
}

// bookingEnds is when a voyage stops taking bookings, zero when it does not by itself.
func (v *Voyage) bookingEnds() time.Time {
	if !v.EndedAt.IsZero() && (v.CutOff.IsZero() || v.EndedAt.Before(v.CutOff)) {
		return v.EndedAt
	}
	return v.CutOff
}

// bookable tells whether bookings may come in at a time.
func (v *Voyage) bookable(at time.Time) bool {
	ends := v.bookingEnds()
	return v.State == Open && (ends.IsZero() || at.Before(ends))
}

// sailed tells whether the voyage has left its first port.
func (v *Voyage) sailed() bool { return v.State == Departed || v.State == Completed }

// legs is how many legs a voyage has: one between two calls, and one in all without ports.
func (v *Voyage) legs() int { return max(1, len(v.Calls)-1) }

// message joins a voyage with the room on its legs.
func (v *Voyage) message(version int64, room []Room) *vesselpb.Voyage {
	m := &vesselpb.Voyage{
		Id:        v.ID,
		Number:    v.Number,
		VesselId:  v.VesselID,
		OwnerId:   v.OwnerID,
		State:     v.State.message(),
		Capacity:  v.Capacity,
		MaxWeight: v.MaxWeight,
		CreatedAt: timestamppb.New(v.CreatedAt),
		Version:   version,
	}
	if !v.CutOff.IsZero() {
		m.CutOff = timestamppb.New(v.CutOff)
	}
	for _, c := range v.Calls {
		call := &vesselpb.PortCall{Port: c.Port}
		if !c.Arrival.IsZero() {
			call.Arrival = timestamppb.New(c.Arrival)
		}
		if !c.Departure.IsZero() {
			call.Departure = timestamppb.New(c.Departure)
		}
		m.Calls = append(m.Calls, call)
	}
	for i, r := range room {
		leg := &vesselpb.Leg{
			Capacity:     int32(r.Quarters / rule.QuartersPerTEU),
			UsedQuarters: r.UsedQuarters,
			MaxWeight:    r.Weight,
			UsedWeight:   r.UsedWeight,
		}
		if len(v.Calls) > 0 {
			leg.From, leg.To = v.Calls[i].Port, v.Calls[i+1].Port
		}
		m.Legs = append(m.Legs, leg)
	}
	return m
}
