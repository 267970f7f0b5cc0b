package idempotency

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

// work is one request on whose intent its worker has the lease.
type work struct {
	keeper *Keeper

	mu      sync.Mutex
	doc     store.Document[intent]
	resumed bool // an earlier worker may have begun under this id
	over    bool // the handler has returned
}

// do runs the handler and stores its answer. Where there is none to store, or the handler panics, the lease is ended, so that
// whoever asks again need not wait.
func (w *work) do(ctx context.Context, out proto.Message, handle func(context.Context) error) error {
	returned := false
	defer func() {
		if !returned {
			w.release(ctx)
		}
	}()
	if err := ctx.Err(); err != nil { // the caller went away meanwhile, and nothing has been done
		return fault.From(err)
	}
	bounded, cancel := context.WithTimeout(context.WithValue(ctx, workKey{}, w), working)
	defer cancel()
	err := handle(bounded)
	kept, failed := answerOf(out, err)
	if failed != nil {
		return failed
	}
	if kept == nil {
		return err
	}
	returned = true
	if first := w.keep(ctx, kept); first != nil {
		return first.replay(ctx, out)
	}
	return err
}

// keep stores the answer. Where the lease was lost to another worker who has answered by now, that answer came first and is
// returned: it is the one that everybody gets from then on.
func (w *work) keep(ctx context.Context, a *answer) (first *answer) {
	doc := w.end()
	next := doc.Value
	next.Answer, next.LeaseUntil = a, time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	_, err := w.keeper.intents.Replace(ctx, next, doc.Version)
	if err == nil {
		return nil
	}
	if errors.Is(err, store.ErrConflict) {
		if now, lost := w.keeper.intents.Get(ctx, next.ID); lost == nil && now.Value.Answer != nil {
			return now.Value.Answer
		}
	}
	w.keeper.log.WarnContext(ctx, "an answer was given but not kept; asking again resumes the request", "entity", next.EntityID, "error", err)
	return nil
}

// release ends the lease without an answer. If that fails it ends by itself.
func (w *work) release(ctx context.Context) {
	doc := w.end()
	next := doc.Value
	next.LeaseUntil = time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	if _, err := w.keeper.intents.Replace(ctx, next, doc.Version); err != nil {
		w.keeper.log.DebugContext(ctx, "a request that can be repeated has to wait for its lease", "entity", next.EntityID, "error", err)
	}
}

// end is the intent as the work leaves it, which nobody renews any more.
func (w *work) end() store.Document[intent] {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	return w.doc
}

func (w *work) renew(ctx context.Context) (string, error) {
	id, err := freshID()
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return "", fault.New(fault.Internal, "the id of a request was renewed after its end")
	}
	next := w.doc.Value
	next.EntityID = id
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
	defer cancel()
	doc, err := w.keeper.intents.Replace(ctx, next, w.doc.Version)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return "", fault.Wrap(fault.Conflict, err, "another request with this Idempotency-Key has taken over; try again shortly").
			WithRetryAfter(time.Second)
	}
	if err != nil {
		return "", err
	}
	w.doc, w.resumed = doc, false
	return id, nil
}
