package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
)

// maxReason bounds, in bytes, what is kept of an error. Some quote all that they were given.
const maxReason = 2048

// DeadLetter is an event that a service could not handle, and why.
type DeadLetter struct {
	// ID is the event's; of a message that is no event, or has no sound id, the SHA-256 of its topic and body in hexadecimal.
	// So an event has one letter, however often it is delivered and fails.
	ID string `json:"id"`
	// Source is the topic it came from.
	Source string `json:"source"`
	// Type and EntityID are the event's, empty when the payload is no event.
	Type     string `json:"type,omitempty"`
	EntityID string `json:"entity_id,omitempty"`
	// Reason is the last failure, at most 2 kB of UTF-8.
	Reason string `json:"reason"`
	// Attempts is how often it was tried, redrives included.
	Attempts int `json:"attempts"`
	// Since is when it became a dead letter, FailedAt when it was last tried.
	Since    time.Time `json:"since"`
	FailedAt time.Time `json:"failed_at"`
	// Payload is the body of the message, byte for byte.
	Payload []byte `json:"payload"`
}

// unreadable is the letter of a message that is no event.
func unreadable(m broker.Message) DeadLetter {
	h := sha256.New()
	_, _ = io.WriteString(h, m.Topic+"\x00")
	_, _ = h.Write(m.Body)
	return DeadLetter{ID: hex.EncodeToString(h.Sum(nil)), Source: m.Topic, Payload: m.Body}
}

// readable is the letter of an event. An id that nobody could ask for is as good as none.
func readable(m broker.Message, e Envelope) DeadLetter {
	letter := unreadable(m)
	letter.Type, letter.EntityID = e.Type(), e.EntityID
	if rule.PlausibleID(e.ID) {
		letter.ID = e.ID
	}
	return letter
}

// fail notes a failure.
func (l *DeadLetter) fail(cause error, attempts int, at time.Time) {
	l.Reason = cut(cause.Error(), maxReason)
	l.Attempts += attempts
	l.FailedAt = at.UTC()
}

// cut makes valid UTF-8 of a text, of at most so many bytes.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:most-len(mark)], "") + mark
}

// DeadLetters is the collection of a service's dead letters. Only redriving and dropping takes one away: where an event is
// delivered once more and handled then, its letter stays, and redriving it does nothing a second time.
type DeadLetters struct {
	letters *store.Collection[DeadLetter]
}

// bySince holds all letters in the order in which they came. A failed redrive does not move a letter, so that walking the
// pages passes over none.
const (
	bySince = "since"
	every   = "all"
)

// OpenDeadLetters opens the collection dead_letters of a service.
func OpenDeadLetters(ctx context.Context, db store.DB) (*DeadLetters, error) {
	letters, err := store.Open(ctx, db, store.Spec[DeadLetter]{
		Name: "dead_letters",
		ID:   func(l *DeadLetter) string { return l.ID },
		Indexes: []store.Index[DeadLetter]{{Name: bySince, Keys: func(l *DeadLetter) []store.Key {
			return []store.Key{{Match: every, Order: store.TimeOrder(l.Since)}}
		}}},
	})
	if err != nil {
		return nil, err
	}
	return &DeadLetters{letters: letters}, nil
}

// List gives a page of at most limit letters, those that came last first, and the cursor of the next page. Payloads are left
// out. Errors: invalid.
func (d *DeadLetters) List(ctx context.Context, limit int, cursor string) (list []DeadLetter, next string, err error) {
	page, err := d.letters.Find(ctx, store.List[DeadLetter]{
		Index: bySince, Match: every, Descending: true, Limit: limit, Cursor: cursor,
	})
	if errors.Is(err, store.ErrCursor) {
		return nil, "", fault.InvalidFields(rule.Cursor())
	}
	if err != nil {
		return nil, "", err
	}
	list = make([]DeadLetter, len(page.Items))
	for i, doc := range page.Items {
		list[i] = doc.Value
		list[i].Payload = nil
	}
	return list, page.Next, nil
}

// Get finds a letter. Errors: not_found.
func (d *DeadLetters) Get(ctx context.Context, id string) (DeadLetter, error) {
	doc, err := d.letters.Get(ctx, id)
	return doc.Value, noLetter(err)
}

// Drop gives an event up for good. Errors: not_found.
func (d *DeadLetters) Drop(ctx context.Context, id string) error {
	return noLetter(d.letters.Delete(ctx, id, 0))
}

// put keeps a letter. Of an event that has one already, because it was delivered again, it adds the failure to that one.
func (d *DeadLetters) put(ctx context.Context, letter DeadLetter) error {
	_, err := d.letters.Insert(ctx, letter)
	if !store.IsDuplicate(err, store.ByID) {
		return err
	}
	_, err = d.letters.Update(ctx, letter.ID, func(doc *store.Document[DeadLetter]) ([]store.Event, error) {
		doc.Value.Reason, doc.Value.FailedAt = letter.Reason, letter.FailedAt
		doc.Value.Attempts += letter.Attempts
		return nil, nil
	})
	return err
}

// failedAgain notes the failure of a redrive. Errors: not_found, when the letter was taken away meanwhile.
func (d *DeadLetters) failedAgain(ctx context.Context, id string, cause error, at time.Time) error {
	_, err := d.letters.Update(ctx, id, func(doc *store.Document[DeadLetter]) ([]store.Event, error) {
		doc.Value.fail(cause, 1, at)
		return nil, nil
	})
	return noLetter(err)
}

func noLetter(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fault.Wrap(fault.NotFound, err, "there is no such dead letter")
	}
	return err
}
