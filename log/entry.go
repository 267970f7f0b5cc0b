// Package log is the log service: who did what, when, to which entity. It makes one entry of every event of every service
// and answers questions about them. Entries are never changed.
package log

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

// Name is the service's name, in the registry and as the name of its file in the data directory.
const Name = "log"

// Entry is the record of one event. Its id is the event's, so an event makes one entry however often it is delivered, and
// ids rise with time.
type Entry struct {
	ID         string          `json:"id"`
	EntityType string          `json:"entity_type"`
	EntityID   string          `json:"entity_id"`
	Action     string          `json:"action"`
	Version    int64           `json:"version"`
	ActorID    string          `json:"actor_id,omitempty"`
	Via        string          `json:"via,omitempty"` // as in event.Envelope
	At         time.Time       `json:"at"`
	TraceID    string          `json:"trace_id,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	// VisibleTo are the persons who may see the entry: the actor and those whom the event concerns.
	VisibleTo []string `json:"visible_to"`
}

func fromEvent(e event.Envelope) Entry {
	visible := slices.Clone(e.Audience)
	if e.ActorID != "" && !slices.Contains(visible, e.ActorID) {
		visible = append(visible, e.ActorID)
	}
	return Entry{
		ID:         e.ID,
		EntityType: e.EntityType,
		EntityID:   e.EntityID,
		Action:     e.Action,
		Version:    e.Version,
		ActorID:    e.ActorID,
		Via:        e.Via,
		At:         e.At,
		TraceID:    trace.ID(trace.Continue(context.Background(), e.TraceParent)),
		Data:       e.Data,
		VisibleTo:  visible,
	}
}

// The indexes of the collection. Each holds entries in the order of their ids, which is the order of time
// to the millisecond and as far as the services' clocks agree.
const (
	byReader = "reader"
	byEntity = "entity"
	byTrace  = "trace"
)

func openEntries(ctx context.Context, db store.DB) (*store.Collection[Entry], error) {
	return store.Open(ctx, db, store.Spec[Entry]{
		Name: "entries",
		ID:   func(e *Entry) string { return e.ID },
		Indexes: []store.Index[Entry]{
			{Name: byReader, Keys: func(e *Entry) []store.Key { return store.Matches(e.VisibleTo...) }},
			{Name: byEntity, Keys: func(e *Entry) []store.Key { return store.Matches(e.EntityID) }},
			{Name: byTrace, Keys: func(e *Entry) []store.Key { return store.Matches(e.TraceID) }},
		},
	})
}
