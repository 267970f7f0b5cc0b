package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// asIs sends bytes as the message that they may or may not be.
type asIs struct{ encoding.CodecV2 }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (asIs) Unmarshal(mem.BufferSlice, any) error { return nil }

// send calls Echo.Call with a body of any bytes.
func send(t *testing.T, cc *grpc.ClientConn, body []byte) error {
	t.Helper()
	err := cc.Invoke(within(t, 10*time.Second), echopb.Echo_Call_FullMethodName, body, nil, grpc.ForceCodecV2(asIs{encoding.GetCodecV2("proto")}))
	if err == nil {
		return nil
	}
	return fault.From(err)
}

var (
	unreadable = []byte{0x0a, 0xff}                                             // a text that goes on for longer than there are bytes
	bomb       = bytes.Repeat([]byte{0x12, 0x00}, rpc.MaxRequest/2)             // as many empty strings as fit
	large      = &echopb.Message{Payload: make([]byte, 65<<10)}                 // needs a place
	refuse     = func(server.HandlerFunc) server.HandlerFunc { return refused } // is a wrapper
)

func refused(context.Context, server.Request, any) error {
	return fault.New(fault.Unauthenticated, "sign in first")
}

func TestCallerWhomAWrapperRefusesCostsNoDecoding(t *testing.T) {
	w := newWorld(t)
	ep, _ := w.serve(&echo{}, refuse)
	cc := plain(t, ep.Addr())
	if err := send(t, cc, unreadable); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("the body was looked at: %v", err)
	}

	allocated := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	decoding := allocated(func() {
		if err := proto.Unmarshal(bomb, &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
	})
	const calls = 10
	got := allocated(func() {
		for range calls {
			if err := send(t, cc, bomb); !errors.Is(err, fault.Unauthenticated) {
				t.Fatal(err)
			}
		}
	})
	if got > calls*decoding/2 {
		t.Errorf("%d calls took %d MiB, where decoding takes %d MiB each", calls, got>>20, decoding>>20)
	}
}

func TestMessageThatCannotBeReadIsInvalid(t *testing.T) {
	// looks asks for the body and goes on whatever it gets; hides gives the next one a request of its own type.
	looks := func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			if body := req.Body(); body != nil {
				t.Errorf("the body is %v", body)
			}
			if _, err := req.Read(); !errors.Is(err, fault.Invalid) {
				t.Errorf("Read gives %v", err)
			}
			return next(ctx, req, rsp)
		}
	}
	hides := func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			return next(ctx, struct{ server.Request }{req}, rsp)
		}
	}
	intercept := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(ctx, req)
	}
	for name, tt := range map[string]struct {
		cfg      rpc.EndpointConfig
		wrappers []server.HandlerWrapper
	}{
		"handler":     {},
		"wrapper":     {wrappers: []server.HandlerWrapper{looks}},
		"own type":    {wrappers: []server.HandlerWrapper{hides}},
		"interceptor": {cfg: rpc.EndpointConfig{UnaryInterceptors: []grpc.UnaryServerInterceptor{intercept}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ep, _ := w.serveWith(tt.cfg, rpc.ServerConfig{}, &echo{call: func(context.Context, *echopb.Message, *echopb.Message) error {
				t.Error("the handler was called")
				return nil
			}}, tt.wrappers...)
			err := send(t, plain(t, ep.Addr()), unreadable)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "the message could not be read") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWrapperSeesTheMessageThatTheHandlerGets(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var seen any
		look := func(next server.HandlerFunc) server.HandlerFunc {
			return func(ctx context.Context, req server.Request, rsp any) error {
				raw, err := req.Read()
				var read echopb.Message
				if err == nil {
					err = proto.Unmarshal(raw, &read)
				}
				if err != nil || read.GetText() != "ahoy" {
					t.Errorf("Read gives %v, %v", &read, err)
				}
				seen = req.Body()
				return next(ctx, req, rsp)
			}
		}
		ep, _ := w.serve(&echo{call: func(_ context.Context, in, _ *echopb.Message) error {
			if in != seen || in.GetText() != "ahoy" {
				t.Errorf("the wrapper saw %v, the handler gets %v", seen, in)
			}
			return nil
		}}, look)
		if _, err := stub(w.dial(ep)).Call(within(t, 5*time.Second), &echopb.Message{Text: "ahoy"}); err != nil {
			t.Error(err)
		}
	})
}

