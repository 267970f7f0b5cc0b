package rpc_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestHandlerThatOverrunsTheDeadlineRunsOnceAndChangesNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var runs atomic.Int64
		late, ended := make(chan struct{}), make(chan struct{}, 10)
		slow := func(_ context.Context, _, out *echopb.Message) error {
			runs.Add(1)
			out.Text = "half done"
			<-late // whatever the context says
			out.Text = "late"
			ended <- struct{}{}
			return nil
		}
		ep, _ := w.serve(&echo{call: slow, read: slow})
		c := w.dial(ep)
		for _, endpoint := range []string{"Echo.Call", "Echo.Read"} {
			runs.Store(0)
			rsp := &echopb.Message{Text: "untouched", List: []string{"a"}}
			want := proto.Clone(rsp)
			start := time.Now()
			// The time is the call's own, not the context's.
			err := c.Call(t.Context(), c.NewRequest("echo", endpoint, &echopb.Message{}), rsp, client.WithRequestTimeout(200*time.Millisecond))
			if !errors.Is(err, fault.DeadlineExceeded) {
				t.Errorf("%s: got %v", endpoint, err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%s: took %v", endpoint, took)
			}
			late <- struct{}{}
			<-ended
			if n := runs.Load(); n != 1 {
				t.Errorf("%s: ran %d times", endpoint, n)
			}
			if !proto.Equal(rsp, want) {
				t.Errorf("%s: the response became %v", endpoint, rsp)
			}
		}
	})
}

func TestResponseIsUntouchedOnError(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{call: func(_ context.Context, _, out *echopb.Message) error {
			out.Text = "half done"
			return fault.New(fault.Conflict, "no")
		}})
		c := w.dial(ep)
		rsp := &echopb.Message{Text: "untouched"}
		if err := c.Call(within(t, 5*time.Second), c.NewRequest("echo", "Echo.Call", &echopb.Message{}), rsp); !errors.Is(err, fault.Conflict) {
			t.Error(err)
		}
		if rsp.GetText() != "untouched" {
			t.Errorf("it became %v", rsp)
		}
	})
}

func TestCallerThatIsCancelledReturnsAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		entered, told := make(chan struct{}), make(chan struct{})
		ep, _ := w.serve(&echo{call: func(ctx context.Context, _, _ *echopb.Message) error {
			close(entered)
			<-ctx.Done()
			close(told)
			return ctx.Err()
		}})
		c := stub(w.dial(ep))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := c.Call(ctx, &echopb.Message{}); done <- err }()
		<-entered
		cancel()
		if err := <-done; !errors.Is(err, fault.Canceled) {
			t.Errorf("got %v", err)
		}
		select {
		case <-told:
		case <-time.After(5 * time.Second):
			t.Error("the handler was not told")
		}
	})
}

// remaining is a handler that answers with the milliseconds it has left.
func remaining(left *atomic.Int64) *echo {
	return &echo{call: func(ctx context.Context, _, _ *echopb.Message) error {
		end, ok := ctx.Deadline()
		if !ok {
			left.Store(-1)
			return nil
		}
		left.Store(time.Until(end).Milliseconds())
		return nil
	}}
}

func TestDeadlineArrivesShortened(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var left atomic.Int64
		ep, _ := w.serve(remaining(&left))
		c := stub(w.dial(ep))
		for _, tt := range []struct {
			name    string
			ctx     context.Context
			opts    []client.CallOption
			atMost  int64 // ms
			atLeast int64
		}{
			{"the context's, less the margin", within(t, 5*time.Second), nil, 4980, 2000},
			{"the client's default", t.Context(), nil, 10000, 5000},
			{"an option shortens", within(t, 5*time.Second), []client.CallOption{client.WithRequestTimeout(time.Second)}, 1000, 100},
			{"an option does not lengthen", within(t, 5*time.Second), []client.CallOption{client.WithRequestTimeout(time.Hour)}, 4980, 2000},
		} {
			if _, err := c.Call(tt.ctx, &echopb.Message{}, tt.opts...); err != nil {
				t.Fatal(err)
			}
			if got := left.Load(); got > tt.atMost || got < tt.atLeast {
				t.Errorf("%s: the handler has %d ms, want %d to %d", tt.name, got, tt.atLeast, tt.atMost)
			}
		}
	})
}

func TestCallWithHardlyAnyTimeIsRefusedUnsent(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var runs atomic.Int64
		ep, _ := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { runs.Add(1); return nil }})
		c := stub(w.dial(ep))
		if _, err := c.Call(t.Context(), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		_, err := c.Call(within(t, 22*time.Millisecond), &echopb.Message{}) // 2 ms after the margin
		if !errors.Is(err, fault.DeadlineExceeded) || !errors.Is(err, rpc.ErrNotSent) {
			t.Errorf("got %v", err)
		}
		if _, err := c.Chat(within(t, 22*time.Millisecond)); !errors.Is(err, fault.DeadlineExceeded) {
			t.Errorf("stream: got %v", err)
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("ran %d times", n)
		}
	})
}

func TestCallWithoutDeadlineGetsTheEndpointsDefault(t *testing.T) {
	w := newWorld(t)
	var left atomic.Int64
	ep, _ := w.serveWith(rpc.EndpointConfig{Timeout: 3 * time.Second}, rpc.ServerConfig{}, remaining(&left))
	cc, err := grpc.NewClient(ep.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	if _, err := echopb.NewEchoClient(cc).Call(context.Background(), &echopb.Message{}); err != nil {
		t.Fatal(err)
	}
	if got := left.Load(); got <= 0 || got > 3000 {
		t.Errorf("the handler has %d ms", got)
	}
}

// TestMiddleCanTellItsCaller: where the last of three hangs, the middle one still answers in its own words.
func TestMiddleCanTellItsCaller(t *testing.T) {
	w := newWorld(t)
	last, _ := w.serve(&echo{call: func(ctx context.Context, _, _ *echopb.Message) error { <-ctx.Done(); return ctx.Err() }})
	inner := stub(w.client(last))
	m := newWorld(t)
	middle, _ := m.serve(&echo{call: func(ctx context.Context, _, _ *echopb.Message) error {
		if _, err := inner.Call(ctx, &echopb.Message{}); errors.Is(err, fault.DeadlineExceeded) {
			return fault.New(fault.Conflict, "told in time")
		}
		return nil
	}})
	if _, err := stub(m.client(middle)).Call(within(t, 2*time.Second), &echopb.Message{}); !errors.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
}
