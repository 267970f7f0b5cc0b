// Package log is the log service: who did what, when, to which entity. It makes one entry of every event of every service
// and answers questions about them. Entries are never changed, and package chain is how anybody can prove it.
package log

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/trace"
)

// Name is the service's name, in the registry and as the name of its file in the data directory.
const Name = "log"

// Entry is the record of one event. Its id is the event's, so an event makes one entry however often it is delivered, and
// ids rise with time. Its JSON is what the hash chains are made of: a field may be added, none renamed.
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
	var visible []string
	for _, person := range append(slices.Clone(e.Audience), e.ActorID) {
		if person != "" && !slices.Contains(visible, person) {
			visible = append(visible, person)
		}
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

// maxContent bounds an entry, so that a page of any entries fits into an answer.
const maxContent = 1 << 20

// content is the entry's JSON, the bytes that are hashed and kept. Errors: invalid, for an entry that can never be stored.
func (e *Entry) content() ([]byte, error) {
	for _, id := range append([]string{e.ID, e.EntityID}, e.VisibleTo...) {
		if !rule.PlausibleID(id) {
			return nil, fault.New(fault.Invalid, "%q in event %q cannot be an id", id, e.ID)
		}
	}
	content, err := json.Marshal(e)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "event %s has no JSON", e.ID)
	}
	if !utf8.Valid(content) { // decoders let it pass in Data, but it is no text for a store
		content = bytes.ToValidUTF8(content, []byte("\uFFFD"))
	}
	if len(content) > maxContent {
		return nil, fault.New(fault.Invalid, "event %s makes an entry of %d bytes, at most %d can be kept", e.ID, len(content), maxContent)
	}
	return content, nil
}
