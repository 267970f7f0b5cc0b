// Package consignment is the consignment service: bookings of containers onto voyages. The consignment document is the truth
// about a booking; the vessel service holds the room for it and asks here what has become of it.
package consignment

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// Name is the service's name, in the registry and as the name of its file in the data directory.
const Name = "consignment"

// Consignment is a booking.
type Consignment struct {
	ID          string `json:"id"`
	UserID      string `json:"user_id"`
	State       State  `json:"state"`
	Description string `json:"description,omitempty"`
	// Weight is in kg.
	Weight     int32       `json:"weight"`
	Containers []Container `json:"containers"`
	// From and To are UN/LOCODEs, both empty for a sailing without ports.
	From      string    `json:"from,omitempty"`
	To        string    `json:"to,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// VoyageID is the voyage asked for until the booking is confirmed, then the one it was given. VesselID and CarrierID are
	// those of the voyage that it was given.
	VoyageID  string `json:"voyage_id,omitempty"`
	VesselID  string `json:"vessel_id,omitempty"`
	CarrierID string `json:"carrier_id,omitempty"`
	// Reason is the code for which it was REJECTED.
	Reason string `json:"reason,omitempty"`
	// Releasing marks a cancelled booking whose room is not yet known to be given back.
	Releasing bool      `json:"releasing,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// AttemptedAt is when a later request with the same Idempotency-Key went on with a booking that was still RECEIVED.
	AttemptedAt time.Time `json:"attempted_at,omitzero"`
	// TraceParent is that of the request that made the booking, for what is done about it after that request.
	TraceParent string `json:"traceparent,omitempty"`
}

// Container is one box of a consignment.
type Container struct {
	// Number is its ISO 6346 number, Type its ISO 6346 size and type code; either may be empty.
	Number     string `json:"number,omitempty"`
	Type       string `json:"type,omitempty"`
	CustomerID string `json:"customer_id,omitempty"`
	Origin     string `json:"origin,omitempty"`
}

// Indexes of the collection.
const (
	byParty      = "party"       // by shipper and by carrier
	byPartyState = "party_state" // the same with the state, for every state but RECEIVED
	byVoyage     = "voyage"      // those that were given a voyage, by voyage and party
	byOpenEnd    = "open_end"    // those that somebody has to finish, oldest first
)

func openConsignments(ctx context.Context, db store.DB) (*store.Collection[Consignment], error) {
	return store.Open(ctx, db, store.Spec[Consignment]{
		Name: "consignments",
		ID:   func(c *Consignment) string { return c.ID },
		Indexes: []store.Index[Consignment]{
			{Name: byParty, Keys: func(c *Consignment) []store.Key { return store.Matches(c.parties()...) }},
			{Name: byPartyState, Keys: func(c *Consignment) []store.Key {
				var keys []store.Key
				for _, party := range c.parties() {
					if c.State != Received {
						keys = append(keys, store.Key{Match: partyState(party, c.State)})
					}
				}
				return keys
			}},
			{Name: byVoyage, Keys: func(c *Consignment) []store.Key {
				if c.VesselID == "" {
					return nil
				}
				var keys []store.Key
				for _, party := range c.parties() {
					keys = append(keys, store.Key{Match: voyageParty(c.VoyageID, party)})
				}
				return keys
			}},
			{Name: byOpenEnd, Keys: func(c *Consignment) []store.Key {
				if c.State != Received && !c.Releasing {
					return nil
				}
				return []store.Key{{Match: "yes", Order: store.TimeOrder(c.CreatedAt)}}
			}},
		},
	})
}

// parties are the persons whom the booking concerns: shipper and carrier, who may be one.
func (c *Consignment) parties() []string {
	if c.CarrierID == "" || c.CarrierID == c.UserID {
		return []string{c.UserID}
	}
	return []string{c.UserID, c.CarrierID}
}

// begun is when the last request began to look for room.
func (c *Consignment) begun() time.Time {
	if c.AttemptedAt.IsZero() {
		return c.CreatedAt
	}
	return c.AttemptedAt
}

func partyState(party string, s State) string { return party + "/" + string(s) }

func voyageParty(voyage, party string) string { return voyage + "/" + party }

func (c *Consignment) message(version int64) *consignmentpb.Consignment {
	m := &consignmentpb.Consignment{
		Id:          c.ID,
		UserId:      c.UserID,
		State:       c.State.message(),
		Description: c.Description,
		Weight:      c.Weight,
		From:        c.From,
		To:          c.To,
		VoyageId:    c.VoyageID,
		VesselId:    c.VesselID,
		CarrierId:   c.CarrierID,
		Reason:      c.Reason,
		CreatedAt:   timestamppb.New(c.CreatedAt),
		Version:     version,
	}
	if !c.NotBefore.IsZero() {
		m.NotBefore = timestamppb.New(c.NotBefore)
	}
	for _, box := range c.Containers {
		m.Containers = append(m.Containers, &consignmentpb.Container{
			Number:     box.Number,
			Type:       box.Type,
			CustomerId: box.CustomerID,
			Origin:     box.Origin,
		})
	}
	return m
}
