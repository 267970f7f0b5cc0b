package rpc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// stoppers are the two ways to end a service.
var stoppers = map[string]func(*rpc.Endpoint, *rpc.Server) error{
	"server stop":   func(_ *rpc.Endpoint, s *rpc.Server) error { return s.Stop() },
	"endpoint stop": func(ep *rpc.Endpoint, _ *rpc.Server) error { return ep.Stop(context.Background()) },
}

func TestStopWaitsForCallsInFlightAndRefusesNewOnes(t *testing.T) {
	for name, stop := range stoppers {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w *world) {
				entered := make(chan struct{}, 2)
				ep, s := w.serve(&echo{
					call: func(ctx context.Context, _, out *echopb.Message) error {
						entered <- struct{}{}
						select {
						case <-time.After(time.Second):
							out.Text = "done"
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					},
					count: func(ctx context.Context, _ *echopb.CountRequest, s echopb.Echo_CountStream) error {
						entered <- struct{}{}
						select {
						case <-time.After(time.Second):
							return s.Send(&echopb.Message{Text: "done"})
						case <-ctx.Done():
							return ctx.Err()
						}
					},
				})
				c := stub(w.dial(ep))
				unary, streamed := make(chan error, 1), make(chan error, 1)
				check := func(m *echopb.Message, err error) error {
					if err == nil && m.GetText() != "done" {
						return errors.New("not done")
					}
					return err
				}
				go func() {
					m, err := c.Call(within(t, 10*time.Second), &echopb.Message{})
					unary <- check(m, err)
				}()
				go func() {
					s, err := c.Count(within(t, 10*time.Second), &echopb.CountRequest{})
					if err != nil {
						streamed <- err
						return
					}
					m, err := s.Recv()
					streamed <- check(m, err)
				}()
				<-entered
				<-entered
				stopped := make(chan error, 1)
				go func() { stopped <- stop(ep, s) }()
				// A call may slip in until the stop has begun; then it is refused, while the first ones go on.
				eventually(t, "new calls are refused", func() bool {
					_, err := c.Read(within(t, 5*time.Second), &echopb.Message{})
					if err != nil && !errors.Is(err, fault.Unavailable) {
						t.Fatalf("refused with %v", err)
					}
					return err != nil
				})
				if name == "endpoint stop" {
					eventually(t, "no connection is taken", func() bool {
						c, err := net.Dial("tcp", ep.Addr())
						if err == nil {
							_ = c.Close()
						}
						return err != nil
					})
					if len(unary) != 0 {
						t.Error("connections were taken until the calls were done")
					}
				}
				if err := <-unary; err != nil {
					t.Errorf("the call in flight: %v", err)
				}
				if err := <-streamed; err != nil {
					t.Errorf("the stream in flight: %v", err)
				}
				if err := <-stopped; err != nil {
					t.Errorf("stop: %v", err)
				}
				if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
					t.Errorf("after the stop: %v", err)
				}
			})
		})
	}
}

func TestStopCutsCallsAfterTheDrainTime(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		entered, told, hold := make(chan struct{}, 2), make(chan struct{}, 2), make(chan struct{})
		defer close(hold)
		stuck := func(ctx context.Context) {
			entered <- struct{}{}
			<-ctx.Done()
			told <- struct{}{}
			<-hold // whatever its context says
		}
		ep, _ := w.serveWith(rpc.EndpointConfig{Drain: 200 * time.Millisecond}, rpc.ServerConfig{}, &echo{
			call: func(ctx context.Context, _, _ *echopb.Message) error { stuck(ctx); return nil },
			count: func(ctx context.Context, _ *echopb.CountRequest, _ echopb.Echo_CountStream) error {
				stuck(ctx)
				return nil
			},
		})
		c := stub(w.dial(ep))
		results := make(chan error, 2)
		go func() { _, err := c.Call(within(t, 20*time.Second), &echopb.Message{}); results <- err }()
		go func() {
			s, err := c.Count(within(t, 20*time.Second), &echopb.CountRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			results <- err
		}()
		<-entered
		<-entered
		start := time.Now()
		if err := ep.Stop(context.Background()); err == nil {
			t.Error("the stop does not tell that calls were cut")
		}
		if took := time.Since(start); took < 150*time.Millisecond || took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		}
		for range 2 {
			if err := <-results; !errors.Is(err, fault.Unavailable) {
				t.Errorf("the caller gets %v", err)
			}
			<-told
		}
	})
}

// TestStopsTogetherWaitOnce: what a server's own stop waited for in vain, the endpoint's stop does not wait for again.
func TestStopsTogetherWaitOnce(t *testing.T) {
	w := newWorld(t)
	entered, hold := make(chan struct{}), make(chan struct{})
	defer close(hold)
	ep, s := w.serveWith(rpc.EndpointConfig{Drain: time.Second}, rpc.ServerConfig{}, &echo{
		call: func(context.Context, *echopb.Message, *echopb.Message) error { close(entered); <-hold; return nil },
	})
	go func() { _, _ = stub(w.client(nil)).Call(within(t, 20*time.Second), &echopb.Message{}) }()
	<-entered
	start := time.Now()
	if err := s.Stop(); err == nil {
		t.Error("the server's stop does not tell what it left")
	}
	if err := ep.Stop(context.Background()); err == nil {
		t.Error("the endpoint's stop does not tell that calls were cut")
	}
	if took := time.Since(start); took > 1800*time.Millisecond {
		t.Errorf("both took %v", took)
	}
}

func TestStopEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	entered, hold := make(chan struct{}), make(chan struct{})
	defer close(hold)
	ep, _ := w.serveWith(rpc.EndpointConfig{Drain: time.Hour}, rpc.ServerConfig{}, &echo{
		call: func(context.Context, *echopb.Message, *echopb.Message) error { close(entered); <-hold; return nil },
	})
	go func() { _, _ = stub(w.client(nil)).Call(within(t, 20*time.Second), &echopb.Message{}) }()
	<-entered
	if err := ep.Stop(within(t, 50*time.Millisecond)); err == nil {
		t.Error("no error")
	}
}

func TestServiceTakesNoCallsBeforeItsStart(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep := rpc.NewEndpoint(rpc.EndpointConfig{Address: "127.0.0.1:0", Logger: w.logger()})
		s := rpc.NewServer(rpc.ServerConfig{Name: "echo", Endpoint: ep, Registry: w.reg, Logger: w.logger()})
		if err := echopb.RegisterEchoHandler(s, &echo{}); err != nil {
			t.Fatal(err)
		}
		if err := ep.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ep.Stop(context.Background()) }()
		w.nodes("early", ep.Addr())
		c := stub(w.dial(ep))
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
			t.Errorf("before the start: %v", err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Errorf("after the start: %v", err)
		}
	})
}
