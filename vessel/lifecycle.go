package vessel

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

const (
	// closeEvery is how often voyages past their cut-off are looked for. Their ledgers refuse bookings from the cut-off on;
	// this is how long their state may still say OPEN.
	closeEvery = 500 * time.Millisecond
	// closers is how many voyages are closed at once, so that their writes share commits.
	closers = 32
)

// close ends the booking of a voyage. When it returns nil no booking comes in any more. Repeating it is harmless.
//
// Three writes: the voyage notes that its booking has ended, the ledger is closed, the voyage becomes CLOSED. So whoever sees
// it CLOSED can rely on the ledger, and a closing that a crash cut off is found by the note and finished by closeDue.
//
// Errors: not_found, wrong_state.
func (f *fleet) close(ctx context.Context, voyage string) (store.Document[Voyage], error) {
	doc, err := f.update(ctx, voyage, func(doc *store.Document[Voyage]) ([]store.Event, error) {
		v := &doc.Value
		switch {
		case v.State == Closed, v.State == Open && !v.EndedAt.IsZero():
			return nil, store.ErrUnchanged
		case v.State != Open:
			return nil, v.move(Closed)
		}
		v.EndedAt = f.now().UTC()
		v.TraceParent, _ = trace.Headers(ctx)
		return nil, nil
	})
	if err != nil {
		return doc, err
	}
	return f.finishClosing(ctx, voyage, nil)
}

// finishClosing closes the ledger of a voyage whose booking has ended, and then the voyage.
func (f *fleet) finishClosing(ctx context.Context, voyage string, data map[string]any) (store.Document[Voyage], error) {
	if err := f.books.close(ctx, voyage); err != nil {
		return store.Document[Voyage]{}, err
	}
	return f.advance(ctx, voyage, Closed, data)
}

// depart notes that a voyage has sailed, and closes it first where that is not done. Repeating it is harmless.
// Errors: not_found, wrong_state.
func (f *fleet) depart(ctx context.Context, voyage string) (store.Document[Voyage], error) {
	doc, err := f.find(ctx, voyage)
	if err == nil && doc.Value.State == Open {
		doc, err = f.close(ctx, voyage)
	}
	if err != nil {
		return doc, err
	}
	return f.advance(ctx, voyage, Departed, nil)
}

// complete notes that a voyage has ended. Its event makes the consignment service complete what it carried. Repeating it is
// harmless. Errors: not_found, wrong_state.
func (f *fleet) complete(ctx context.Context, voyage string) (store.Document[Voyage], error) {
	return f.advance(ctx, voyage, Completed, nil)
}

// advance moves a voyage to a state, unless it is there already. Errors: not_found, wrong_state.
func (f *fleet) advance(ctx context.Context, voyage string, to VoyageState, data map[string]any) (store.Document[Voyage], error) {
	return f.update(ctx, voyage, func(doc *store.Document[Voyage]) ([]store.Event, error) {
		if doc.Value.State == to {
			return nil, store.ErrUnchanged
		}
		return f.move(ctx, doc, to, data)
	})
}

// update changes a voyage. Errors: not_found, those of change.
func (f *fleet) update(ctx context.Context, voyage string, change func(*store.Document[Voyage]) ([]store.Event, error)) (store.Document[Voyage], error) {
	doc, err := f.voyages.Update(ctx, voyage, change)
	if errors.Is(err, store.ErrNotFound) {
		err = errNoVoyage()
	}
	return doc, err
}

// move changes the state of a voyage within an update, and makes the event of it, with what else is worth knowing in data.
// Errors: wrong_state.
func (f *fleet) move(ctx context.Context, doc *store.Document[Voyage], to VoyageState, data map[string]any) ([]store.Event, error) {
	v := &doc.Value
	if err := v.move(to); err != nil {
		return nil, err
	}
	moved := event.New(ctx, f.now(), "voyage", to.action(), v.ID, doc.Version)
	moved.ActorID = v.OwnerID // who made the voyage, also where the service goes on with it
	known := map[string]any{"vessel_id": v.VesselID, "number": v.Number}
	maps.Copy(known, data)
	record, err := moved.Record(known)
	return []store.Event{record}, err
}

// find finds a voyage that is not just being made. Errors: not_found.
func (f *fleet) find(ctx context.Context, voyage string) (store.Document[Voyage], error) {
	doc, err := f.voyages.Get(ctx, voyage)
	if errors.Is(err, store.ErrNotFound) || err == nil && doc.Value.State == Planned {
		return doc, errNoVoyage()
	}
	return doc, err
}

// closeDue closes the voyages whose cut-off has come, and those whose closing was cut off.
func (f *fleet) closeDue(ctx context.Context) error {
	now := f.now()
	list := store.List[Voyage]{
		Index: byState,
		Match: string(Open),
		Until: store.TimeOrder(now),
		// A request that closes a voyage is given time to do so.
		Where: func(v *Voyage) bool { return v.EndedAt.IsZero() || now.Sub(v.EndedAt).Abs() > abandoned },
		Limit: 100,
	}
	var failures []error
	for page, err := range f.voyages.Pages(ctx, list) {
		failures = append(failures, err, fanout.All(len(page.Items), closers, func(i int) error {
			v := page.Items[i].Value
			var data map[string]any
			if v.EndedAt.IsZero() {
				data = map[string]any{"cut_off": v.CutOff}
			}
			_, err := f.finishClosing(onBehalf(ctx, &v), v.ID, data)
			if errors.Is(err, fault.WrongState) {
				return nil // its owner has closed it meanwhile, and it has departed
			}
			return err
		}))
	}
	return errors.Join(failures...)
}
