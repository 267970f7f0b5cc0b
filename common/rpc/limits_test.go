package rpc_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestNoHandlerHasMoreThanTheEndpointsLongestTime(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var left, streamLeft atomic.Int64
		h := remaining(&left)
		h.count = func(ctx context.Context, _ *echopb.CountRequest, _ echopb.Echo_CountStream) error {
			if end, ok := ctx.Deadline(); ok {
				streamLeft.Store(time.Until(end).Milliseconds())
			}
			return nil
		}
		ep, _ := w.serveWith(rpc.EndpointConfig{MaxTimeout: 3 * time.Second}, rpc.ServerConfig{}, h)
		c := stub(w.dial(ep))
		// The client would allow an hour, and 10 seconds where its caller says nothing.
		for name, ctx := range map[string]context.Context{"long deadline": within(t, time.Hour), "none": t.Context()} {
			if _, err := c.Call(ctx, &echopb.Message{}); err != nil {
				t.Fatal(err)
			}
			s, err := c.Count(ctx, &echopb.CountRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			for kind, got := range map[string]int64{"call": left.Load(), "stream": streamLeft.Load()} {
				if got <= 0 || got > 3000 {
					t.Errorf("%s, %s: the handler has %d ms", name, kind, got)
				}
			}
		}
	})
}

// TestSilentStreamEndsAtTheLongestTime: a handler that waits for its caller is ended too, whatever the caller allows itself.
func TestSilentStreamEndsAtTheLongestTime(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ended := make(chan error, 1)
		ep, _ := w.serveWith(rpc.EndpointConfig{MaxTimeout: 200 * time.Millisecond}, rpc.ServerConfig{}, &echo{
			chat: func(_ context.Context, s echopb.Echo_ChatStream) error {
				_, err := s.Recv()
				ended <- err
				return err
			},
		})
		s, err := stub(w.dial(ep)).Chat(within(t, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, fault.DeadlineExceeded) {
				t.Errorf("the handler gets %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the handler is still waiting")
		}
		if _, err := s.Recv(); !errors.Is(err, fault.DeadlineExceeded) {
			t.Errorf("the caller gets %v", err)
		}
	})
}

// TestBodyThatNeverEndsIsGivenUp, while a health watch goes on.
func TestBodyThatNeverEndsIsGivenUp(t *testing.T) {
	w := newWorld(t)
	ep, server := w.serveWith(rpc.EndpointConfig{MaxTimeout: 200 * time.Millisecond}, rpc.ServerConfig{}, &echo{})
	cc := plain(t, ep.Addr())
	watch, err := healthpb.NewHealthClient(cc).Watch(within(t, 20*time.Second), &healthpb.HealthCheckRequest{Service: "echo.Echo"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatal(r, err)
	}
	for name, ctx := range map[string]context.Context{"long deadline": within(t, time.Hour), "none": t.Context()} {
		s, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, echopb.Echo_Call_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.RecvMsg(&echopb.Message{}) }()
		select {
		case err := <-ended:
			if fault.CodeOf(err) != fault.DeadlineExceeded {
				t.Errorf("%s: got %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the server is still waiting", name)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watch says %v, %v", r, err)
	}
}

// TestIdleConnectionsCloseWithoutAFailedCall: the client connects anew by itself, and calls that meet the closing go through.
func TestIdleConnectionsCloseWithoutAFailedCall(t *testing.T) {
	w := newWorld(t)
	hidden := &world{t: t, log: w.log}
	ep, _ := hidden.serveWith(rpc.EndpointConfig{MaxIdle: 20 * time.Millisecond}, rpc.ServerConfig{}, &echo{})
	p := newProxy(t, ep.Addr())
	w.nodes("v1", p.addr())
	c := stub(w.client(nil))
	calls, wait := 0, time.Duration(0)
	for end := time.Now().Add(20 * time.Second); p.accepted.Load() < 10; calls++ {
		if time.Now().After(end) {
			t.Fatalf("%d connections after %d calls: idle ones stay", p.accepted.Load(), calls)
		}
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatalf("call %d, connection %d: %v", calls, p.accepted.Load(), err)
		}
		wait = (wait + time.Millisecond) % (40 * time.Millisecond) // before, at and after the closing
		time.Sleep(wait)
	}
	eventually(t, "one connection is left", func() bool { return p.open.Load() <= 1 })
}
