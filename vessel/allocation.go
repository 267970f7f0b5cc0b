package vessel

import (
	"context"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// Allocation is the room that one booking takes on one voyage. It is written before the room is taken, so that whatever
// crashes, there is something to find and settle.
type Allocation struct {
	BookingID string          `json:"booking_id"`
	VoyageID  string          `json:"voyage_id"`
	Need      Need            `json:"need"`
	Span      Span            `json:"span"`
	State     AllocationState `json:"state"`
	// WasFirm tells, in a RELEASING allocation, that it was FIRM before and so is counted in the ledger.
	WasFirm   bool      `json:"was_firm,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// AllocationState is where an allocation is in its life:
//
//	INTENT ──▶ FIRM ──▶ RELEASING ──▶ RELEASED
//	   └───────────────────▲
//
// An INTENT is counted exactly when its voyage's ledger has it pending as reserved. FIRM is counted. RELEASING is being
// taken out of the count. RELEASED is not counted and never will be again.
type AllocationState string

const (
	StateIntent    AllocationState = "INTENT"
	StateFirm      AllocationState = "FIRM"
	StateReleasing AllocationState = "RELEASING"
	StateReleased  AllocationState = "RELEASED"
)

// Indexes of the allocations.
const (
	byBooking = "booking"
	// byOpenEnd finds allocations that somebody has to finish, oldest first.
	byOpenEnd = "open_end"
)

func openAllocations(ctx context.Context, db store.DB) (*store.Collection[Allocation], error) {
	return store.Open(ctx, db, store.Spec[Allocation]{
		Name: "allocations",
		ID:   func(a *Allocation) string { return allocationID(a.VoyageID, a.BookingID) },
		Indexes: []store.Index[Allocation]{
			{Name: byBooking, Keys: func(a *Allocation) []store.Key { return store.Matches(a.BookingID) }},
			{Name: byOpenEnd, Keys: func(a *Allocation) []store.Key {
				if a.State != StateIntent && a.State != StateReleasing {
					return nil
				}
				return []store.Key{{Match: "yes", Order: store.TimeOrder(a.CreatedAt)}}
			}},
		},
	})
}

func allocationID(voyage, booking string) string { return voyage + "/" + booking }
