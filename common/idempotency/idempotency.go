// Package idempotency makes a change once, however often it is asked for under one Idempotency-Key.
//
// The service that owns a change keeps its key, so that every client has it, over HTTP as over gRPC. An intent is stored
// before any work: whose request it is, a hash of it, and the id that the entity will get which the request makes. Then comes
// the work under that id, then the answer is stored. So for 24 hours from the first request:
//
//   - The same request, again, gets the first final answer: a success, or a refusal such as no_capacity. rpc.KeyReplayed is
//     "true" beside it, and nothing is done.
//   - Another request under the same key is idempotency_key_reused.
//   - The same request while one is being worked on is a conflict with a time to try again.
//   - What was not final (unauthenticated, too_many_requests, anything with a time to try again, everything that failed on our
//     side or ran out of time) is not kept: asking again does the work.
//
// Replicas share nothing but the store. Who inserts the intent works, and holds a lease of ten seconds meanwhile; its handler is
// given eight. When a worker dies, or its answer was not final, the next request takes the intent over by compare-and-set
// and works on under the same entity id. So a handler asks [NewID] for the id, and where the request is [Resumed] it looks
// whether the entity is there already, wholly or half made, and finishes it or answers with it.
//
// An answer that cannot be stored after the work was done is given to the caller all the same: the work cannot be taken back,
// and an error would only make the caller ask again. Who asks again resumes, once the lease is over, and finds the entity. For
// the same reason nothing is lost when a caller goes away: the lease is ended, or the answer stored, without its context.
package idempotency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// Kept is how long a key counts, from its first request.
	Kept = 24 * time.Hour
	// lease is how long an intent is one worker's. working is what its handler is given of that: what is left is for the clocks
	// of replicas to differ by, and for a handler that finishes when its context has ended.
	lease   = 10 * time.Second
	working = 8 * time.Second
	// writing bounds one write to the store, which does not end with the caller's context.
	writing = 2 * time.Second
)

// Keeper keeps the keys of one service. It is safe for concurrent use, also with keepers of other replicas on the same
// documents.
type Keeper struct {
	id      string
	alone   bool
	intents *store.Collection[intent]
	now     func() time.Time
	log     *slog.Logger
}

// New opens the intents in a service's documents. alone says that no other process can have these documents open, as with a
// file that is locked: then whatever others left in work can be taken over at once.
func New(ctx context.Context, db store.DB, alone bool, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	intents, err := openIntents(ctx, db)
	if err != nil {
		return nil, err
	}
	id, err := freshID()
	if err != nil {
		return nil, err
	}
	return &Keeper{id: id, alone: alone, intents: intents, now: now, log: log}, nil
}

// Wrap is a server.HandlerWrapper for the calls that come with a key and change something. It belongs inside the wrappers that
// say who calls and refuse calls. Streams, methods declared NO_SIDE_EFFECTS, the calls of services and log-in pass as they are.
//
// Errors: invalid (the key), idempotency_key_reused, conflict.
func (k *Keeper) Wrap(next server.HandlerFunc) server.HandlerFunc {
	return func(ctx context.Context, req server.Request, rsp any) error {
		key, ok := req.Header()[rpc.KeyIdempotency]
		if !ok || !covers(ctx, req) {
			return next(ctx, req, rsp)
		}
		if err := fault.InvalidFields(rule.IdempotencyKey(key)); err != nil {
			return err
		}
		in, readable := req.Body().(proto.Message)
		out, typed := rsp.(proto.Message)
		if !readable || !typed {
			return next(ctx, req, rsp) // which says what is wrong with it
		}
		hash, err := hashOf(method(req), in)
		if err != nil {
			return err
		}
		w, kept, err := k.begin(ctx, idOf(ctx, method(req), key), hash)
		switch {
		case err != nil:
			return err
		case kept != nil:
			return kept.replay(ctx, out)
		}
		return w.do(ctx, out, func(ctx context.Context) error { return next(ctx, req, rsp) })
	}
}

// begin finds who works: the caller, who gets the work, or somebody who did before, whose answer it is then.
func (k *Keeper) begin(ctx context.Context, id string, hash []byte) (*work, *answer, error) {
	// A write that was begun is finished: of one that was cut off nobody would know whether it holds the lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	for ctx.Err() == nil {
		fresh, err := k.newIntent(id, hash)
		if err != nil {
			return nil, nil, err
		}
		doc, err := k.intents.Insert(ctx, fresh)
		if err == nil {
			return &work{keeper: k, doc: doc}, nil, nil
		}
		if !store.IsDuplicate(err, store.ByID) {
			return nil, nil, err
		}
		doc, err = k.intents.Get(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // it had expired, and is gone
		}
		if err != nil {
			return nil, nil, err
		}
		next, resumed := fresh, false
		if !k.expired(&doc.Value) {
			if kept, err := k.settled(&doc.Value, hash); kept != nil || err != nil {
				return nil, kept, err
			}
			next, resumed = doc.Value, true
			k.take(&next)
		}
		doc, err = k.intents.Replace(ctx, next, doc.Version)
		switch {
		case err == nil:
			return &work{keeper: k, doc: doc, resumed: resumed}, nil, nil
		case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound):
			return nil, nil, err
		}
		// Somebody else took it over, or it is gone: look again.
	}
	return nil, nil, fmt.Errorf("find out who works on a request: %w", ctx.Err())
}
