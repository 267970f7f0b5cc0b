// Package vessel is the vessel service: vessels, their voyages, and the room on every leg. It alone decides whether a
// booking fits, and it never lets the bookings of a voyage exceed what its legs carry, whatever runs at once or dies.
//
// Four types do the work. The fleet makes vessels and voyages and takes voyages through their life (fleet.go, lifecycle.go).
// The registrar takes room for bookings and gives it back (registrar.go). The books change the ledgers, in which the room of
// each voyage is counted (books.go, ledger.go). The settler brings every booking to its end, also those that a crash cut off
// (settle.go).
//
// A booking lives in three documents: the consignment, which is the truth about it, the ledger of its voyage, and its
// allocation there. Each step is one atomic write of one of them. This is every state that a crash can leave, and who goes on:
//
//	   consignment   ledger             allocation
//	1  RECEIVED      –                  –           the consignment service's sweeper: REJECTED
//	2  RECEIVED      pending, counted   –           the same; then the settler: 7, 8, 9, 10
//	3  CONFIRMED     pending, counted   –           the settler: FIRM
//	4  CONFIRMED     pending, counted   FIRM        the settler: forgotten
//	5  CONFIRMED     –                  FIRM        the end of a booking
//	6  CANCELLED     as in 2 to 5       as there    the consignment service's sweeper: released here
//	7  CANCELLED     as in 2 to 5       RELEASING   the settler: uncounted
//	8  CANCELLED     pending, released  RELEASING   the settler: RELEASED
//	9  CANCELLED     pending, released  RELEASED    the settler: forgotten
//	10 CANCELLED     –                  RELEASED    the end of a cancellation, or of a rejection
//
// COMPLETED is CONFIRMED here, and REJECTED as CANCELLED.
package vessel

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Name is the service's name, in the registry and as the name of its file in the data directory.
const Name = "vessel"

// Vessel is a ship that a carrier offers.
type Vessel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// IMO is the ship's IMO number, seven digits, or empty.
	IMO string `json:"imo,omitempty"`
	// Capacity is in TEU, MaxWeight in kg.
	Capacity  int32  `json:"capacity"`
	MaxWeight int32  `json:"max_weight"`
	OwnerID   string `json:"owner_id"`
	// OpenSailing tells whether a sailing without ports was opened with the vessel.
	OpenSailing bool      `json:"open_sailing"`
	CreatedAt   time.Time `json:"created_at"`
}

func openVessels(ctx context.Context, db store.DB) (*store.Collection[Vessel], error) {
	return store.Open(ctx, db, store.Spec[Vessel]{
		Name: "vessels",
		ID:   func(v *Vessel) string { return v.ID },
	})
}

func (v *Vessel) message(version int64) *vesselpb.Vessel {
	open := v.OpenSailing
	return &vesselpb.Vessel{
		Id:          v.ID,
		Name:        v.Name,
		Imo:         v.IMO,
		Capacity:    v.Capacity,
		MaxWeight:   v.MaxWeight,
		OwerId:      v.OwnerID,
		Available:   v.OpenSailing,
		OpenSailing: &open,
		CreatedAt:   timestamppb.New(v.CreatedAt),
		Version:     version,
	}
}
