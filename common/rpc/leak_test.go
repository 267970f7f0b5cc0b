package rpc_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// What go-micro's root package starts when it is imported.
		goleak.IgnoreAnyFunction("github.com/patrickmn/go-cache.(*janitor).Run"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config.(*config).run"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config.(*config).run.func2"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config/loader/memory.(*memory).Watch.func1"),
	)
}

// TestNothingStaysBehind: not even of calls that were given up and streams that nobody closed.
func TestNothingStaysBehind(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		// Others have run before in this process.
		before := goleak.IgnoreCurrent()
		ep := rpc.NewEndpoint(rpc.EndpointConfig{Address: "127.0.0.1:0", Logger: w.logger()})
		s := rpc.NewServer(rpc.ServerConfig{Name: "echo", Endpoint: ep, Registry: w.reg, TTL: time.Minute, Interval: time.Second, Logger: w.logger()})
		block := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := echopb.RegisterEchoHandler(s, &echo{
			read: func(ctx context.Context, _, _ *echopb.Message) error { return block(ctx) },
			chat: func(ctx context.Context, _ echopb.Echo_ChatStream) error { return block(ctx) },
		}); err != nil {
			t.Fatal(err)
		}
		if err := ep.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		c := w.dial(ep)
		for range 10 {
			if _, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
				t.Fatal(err)
			}
			if _, err := stub(c).Read(within(t, 50*time.Millisecond), &echopb.Message{}); err == nil {
				t.Fatal("no error")
			}
			if _, err := stub(c).Chat(within(t, 50*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if s, err := stub(c).Count(within(t, 5*time.Second), &echopb.CountRequest{Count: 1}); err != nil {
				t.Fatal(err)
			} else if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if err := ep.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
}
