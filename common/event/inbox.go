package event

import (
	"context"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

// Inbox turns events into documents, each event into one, however often it is delivered. The document's id is the event's,
// so the check for a repeat and the effect are the same atomic write and no list of seen events can drift from the effects.
type Inbox[T any] struct {
	documents *store.Collection[T]
	make      func(Envelope) T
}

// NewInbox makes an inbox whose documents are made from events by make; their id must be the event's.
func NewInbox[T any](documents *store.Collection[T], make func(Envelope) T) *Inbox[T] {
	return &Inbox[T]{documents: documents, make: make}
}

// Handle is the broker.Handler of the inbox: it acknowledges when the document is stored, now or before.
func (in *Inbox[T]) Handle(ctx context.Context, m broker.Message) error {
	e, err := decode(m.Body)
	if err != nil {
		return err
	}
	_, err = in.documents.Insert(trace.Continue(ctx, e.TraceParent), in.make(e))
	if store.IsDuplicate(err, store.ByID) {
		return nil
	}
	return err
}
