package vessel

import (
	"context"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// Allocation is what has become of a booking's room on a voyage. It is written once the booking has come to an end, or is given
// up; until then the voyage's ledger has the booking pending, and knows all about it.
type Allocation struct {
	BookingID string          `json:"booking_id"`
	VoyageID  string          `json:"voyage_id"`
	State     AllocationState `json:"state"`
	// Need and Span are the room of an allocation that is, or was, FIRM.
	Need Need `json:"need,omitzero"`
	Span Span `json:"span,omitzero"`
	// WasFirm tells, in a RELEASING allocation, that it was FIRM before.
	WasFirm   bool      `json:"was_firm,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// AllocationState is where an allocation is in its life:
//
//	(pending in the ledger alone) ──▶ FIRM ──▶ RELEASING ──▶ RELEASED
//	              └──────────────────────────────▲
//
// Who inserts the document first decides which way a pending booking goes. FIRM is counted. RELEASING is being taken out of
// the count. RELEASED is not counted and never will be again.
type AllocationState string

const (
	StateFirm      AllocationState = "FIRM"
	StateReleasing AllocationState = "RELEASING"
	StateReleased  AllocationState = "RELEASED"
)

// byOpenEnd finds releases that somebody has to finish, oldest first.
const byOpenEnd = "open_end"

func openAllocations(ctx context.Context, db store.DB) (*store.Collection[Allocation], error) {
	return store.Open(ctx, db, store.Spec[Allocation]{
		Name: "allocations",
		ID:   func(a *Allocation) string { return allocationID(a.VoyageID, a.BookingID) },
		Indexes: []store.Index[Allocation]{
			{Name: byOpenEnd, Keys: func(a *Allocation) []store.Key {
				if a.State != StateReleasing {
					return nil
				}
				return []store.Key{{Match: "yes", Order: store.TimeOrder(a.CreatedAt)}}
			}},
		},
	})
}

func allocationID(voyage, booking string) string { return voyage + "/" + booking }
