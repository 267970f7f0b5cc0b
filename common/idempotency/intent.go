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
	// LeaseUntil is until when one worker has the intent to itself; zero when none has. Keeper is the id of the worker's keeper.
	LeaseUntil time.Time `json:"lease_until,omitzero"`
	Keeper     string    `json:"keeper,omitempty"`
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
func (k *Keeper) newIntent(id string, hash []byte) (intent, error) {
	entity, err := freshID()
	if err != nil {
		return intent{}, err
	}
	i := intent{ID: id, Request: hash, EntityID: entity, CreatedAt: k.now().UTC()}
	k.take(&i)
	return i, nil
}

// take gives a worker of this keeper the lease.
func (k *Keeper) take(i *intent) {
	i.LeaseUntil, i.Keeper = k.now().Add(lease).UTC(), k.id
}

// expired tells whether the intent counts no more. One that is worked on counts until that is over. One that was made far in
// the future is from before the clock was put right.
func (k *Keeper) expired(i *intent) bool {
	return k.now().Sub(i.CreatedAt).Abs() >= Kept && !k.leased(i)
}

// leased tells whether somebody has the intent to himself. Leases are compared with the clocks of other replicas; one that ends
// later than those can explain is from before the clock was put right. Of a keeper that is alone, the leases of others are
// those of processes that are dead.
func (k *Keeper) leased(i *intent) bool {
	left := i.LeaseUntil.Sub(k.now())
	return left > 0 && left <= 2*lease && (!k.alone || i.Keeper == k.id)
}

// settled is what a request gets that may not work: the answer that is there, or an error. Errors: idempotency_key_reused,
// conflict.
func (k *Keeper) settled(i *intent, hash []byte) (*answer, error) {
	if !bytes.Equal(i.Request, hash) {
		return nil, fault.New(fault.KeyReused, "the Idempotency-Key was used with another request in the last 24 hours: take another key")
	}
	if i.Answer != nil {
		return i.Answer, nil
	}
	if k.leased(i) {
		// Most work takes milliseconds; a worker that died is the rare case, and asking a few times more costs little.
		return nil, fault.New(fault.Conflict, "a request with this Idempotency-Key is being worked on; try again shortly").
			WithRetryAfter(time.Second)
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
