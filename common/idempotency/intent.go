package idempotency

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
)

// intent is what is kept of a request with a key.
type intent struct {
	ID string `json:"id"`
	// Request is the hash of what was asked for.
	Request []byte `json:"request"`
	// EntityID is the id of what the request makes.
	EntityID  string    `json:"entity_id"`
	CreatedAt time.Time `json:"created_at"`
	// LeaseUntil is until when one worker has the intent to itself; zero when none has.
	LeaseUntil time.Time `json:"lease_until,omitzero"`
	// Answer is nil until there is a final one.
	Answer *answer `json:"answer,omitempty"`
}

// answer is a success, or a refusal where that has a code.
type answer struct {
	// Message is the answer's protobuf encoding.
	Message []byte `json:"message,omitempty"`

	Code   fault.Code    `json:"code,omitempty"`
	Text   string        `json:"text,omitempty"`
	Fields []fault.Field `json:"fields,omitempty"`
}

// byAge finds intents by when they were made.
const (
	byAge  = "age"
	anyAge = "any"
)

func openIntents(ctx context.Context, db store.DB) (*store.Collection[intent], error) {
	return store.Open(ctx, db, store.Spec[intent]{
		Name: "idempotency",
		ID:   func(i *intent) string { return i.ID },
		Indexes: []store.Index[intent]{
			{Name: byAge, Keys: func(i *intent) []store.Key {
				return []store.Key{{Match: anyAge, Order: store.TimeOrder(i.CreatedAt)}}
			}},
		},
	})
}

// newIntent is that of a first request, whose worker has the lease.
func newIntent(id string, hash []byte, now time.Time) (intent, error) {
	entity, err := freshID()
	if err != nil {
		return intent{}, err
	}
	return intent{ID: id, Request: hash, EntityID: entity, CreatedAt: now.UTC(), LeaseUntil: now.Add(lease).UTC()}, nil
}

// expired tells whether the intent counts no more. One that is worked on counts until that is over. One that was made far in
// the future is from before the clock was put right.
func (i *intent) expired(now time.Time) bool {
	return now.Sub(i.CreatedAt).Abs() >= Kept && i.leased(now) == 0
}

// leased is how long somebody still has the intent to himself. Leases are compared with the clocks of other replicas; one
// that ends later than those can explain is from before the clock was put right.
func (i *intent) leased(now time.Time) time.Duration {
	left := i.LeaseUntil.Sub(now)
	if left <= 0 || left > 2*lease {
		return 0
	}
	return left
}

// settled is what a request gets that may not work: the answer that is there, or an error. Errors: idempotency_key_reused,
// conflict.
func (i *intent) settled(hash []byte, now time.Time) (*answer, error) {
	if !bytes.Equal(i.Request, hash) {
		return nil, fault.New(fault.KeyReused, "the Idempotency-Key was used with another request in the last 24 hours: take another key")
	}
	if i.Answer != nil {
		return i.Answer, nil
	}
	if left := i.leased(now); left > 0 {
		return nil, fault.New(fault.Conflict, "a request with this Idempotency-Key is being worked on; try again shortly").
			WithRetryAfter(max(left, time.Second))
	}
	return nil, nil
}

// answerOf is what is kept of how a handler ended; nil where that is not final.
func answerOf(out proto.Message, err error) (*answer, error) {
	if err == nil {
		message, err := proto.Marshal(out)
		return &answer{Message: message}, err
	}
	f := fault.From(err)
	if !final(f) {
		return nil, nil
	}
	return &answer{Code: f.Code, Text: f.Message, Fields: f.Fields}, nil
}

// final tells whether a refusal would be the same again: it is about the request, and not about who asks or when.
func final(f *fault.Error) bool {
	if f.RetryAfter > 0 {
		return false
	}
	switch f.Code {
	case fault.Unauthenticated, fault.BadCredentials, fault.TooManyRequests, fault.Canceled:
		return false
	}
	return f.Code.HTTP() < 500
}

// replay gives the answer again, and says that it did.
func (a *answer) replay(ctx context.Context, out proto.Message) error {
	if a.Code == "" {
		proto.Reset(out)
		if err := proto.Unmarshal(a.Message, out); err != nil {
			return fault.Wrap(fault.Internal, err, "the answer that was given before cannot be read")
		}
	}
	rpc.SetTrailer(ctx, rpc.KeyReplayed, "true")
	if a.Code != "" {
		return &fault.Error{Code: a.Code, Message: a.Text, Fields: a.Fields}
	}
	return nil
}
