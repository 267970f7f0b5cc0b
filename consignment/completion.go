package consignment

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

const (
	// completeEvery is how often voyages that have ended are looked for.
	completeEvery = time.Second
	// lingering is how long after the end of a voyage its consignments are gone over once more. It is longer than any booking
	// stays RECEIVED, so one that was on its way onto the voyage when that closed has been confirmed or rejected by then, also
	// where the clocks of replicas differ.
	lingering = 15 * time.Second
)

// Completion is the task that the end of a voyage makes: its CONFIRMED consignments become COMPLETED. Its id is that of the
// event, so an event makes one task however often it is delivered. An event that comes again when its task is done makes
// another, which finds nothing to do.
type Completion struct {
	ID       string `json:"id"`
	VoyageID string `json:"voyage_id"`
	// CarrierID is the voyage's owner, who completed it.
	CarrierID string `json:"carrier_id"`
	// TraceParent is that of the request that completed the voyage.
	TraceParent string    `json:"traceparent,omitempty"`
	NotedAt     time.Time `json:"noted_at"`
	// Passed tells that the consignments have been gone over once.
	Passed bool `json:"passed,omitempty"`
}

func openCompletions(ctx context.Context, db store.DB) (*store.Collection[Completion], error) {
	return store.Open(ctx, db, store.Spec[Completion]{
		Name: "completions",
		ID:   func(c *Completion) string { return c.ID },
	})
}

// completer completes what voyages carried that have ended.
//
// The consumer of the vessel service's events only notes the task; the work is done in the background, a page of consignments
// at a time, and begins anew after a crash: each move is a compare-and-set, so none happens twice. A task is done when nothing
// that was RECEIVED before it is so any more and all consignments have been gone over after that.
type completer struct {
	*desk
	tasks *store.Collection[Completion]
}

// handle notes the end of a voyage. Other events do not concern it.
func (c *completer) handle(ctx context.Context, e event.Envelope) error {
	if e.Type() != "voyage.completed" {
		return nil
	}
	if e.ActorID == "" {
		return fault.New(fault.Invalid, "voyage %s was completed by nobody", e.EntityID)
	}
	_, err := c.tasks.Insert(ctx, Completion{
		ID:          e.ID,
		VoyageID:    e.EntityID,
		CarrierID:   e.ActorID,
		TraceParent: e.TraceParent,
		NotedAt:     c.now().UTC(),
	})
	if store.IsDuplicate(err, store.ByID) {
		return nil
	}
	return err
}

// work goes over all tasks once. One that fails stops none of the others.
func (c *completer) work(ctx context.Context) error {
	list := store.List[Completion]{Limit: 100}
	var failures []error
	for page, err := range c.tasks.Pages(ctx, list) {
		failures = append(failures, err)
		for _, task := range page.Items {
			failures = append(failures, c.do(ctx, task))
		}
	}
	return errors.Join(failures...)
}

// do goes over a task's consignments: when it is new, and again when nothing can come onto the voyage any more.
func (c *completer) do(ctx context.Context, task store.Document[Completion]) error {
	last := c.now().Sub(task.Value.NotedAt).Abs() >= lingering
	if last {
		settled, err := c.settled(ctx, task.Value.NotedAt)
		if err != nil {
			return err
		}
		last = settled
	}
	if task.Value.Passed && !last {
		return nil
	}
	if err := c.pass(ctx, &task.Value); err != nil {
		return err
	}
	if !last {
		task.Value.Passed = true
		_, err := c.tasks.Replace(ctx, task.Value, task.Version)
		return ignore(err, store.ErrConflict, store.ErrNotFound)
	}
	return ignore(c.tasks.Delete(ctx, task.Value.ID, 0), store.ErrNotFound)
}

// settled tells whether no booking from before a time is RECEIVED any more.
func (c *completer) settled(ctx context.Context, before time.Time) (bool, error) {
	page, err := c.consignments.Find(ctx, store.List[Consignment]{
		Index: byOpenEnd,
		Match: "yes",
		Until: store.TimeOrder(before),
		Where: func(b *Consignment) bool { return b.State == Received },
		Limit: 1,
	})
	return len(page.Items) == 0 && page.Next == "", err
}

// pass completes the CONFIRMED consignments of a voyage, in pages. The carrier is a party to every one of them.
func (c *completer) pass(ctx context.Context, task *Completion) error {
	ctx = auth.NewContext(ctx, auth.Identity{Service: Name, UserID: task.CarrierID})
	ctx = trace.Continue(ctx, task.TraceParent)
	list := store.List[Consignment]{
		Index: byVoyage,
		Match: voyageParty(task.VoyageID, task.CarrierID),
		Where: func(b *Consignment) bool { return b.State == Confirmed },
		Limit: 500,
	}
	var failures []error
	for page, err := range c.consignments.Pages(ctx, list) {
		failures = append(failures, err, fanout.All(len(page.Items), together, func(i int) error {
			return c.complete(ctx, page.Items[i].Value.ID)
		}))
	}
	return errors.Join(failures...)
}

// complete moves a booking from CONFIRMED to COMPLETED. One that is neither, because it was cancelled meanwhile, stays as it is.
func (d *desk) complete(ctx context.Context, id string) error {
	_, err := d.consignments.Update(ctx, id, func(doc *store.Document[Consignment]) ([]store.Event, error) {
		if doc.Value.State != Confirmed {
			return nil, store.ErrUnchanged
		}
		if err := doc.Value.move(Completed); err != nil {
			return nil, err
		}
		completed, err := d.event(ctx, &doc.Value, "completed", doc.Version, map[string]any{"voyage_id": doc.Value.VoyageID})
		return []store.Event{completed}, err
	})
	return err
}

// ignore drops an error that is one of those named.
func ignore(err error, named ...error) error {
	for _, n := range named {
		if errors.Is(err, n) {
			return nil
		}
	}
	return err
}
