package vessel

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

// fleet makes vessels and voyages, and takes voyages through their life (lifecycle.go).
//
// A voyage takes three writes: the voyage as PLANNED, its ledger, the voyage as OPEN. A vessel with an open sailing is
// written between the first and the second, so a sailing whose vessel never came about is known by that and removed.
type fleet struct {
	vessels *store.Collection[Vessel]
	voyages *store.Collection[Voyage]
	ledgers *store.Collection[Ledger]
	books   *books
	now     func() time.Time
}

// makingTimeout is the longest that a request may take to make a vessel or a voyage; what is left PLANNED after the longer
// time of abandoned is nobody's.
const makingTimeout = 5 * time.Second

// commission stores a vessel, and opens its sailing without ports if it is to have one. Repeating it for the same vessel
// finishes what an earlier attempt began.
func (f *fleet) commission(ctx context.Context, v Vessel) (store.Document[Vessel], store.Document[Voyage], error) {
	ctx, cancel := context.WithTimeout(ctx, makingTimeout)
	defer cancel()
	var sailing store.Document[Voyage]
	if v.OpenSailing {
		var err error
		if sailing, err = f.plan(ctx, Voyage{
			ID:        idempotency.Part(v.ID, "sailing"),
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
	if store.IsDuplicate(err, store.ByID) {
		vessel, err = f.vessels.Get(ctx, v.ID)
	}
	if err != nil || !v.OpenSailing {
		return vessel, sailing, err
	}
	sailing, err = f.open(ctx, sailing)
	return vessel, sailing, err
}

// plan stores a voyage that nobody sees yet; without an id it gets that of what the request makes. One that an earlier attempt
// has stored is found, wherever it stands by now.
func (f *fleet) plan(ctx context.Context, v Voyage) (store.Document[Voyage], error) {
	if v.ID == "" {
		id, err := idempotency.NewID(ctx)
		if err != nil {
			return store.Document[Voyage]{}, err
		}
		v.ID = id
	}
	v.State = Planned
	v.CreatedAt = f.now().UTC()
	v.TraceParent, _ = trace.Headers(ctx)
	for {
		doc, err := f.voyages.Insert(ctx, v)
		if !store.IsDuplicate(err, store.ByID) {
			return doc, err
		}
		// One that is removed meanwhile, as abandoned, is stored anew.
		if doc, err = f.voyages.Get(ctx, v.ID); !errors.Is(err, store.ErrNotFound) {
			return doc, err
		}
	}
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
		return f.move(ctx, doc, Open, nil)
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
	_, err = f.open(onBehalf(ctx, &planned.Value), planned)
	return err
}

// onBehalf is the context for what the service does about a voyage in place of its owner, after the owner's request.
func onBehalf(ctx context.Context, v *Voyage) context.Context {
	ctx = auth.NewContext(ctx, auth.Identity{Service: Name, UserID: v.OwnerID})
	return trace.Continue(ctx, v.TraceParent)
}
