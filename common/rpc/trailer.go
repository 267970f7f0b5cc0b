package rpc

import (
	"context"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	grpcmd "google.golang.org/grpc/metadata"
)

// KeyReplayed is "true" beside an answer that was not worked out now, but given before and kept: the caller's change was made
// by an earlier call.
const KeyReplayed = "idempotent-replayed"

// trailing lists the keys that may come back with an answer; others stay behind.
var trailing = []string{KeyReplayed}

// Trailer is what services say beside their answers, whether those are successes or errors. It is safe for concurrent use.
type Trailer struct {
	mu     sync.Mutex
	values map[string]string
}

// Get is the value under a key, empty where no service said anything. Where several calls or attempts did, the last one counts.
func (t *Trailer) Get(key string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.values[key]
}

func (t *Trailer) set(key, value string) {
	if !slices.Contains(trailing, key) || !printable(value) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values == nil {
		t.values = make(map[string]string, len(trailing))
	}
	t.values[key] = value
}

// gather takes over what another trailer has by now.
func (t *Trailer) gather(from *Trailer) {
	for _, key := range trailing {
		if value := from.Get(key); value != "" {
			t.set(key, value)
		}
	}
}

// gatherGRPC takes over what came with a gRPC answer.
func (t *Trailer) gatherGRPC(md grpcmd.MD) {
	for _, key := range trailing {
		if values := md.Get(key); len(values) > 0 {
			t.set(key, strings.Join(values, ","))
		}
	}
}

type (
	gatheredKey struct{} // the Trailer of a caller
	saidKey     struct{} // the Trailer of a handler in process
)

// WithTrailer returns a context whose unary calls gather what services say beside their answers. A call has gathered it when
// it returns; one that returns before its handler does, because its time was up, gathers nothing.
func WithTrailer(ctx context.Context) (context.Context, *Trailer) {
	t := &Trailer{}
	return context.WithValue(ctx, gatheredKey{}, t), t
}

// gathered is the trailer that a caller wants filled in, nil where nobody does.
func gathered(ctx context.Context) *Trailer {
	t, _ := ctx.Value(gatheredKey{}).(*Trailer)
	return t
}

// withSaid is the context of a handler in process, with a trailer of its own where its caller wants one: what a handler says
// that was left behind does not come back.
func withSaid(ctx context.Context, wanted bool) (context.Context, *Trailer) {
	if !wanted {
		return ctx, nil
	}
	t := &Trailer{}
	return context.WithValue(ctx, saidKey{}, t), t
}

// SetTrailer says something beside the answer of the unary call whose handler or wrapper has ctx. It does nothing for keys that
// are not on the list of this package, and once the call has ended.
func SetTrailer(ctx context.Context, key, value string) {
	if t, ok := ctx.Value(saidKey{}).(*Trailer); ok {
		t.set(key, value)
		return
	}
	if grpc.ServerTransportStreamFromContext(ctx) == nil || !slices.Contains(trailing, key) || !printable(value) {
		return
	}
	_ = grpc.SetTrailer(ctx, grpcmd.Pairs(key, value)) // fails only once the call has ended
}
