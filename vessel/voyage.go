package vessel

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// VoyageState is where a voyage is in its life.
type VoyageState string

// A voyage is PLANNED while its documents are being written, and then no list shows it; OPEN takes bookings.
const (
	Planned VoyageState = "PLANNED"
	Open    VoyageState = "OPEN"
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
	Capacity  int32     `json:"capacity"`
	MaxWeight int32     `json:"max_weight"`
	// CutOff is when booking ends by itself: the first departure at the latest, never when zero.
	CutOff    time.Time `json:"cut_off,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	// TraceParent is that of the request that made the voyage, for events that are written after it.
	TraceParent string `json:"traceparent,omitempty"`
}

// PortCall is a stop at a port (UN/LOCODE). Zero times are those the schedule does not name: the first arrival and the
// last departure.
type PortCall struct {
	Port      string    `json:"port"`
	Arrival   time.Time `json:"arrival,omitzero"`
	Departure time.Time `json:"departure,omitzero"`
}

// byState finds voyages that are still PLANNED, oldest first; others are not in it.
const byState = "state"

func openVoyages(ctx context.Context, db store.DB) (*store.Collection[Voyage], error) {
	return store.Open(ctx, db, store.Spec[Voyage]{
		Name: "voyages",
		ID:   func(v *Voyage) string { return v.ID },
		Indexes: []store.Index[Voyage]{{Name: byState, Keys: func(v *Voyage) []store.Key {
			if v.State != Planned {
				return nil
			}
			return store.Matches(string(v.State))
		}}},
	})
}

// legs is how many legs a voyage has: one between two calls, and one in all without ports.
func (v *Voyage) legs() int { return max(1, len(v.Calls)-1) }

// message joins a voyage with the room on its legs.
func (v *Voyage) message(version int64, room []Room) *vesselpb.Voyage {
	m := &vesselpb.Voyage{
		Id:        v.ID,
		Number:    v.Number,
		VesselId:  v.VesselID,
		OwnerId:   v.OwnerID,
		State:     vesselpb.VoyageState(vesselpb.VoyageState_value[string(v.State)]),
		Capacity:  v.Capacity,
		MaxWeight: v.MaxWeight,
		CreatedAt: timestamppb.New(v.CreatedAt),
		Version:   version,
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
