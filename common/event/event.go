// Package event brings every change to those who want to know of it, whatever dies in between.
//
// An event is written into the outbox of the document that changed, in the same atomic write. A relay publishes what waits
// in outboxes, at least once and in order per document, and survives every failure of the broker. A consumer drops what it
// has had before: its handler writes what it makes of an event under the event's own id. What a handler cannot handle becomes a
// dead letter, with its reason, and blocks nobody.
//
// Publishing after the write loses the event when the process dies in between; publishing before it announces changes that
// may never happen. Hence the outbox.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

// Envelope is an event as it is stored and sent: JSON, these field names.
type Envelope struct {
	// ID is the event's own id, a UUID version 7: ids rise with time.
	ID string `json:"id"`
	// EntityType and Action say what happened: "consignment", "confirmed".
	EntityType string `json:"entity_type"`
	Action     string `json:"action"`
	EntityID   string `json:"entity_id"`
	// Version is the entity's version that the change made. An action happens once per entity and version.
	Version int64 `json:"version"`
	// ActorID is the person who did it, also where a service finished it on their behalf.
	ActorID string `json:"actor_id,omitempty"`
	// Via is the service that did it on the person's behalf, when it was not done in a request of theirs, or the operator.
	Via string    `json:"via,omitempty"`
	At  time.Time `json:"at"`
	// TraceParent continues the trace of the request that caused the event (W3C Trace Context).
	TraceParent string `json:"traceparent,omitempty"`
	// Audience are the persons besides the actor whom the event concerns: they may see it.
	Audience []string `json:"audience,omitempty"`
	// Data is a JSON object with what is worth knowing. Never e-mails, names or secrets.
	Data json.RawMessage `json:"data,omitempty"`
}

// Type is the event's type: "consignment.confirmed".
func (e Envelope) Type() string { return e.EntityType + "." + e.Action }

// New makes the envelope of a change made in ctx: its actor is the person of the context's identity, its trace the context's.
func New(ctx context.Context, at time.Time, entityType, action, entityID string, version int64) Envelope {
	e := Envelope{
		EntityType: entityType,
		Action:     action,
		EntityID:   entityID,
		Version:    version,
		At:         at.UTC(),
	}
	if i, ok := auth.FromContext(ctx); ok {
		e.ActorID, e.Via = i.UserID, i.Service
	}
	e.TraceParent, _ = trace.Headers(ctx)
	return e
}

// Record encodes the event for the outbox of its document. data becomes Data; nil means none.
func (e Envelope) Record(data any) (store.Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return store.Event{}, fmt.Errorf("make an event id: %w", err)
	}
	e.ID = id.String()
	e.Audience = slices.Compact(slices.Sorted(slices.Values(e.Audience)))
	if data != nil {
		if e.Data, err = json.Marshal(data); err != nil {
			return store.Event{}, fmt.Errorf("encode the data of %s: %w", e.Type(), err)
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return store.Event{}, fmt.Errorf("encode %s: %w", e.Type(), err)
	}
	return store.Event{ID: e.ID, Body: body}, nil
}

// Topic is the topic of a service's events.
func Topic(service string) string { return "fairway." + service }

func decode(body []byte) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("decode an event: %w", err)
	}
	if e.ID == "" || e.EntityID == "" || e.EntityType == "" || e.Action == "" {
		return e, fmt.Errorf("decode an event: id, entity or action is missing")
	}
	return e, nil
}
