// Package idempotencytest lets the tests of a service's handlers send requests with an Idempotency-Key, and lose their answers.
package idempotencytest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
)

// ErrLost stands for an answer that was lost: a handler under test that has done its work returns it in place of its own. The
// next request with the same key then resumes, at once.
var ErrLost = errors.New("the answer was lost")

// Keeper opens the intents of a service in the documents of its test.
func Keeper(t testing.TB, db store.DB, now func() time.Time) *idempotency.Keeper {
	t.Helper()
	k, err := idempotency.New(t.Context(), db, false, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Call makes one unary call with a key. method is "service.Service.Method"; in and out are what handle reads and fills; who
// calls is in ctx, where auth puts it. It tells whether the answer is a replay, for which handle did not run.
func Call(ctx context.Context, k *idempotency.Keeper, method, key string, in, out proto.Message, handle func(context.Context) error) (replayed bool, err error) {
	service, endpoint, _ := strings.Cut(method, ".")
	said := &trailer{}
	serve := k.Wrap(func(ctx context.Context, _ server.Request, _ any) error { return handle(ctx) })
	err = serve(grpc.NewContextWithServerTransportStream(ctx, said), &request{service: service, endpoint: endpoint, key: key, body: in}, out)
	return said.replayed(), err
}

// request is the part of a server.Request that is asked for.
type request struct {
	server.Request
	service, endpoint, key string
	body                   proto.Message
}

func (r *request) Service() string           { return r.service }
func (r *request) Endpoint() string          { return r.endpoint }
func (r *request) Header() map[string]string { return map[string]string{rpc.KeyIdempotency: r.key} }
func (r *request) Body() any                 { return r.body }
func (r *request) Stream() bool              { return false }

// trailer is where the trailers of a gRPC call arrive.
type trailer struct {
	grpc.ServerTransportStream
	mu sync.Mutex
	md metadata.MD
}

func (t *trailer) SetTrailer(md metadata.MD) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.md = metadata.Join(t.md, md)
	return nil
}

func (t *trailer) replayed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Equal(t.md.Get(rpc.KeyReplayed), []string{"true"})
}
