package vessel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

// fleet makes vessels and voyages.
//
// A voyage takes three writes: the voyage as PLANNED, its ledger, the voyage as OPEN. A vessel with an open sailing is
// written between the first and the second, so a sailing whose vessel never came about is known by that and removed.
type fleet struct {
	vessels *store.Collection[Vessel]
	voyages *store.Collection[Voyage]
	ledgers *store.Collection[Ledger]
	now     func() time.Time
}

// makingTimeout is the longest that a request may take to make a vessel or a voyage; what is left PLANNED after the longer
// time of abandoned is nobody's.
const makingTimeout = 5 * time.Second

// commission stores a vessel, and opens its sailing without ports if it is to have one.
func (f *fleet) commission(ctx context.Context, v Vessel) (store.Document[Vessel], store.Document[Voyage], error) {
	ctx, cancel := context.WithTimeout(ctx, makingTimeout)
	defer cancel()
	var sailing store.Document[Voyage]
	if v.OpenSailing {
		var err error
		if sailing, err = f.plan(ctx, Voyage{
			Number:    "OPEN",
			VesselID:  v.ID,
			OwnerID:   v.OwnerID,
			Capacity:  v.Capacity,
			MaxWeight: v.MaxWeight,
		}); err != nil {
			return store.Document[Vessel]{}, sailing, err
		}
	}
	record, err := event.New(ctx, v.CreatedAt, "vessel", "created", v.ID, 1).Record(map[string]any{
		"capacity": v.Capacity, "max_weight": v.MaxWeight,
	})
	if err != nil {
		return store.Document[Vessel]{}, sailing, err
	}
	vessel, err := f.vessels.Insert(ctx, v, record)
	if err != nil || !v.OpenSailing {
		return vessel, sailing, err
	}
	sailing, err = f.open(ctx, sailing)
	return vessel, sailing, err
}

// plan stores a voyage that nobody sees yet. Its id is made here.
func (f *fleet) plan(ctx context.Context, v Voyage) (store.Document[Voyage], error) {
	id, err := uuid.NewV7()
	if err != nil {
		return store.Document[Voyage]{}, fmt.Errorf("make an id: %w", err)
	}
	v.ID = id.String()
	v.State = Planned
	v.CreatedAt = f.now().UTC()
	v.TraceParent, _ = trace.Headers(ctx)
	return f.voyages.Insert(ctx, v)
}

// open gives a planned voyage its ledger and opens it. Repeating it is harmless.
func (f *fleet) open(ctx context.Context, planned store.Document[Voyage]) (store.Document[Voyage], error) {
	if _, err := f.ledgers.Insert(ctx, newLedger(&planned.Value)); err != nil && !store.IsDuplicate(err, store.ByID) {
		return planned, err
	}
	opened, err := f.markOpen(ctx, planned.Value.ID)
	if errors.Is(err, store.ErrNotFound) {
		// It was taken for abandoned while this request slept, and removed; the ledger takes bookings, so it comes back.
		if _, err := f.voyages.Insert(ctx, planned.Value); err != nil && !store.IsDuplicate(err, store.ByID) {
			return planned, err
		}
		return f.markOpen(ctx, planned.Value.ID)
	}
	return opened, err
}

func (f *fleet) markOpen(ctx context.Context, voyage string) (store.Document[Voyage], error) {
	return f.voyages.Update(ctx, voyage, func(doc *store.Document[Voyage]) ([]store.Event, error) {
		if doc.Value.State != Planned {
			return nil, store.ErrUnchanged
		}
		doc.Value.State = Open
		opened := event.New(ctx, f.now(), "voyage", "opened", doc.Value.ID, doc.Version)
		opened.ActorID = doc.Value.OwnerID
		record, err := opened.Record(map[string]any{"vessel_id": doc.Value.VesselID, "number": doc.Value.Number})
		return []store.Event{record}, err
	})
}

// mend finishes or removes a voyage that was left PLANNED by a crash.
func (f *fleet) mend(ctx context.Context, planned store.Document[Voyage]) error {
	_, err := f.vessels.Get(ctx, planned.Value.VesselID)
	if errors.Is(err, store.ErrNotFound) {
		return f.voyages.Delete(ctx, planned.Value.ID, planned.Version)
	}
	if err != nil {
		return err
	}
	ctx = trace.Continue(ctx, planned.Value.TraceParent)
	ctx = auth.NewContext(ctx, auth.Identity{Service: Name, UserID: planned.Value.OwnerID})
	_, err = f.open(ctx, planned)
	return err
}