// TestRequestMayOutliveItsCall: a wrapper that keeps it does no harm, to itself or to the buffers that calls share.
func TestRequestMayOutliveItsCall(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		kept := make(chan server.Request, 2)
		keep := func(next server.HandlerFunc) server.HandlerFunc {
			return func(ctx context.Context, req server.Request, rsp any) error {
				kept <- req
				if req.Endpoint() == "Echo.Read" {
					return fault.New(fault.Unauthenticated, "sign in first")
				}
				return next(ctx, req, rsp)
			}
		}
		ep, _ := w.serve(&echo{}, keep)
		c := stub(w.dial(ep))
		_, _ = c.Call(within(t, 5*time.Second), large)
		if body, ok := (<-kept).Body().(*echopb.Message); !ok || len(body.GetPayload()) != len(large.GetPayload()) {
			t.Error("the message that was decoded is gone")
		}
		_, _ = c.Read(within(t, 5*time.Second), large)
		req := <-kept
		eventually(t, "the call has ended for the server", func() bool { _, err := req.Read(); return err != nil })
		if body := req.Body(); body != nil {
			t.Errorf("a message was decoded after its call: %v", body)
		}
	})
}

func TestLargeRequestsAreTakenAFewAtATime(t *testing.T) {
	const places = 16
	bothWays(t, func(t *testing.T, w *world) {
		entered, release := make(chan struct{}, places), make(chan struct{})
		ep, _ := w.serve(&echo{call: func(_ context.Context, in, _ *echopb.Message) error {
			if len(in.GetPayload()) > 0 {
				entered <- struct{}{}
				<-release
			}
			return nil
		}})
		c := stub(w.dial(ep))
		done := make(chan error, places)
		for i := range places {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				if i == 0 { // a caller that leaves does not free the place: its handler still has the message
					ctx, cancel = context.WithTimeout(context.Background(), 500*time.Millisecond)
				}
				defer cancel()
				_, err := c.Call(ctx, large)
				if i == 0 && errors.Is(err, fault.DeadlineExceeded) {
					err = nil
				}
				done <- err
			}()
		}
		for range places {
			<-entered
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(within(t, 5*time.Second), large); !errors.Is(err, fault.Overloaded) || fault.From(err).RetryAfter <= 0 {
			t.Errorf("one more: %v", err)
		}
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Errorf("a small one: %v", err)
		}
		close(release)
		for range places - 1 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		eventually(t, "the first place is free again", func() bool { _, err := c.Call(within(t, 5*time.Second), large); return err == nil })
		for range 2 * places {
			if _, err := c.Call(within(t, 5*time.Second), large); err != nil {
				t.Fatalf("with room again: %v", err)
			}
			<-entered
		}
	})
}

// TestSecondMessageOfAUnaryCallIsRefused, and its buffer given back.
func TestSecondMessageOfAUnaryCallIsRefused(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	ep, _ := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { runs.Add(1); return nil }})
	s, err := plain(t, ep.Addr()).NewStream(within(t, 10*time.Second), &grpc.StreamDesc{ClientStreams: true}, echopb.Echo_Call_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.SendMsg(large); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RecvMsg(&echopb.Message{}); fault.CodeOf(err) != fault.Internal || runs.Load() != 0 {
		t.Errorf("the handler ran %d times; got %v", runs.Load(), err)
	}
}

func TestRequestsHaveALowerLimitThanAnswers(t *testing.T) {
	over := &echopb.Message{Payload: make([]byte, rpc.MaxRequest+1)}
	under := &echopb.Message{Payload: make([]byte, rpc.MaxRequest-100)}
	bothWays(t, func(t *testing.T, w *world) {
		var runs atomic.Int64
		ep, _ := w.serve(&echo{
			call: func(_ context.Context, in, out *echopb.Message) error {
				runs.Add(1)
				if in.GetText() == "answer over" {
					out.Payload = over.GetPayload()
				}
				return nil
			},
			chat: func(_ context.Context, s echopb.Echo_ChatStream) error {
				if _, err := s.Recv(); err != nil {
					return err
				}
				return s.Send(over)
			},
		})
		c := stub(w.dial(ep))
		if _, err := c.Call(within(t, 5*time.Second), over); !errors.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "bytes; at most 1048576") || runs.Load() != 0 {
			t.Errorf("request: the handler ran %d times; got %v", runs.Load(), err)
		}
		for _, m := range []*echopb.Message{under, {Text: "answer over"}} {
			if _, err := c.Call(within(t, 5*time.Second), m); err != nil {
				t.Errorf("got %v", err)
			}
		}
		chat, err := c.Chat(within(t, 5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := chat.Send(over); !errors.Is(err, fault.TooLarge) {
			t.Errorf("streamed by the caller: %v", err)
		}
		if err := chat.Send(under); err != nil {
			t.Errorf("streamed by the caller: %v", err)
		}
		if m, err := chat.Recv(); err != nil || len(m.GetPayload()) != len(over.GetPayload()) {
			t.Errorf("streamed by the handler: %v", err)
		}
		// Others may not keep to it.
		foreign := plain(t, ep.Addr())
		if err := send(t, foreign, slices.Concat(bomb, bomb)); err == nil || runs.Load() != 2 {
			t.Errorf("sent by another client: the handler ran %d times; got %v", runs.Load(), err)
		}
	})
}
