package idempotency_test

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairwayfreight/fairway/common/rpc"
)

// trailers is the side of a gRPC call on which its trailers arrive.
type trailers struct {
	grpc.ServerTransportStream
	mu sync.Mutex
	md metadata.MD
}

func (t *trailers) attach(ctx context.Context) context.Context {
	return grpc.NewContextWithServerTransportStream(ctx, t)
}

func (t *trailers) SetTrailer(md metadata.MD) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.md = metadata.Join(t.md, md)
	return nil
}

func (t *trailers) replayed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Equal(t.md.Get(rpc.KeyReplayed), []string{"true"})
}
