package rpc_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/metadata"
	"go-micro.dev/v4/server"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// headers keeps what a wrapper sees of a call.
func headers(into *map[string]string) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			*into = maps.Clone(req.Header())
			return next(ctx, req, rsp)
		}
	}
}

func TestMetadataTravelsByAllowList(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var first, second map[string]string
		far := w.another()
		last, _ := far.serve(&echo{}, headers(&second))
		onward := stub(far.dial(last))
		ep, _ := w.serve(&echo{call: func(ctx context.Context, in, out *echopb.Message) error {
			_, err := onward.Call(ctx, in)
			return err
		}}, headers(&first))
		sent := metadata.Metadata{
			"Authorization": "Bearer abc", "traceparent": "00-4bf9-00f0-01", "TraceState": "a=b", "Idempotency-Key": "k-1",
			"X-Actor-ID": "u-7", "x-actor-roles": "shipper", "X-Secret": "no", "Cookie": "no", "grpc-timeout": "1H",
		}
		ctx := metadata.NewContext(within(t, 5*time.Second), sent)
		ctx = grpcmd.AppendToOutgoingContext(ctx, "cookie", "no")
		if _, err := stub(w.dial(ep)).Call(ctx, &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"authorization": "Bearer abc", "traceparent": "00-4bf9-00f0-01", "tracestate": "a=b", "idempotency-key": "k-1",
			"x-actor-id": "u-7", "x-actor-roles": "shipper",
		}
		if got := pick(first, rpc.SentMetadata()); !maps.Equal(got, want) {
			t.Errorf("the first hop sees %v, want %v", got, want)
		}
		for _, key := range []string{"idempotency-key", "x-actor-id", "x-actor-roles"} {
			delete(want, key)
		}
		if got := pick(second, rpc.SentMetadata()); !maps.Equal(got, want) {
			t.Errorf("the second hop sees %v, want %v", got, want)
		}
		for hop, header := range []map[string]string{first, second} {
			for _, key := range []string{"x-secret", "X-Secret", "cookie", "Cookie"} {
				if v, ok := header[key]; ok {
					t.Errorf("hop %d sees %s: %s", hop, key, v)
				}
			}
		}
	})
}

func pick(m map[string]string, keys []string) map[string]string {
	got := map[string]string{}
	for _, k := range keys {
		if v, ok := m[k]; ok {
			got[k] = v
		}
	}
	return got
}

func TestHandlerReadsTokenFromItsContext(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{
			call: func(ctx context.Context, _, out *echopb.Message) error {
				out.Text, _ = metadata.Get(ctx, "authorization")
				return nil
			},
			chat: func(ctx context.Context, s echopb.Echo_ChatStream) error {
				token, _ := metadata.Get(ctx, "authorization")
				return s.Send(&echopb.Message{Text: token})
			},
		})
		c := stub(w.dial(ep))
		ctx := metadata.NewContext(within(t, 5*time.Second), metadata.Metadata{"Authorization": "Bearer abc"})
		if m, err := c.Call(ctx, &echopb.Message{}); err != nil || m.GetText() != "Bearer abc" {
			t.Errorf("unary: %v, %v", m, err)
		}
		s, err := c.Chat(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := s.Recv(); err != nil || m.GetText() != "Bearer abc" {
			t.Errorf("stream: %v, %v", m, err)
		}
	})
}

func TestValueThatNoHeaderMayHoldIsNotSent(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var seen map[string]string
		ep, _ := w.serve(&echo{}, headers(&seen))
		ctx := metadata.NewContext(within(t, 5*time.Second), metadata.Metadata{"authorization": "a\r\nb", "x-actor-id": "grün"})
		if _, err := stub(w.dial(ep)).Call(ctx, &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		if got := pick(seen, rpc.SentMetadata()); len(got) != 0 {
			t.Errorf("sent %q", got)
		}
	})
}

type contextKey struct{}

