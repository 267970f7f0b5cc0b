package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// TestPanicsAreInternalAndTheProcessLives: in a handler, in a stream, and in a wrapper outside of Recovery, with and without it.
func TestPanicsAreInternalAndTheProcessLives(t *testing.T) {
	panics := func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			if req.Endpoint() == "Echo.Read" {
				panic("hunter2 in a wrapper")
			}
			return next(ctx, req, rsp)
		}
	}
	bothWays(t, func(t *testing.T, w *world) {
		for name, wrappers := range map[string][]server.HandlerWrapper{
			"without Recovery": {panics}, "inside Recovery": {rpc.Recovery(w.logger()), panics}, "outside Recovery": {panics, rpc.Recovery(w.logger())},
		} {
			ep, s := w.serve(&echo{
				call: func(context.Context, *echopb.Message, *echopb.Message) error { panic("hunter2 in the handler") },
				count: func(context.Context, *echopb.CountRequest, echopb.Echo_CountStream) error {
					panic("hunter2 in the stream")
				},
			}, wrappers...)
			c := stub(w.dial(ep))
			_, inHandler := c.Call(within(t, 5*time.Second), &echopb.Message{})
			_, inWrapper := c.Read(within(t, 5*time.Second), &echopb.Message{})
			stream, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{})
			if err != nil {
				t.Fatal(err)
			}
			_, inStream := stream.Recv()
			for where, err := range map[string]error{"handler": inHandler, "wrapper": inWrapper, "stream": inStream} {
				if !errors.Is(err, fault.Internal) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s, %s: got %v", name, where, err)
				}
				if w.log.count("in the "+where) == 0 && w.log.count("in a "+where) == 0 {
					t.Errorf("%s, %s: the panic is not in the log", name, where)
				}
			}
			if w.log.count("panic_test.go") == 0 {
				t.Errorf("%s: no stack in the log", name)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestHandlerThatEndsItsGoroutineInProcessIsInternal(t *testing.T) {
	w := newWorld(t)
	ep, _ := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { runtime.Goexit(); return nil }})
	if _, err := stub(w.client(ep)).Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Internal) {
		t.Errorf("got %v", err)
	}
}

func TestAccessLogSaysWhatAndHowLongButNotTheBodyNorTheServiceTwice(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var answer error
		ep, _ := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { return answer }},
			rpc.AccessLog(w.logger().With("service", "echo")))
		c := stub(w.dial(ep))
		for _, tt := range []struct {
			err  error
			want []string
		}{
			{nil, []string{"level=DEBUG", "code=ok"}},
			{fault.New(fault.NotFound, "no"), []string{"level=DEBUG", "code=not_found"}},
			{fault.New(fault.Unavailable, "store away"), []string{"level=DEBUG", "code=unavailable", "store away"}},
			{fault.New(fault.Overloaded, "no room"), []string{"level=DEBUG", "code=overloaded", "no room"}},
			{fault.New(fault.DeadlineExceeded, "too late"), []string{"level=WARN", "code=deadline_exceeded", "too late"}},
			{errors.New("plain"), []string{"level=WARN", "code=internal", "plain"}},
		} {
			answer = tt.err
			before := len(w.log.String())
			_, _ = c.Call(within(t, 5*time.Second), &echopb.Message{Text: "secret body"})
			line := w.log.String()[before:]
			for _, want := range append(tt.want, "service=echo", "method=Echo.Call", "duration_ms=") {
				if !strings.Contains(line, want) {
					t.Errorf("%v: no %q in %s", tt.err, want, line)
				}
			}
			if strings.Count(line, "msg=call ") != 1 || strings.Count(line, "service=") != 1 || strings.Contains(line, "secret") {
				t.Errorf("%v: %s", tt.err, line)
			}
		}
	})
}