func TestValuesOfTheCallersContextStayWithIt(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var unary, streamed any
		ep, _ := w.serve(&echo{
			call: func(ctx context.Context, _, _ *echopb.Message) error { unary = ctx.Value(contextKey{}); return nil },
			count: func(ctx context.Context, _ *echopb.CountRequest, s echopb.Echo_CountStream) error {
				if streamed = ctx.Value(contextKey{}); streamed == nil {
					streamed = s.Context().Value(contextKey{})
				}
				return nil
			},
		})
		c := stub(w.dial(ep))
		ctx := context.WithValue(within(t, 5*time.Second), contextKey{}, "an open transaction")
		if _, err := c.Call(ctx, &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		s, err := c.Count(ctx, &echopb.CountRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Recv()
		if unary != nil || streamed != nil {
			t.Errorf("the handler sees %v and %v", unary, streamed)
		}
	})
}

func TestCallerAndHandlerShareNoMemory(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		callerChanged, handlerChanged := make(chan struct{}), make(chan struct{})
		returned := make(chan struct{})
		ep, _ := w.serve(&echo{call: func(_ context.Context, in, out *echopb.Message) error {
			same(in, out)
			go func() {
				defer close(handlerChanged)
				<-returned
				out.List[0], out.Labels["k"], out.Payload[0] = "handler", "handler", 'h'
				in.List[0], in.Labels["k"], in.Payload[0] = "handler", "handler", 'h'
				<-callerChanged
				if in.GetList()[1] != "b" {
					t.Errorf("the handler sees the caller's change: %v", in)
				}
			}()
			return nil
		}})
		req := &echopb.Message{List: []string{"a", "b"}, Labels: map[string]string{"k": "v"}, Payload: []byte("p")}
		want := proto.Clone(req)
		rsp, err := stub(w.dial(ep)).Call(within(t, 5*time.Second), req)
		if err != nil {
			t.Fatal(err)
		}
		close(returned)
		req.List[1], rsp.List[1] = "caller", "caller"
		close(callerChanged)
		<-handlerChanged
		req.List[1], rsp.List[1] = "b", "b"
		if !proto.Equal(req, want) || !proto.Equal(rsp, want) {
			t.Errorf("request %v, response %v, want %v", req, rsp, want)
		}
	})
}

func TestFirstWrapperIsOutermost(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var order []string
		handler := func(name string) server.HandlerWrapper {
			return func(next server.HandlerFunc) server.HandlerFunc {
				return func(ctx context.Context, req server.Request, rsp any) error {
					order = append(order, fmt.Sprintf("%s %s %v", name, req.Endpoint(), req.Stream()))
					if _, ok := rsp.(server.Stream); ok != req.Stream() {
						t.Errorf("%s: rsp is a %T", req.Endpoint(), rsp)
					}
					return next(ctx, req, rsp)
				}
			}
		}
		caller := func(name string) client.Wrapper {
			return func(next client.Client) client.Client {
				return &noting{Client: next, note: func() { order = append(order, name) }}
			}
		}
		ep, _ := w.serve(&echo{}, handler("server 1"), handler("server 2"))
		c := stub(w.dial(ep, caller("client 1"), caller("client 2")))
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		want := []string{"client 1", "client 2", "server 1 Echo.Call false", "server 2 Echo.Call false"}
		if !slices.Equal(order, want) {
			t.Errorf("unary: %v", order)
		}
		order = nil
		s, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Recv()
		want = []string{"client 1", "client 2", "server 1 Echo.Count true", "server 2 Echo.Count true"}
		if !slices.Equal(order, want) {
			t.Errorf("stream: %v", order)
		}
	})
}

type noting struct {
	client.Client
	note func()
}

func (n *noting) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	n.note()
	return n.Client.Call(ctx, req, rsp, opts...)
}

func (n *noting) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	n.note()
	return n.Client.Stream(ctx, req, opts...)
}
