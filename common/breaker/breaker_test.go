package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"

	"github.com/fairwayfreight/fairway/common/breaker"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// service stands for a client and all behind it.
type service struct {
	client.Client // makes requests
	call          func(ctx context.Context) error
	recv          func() error
}

func newService(call func(context.Context) error) *service {
	return &service{Client: rpc.NewClient(rpc.ClientConfig{}), call: call}
}

func (s *service) Call(ctx context.Context, _ client.Request, _ any, _ ...client.CallOption) error {
	return s.call(ctx)
}

func (s *service) Stream(ctx context.Context, _ client.Request, _ ...client.CallOption) (client.Stream, error) {
	if err := s.call(ctx); err != nil {
		return nil, err
	}
	return &stream{recv: s.recv}, nil
}

type stream struct {
	client.Stream
	recv func() error
}

func (s *stream) Recv(any) error { return s.recv() }

var quiet = slog.New(slog.DiscardHandler)

func call(c client.Client, ctx context.Context) error {
	return c.Call(ctx, c.NewRequest("vessel", "VesselService.Reserve", nil), nil)
}

func open(b *breaker.Breaker) bool {
	states := b.States()
	return len(states) > 0 && states[0].Open
}

// eventually polls: hystrix counts in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// trip fails calls until the circuit is open.
func trip(t *testing.T, b *breaker.Breaker, c client.Client) {
	t.Helper()
	eventually(t, "the circuit opens", func() bool { _ = call(c, t.Context()); return open(b) })
}

func TestWhatTheCallerCausedNeverOpensTheCircuit(t *testing.T) {
	for _, code := range fault.Codes() {
		if code == fault.Internal || code == fault.Unavailable || code == fault.DeadlineExceeded {
			continue
		}
		t.Run(string(code), func(t *testing.T) {
			b := breaker.New(breaker.Config{}, quiet)
			c := b.Wrap(newService(func(context.Context) error { return fault.New(code, "no") }))
			for range 60 {
				if err := call(c, t.Context()); !errors.Is(err, code) {
					t.Fatalf("got %v", err)
				}
			}
			time.Sleep(20 * time.Millisecond) // for the counting, which would show itself in the next call
			if err := call(c, t.Context()); !errors.Is(err, code) || open(b) {
				t.Fatalf("the circuit is open: %v", err)
			}
		})
	}
}

func TestFailuresOpenTheCircuitAndItRecovers(t *testing.T) {
	for _, code := range []fault.Code{fault.Internal, fault.Unavailable, fault.DeadlineExceeded} {
		t.Run(string(code), func(t *testing.T) {
			var broken atomic.Bool
			var calls atomic.Int64
			broken.Store(true)
			b := breaker.New(breaker.Config{Sleep: 50 * time.Millisecond}, quiet)
			c := b.Wrap(newService(func(context.Context) error {
				calls.Add(1)
				if broken.Load() {
					return fault.New(code, "broken")
				}
				return nil
			}))
			trip(t, b, c)
			before := calls.Load()
			if before < 20 {
				t.Errorf("it opened after %d calls", before)
			}
			err := call(c, t.Context())
			if calls.Load() == before && (!errors.Is(err, fault.Unavailable) || fault.From(err).RetryAfter <= 0) {
				t.Errorf("an open circuit answers %v", err)
			}
			broken.Store(false)
			eventually(t, "the circuit closes", func() bool { return call(c, t.Context()) == nil && !open(b) })
			for range 50 {
				if err := call(c, t.Context()); err != nil {
					t.Fatalf("after it closed: %v", err)
				}
			}
		})
	}
}

func TestOpenCircuitLetsOneCallThroughPerSleep(t *testing.T) {
	var calls atomic.Int64
	b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
	c := b.Wrap(newService(func(context.Context) error { calls.Add(1); return fault.New(fault.Internal, "broken") }))
	trip(t, b, c)
	before := calls.Load()
	for range 100 {
		_ = call(c, t.Context())
	}
	if got := calls.Load(); got != before {
		t.Errorf("%d calls went through an open circuit", got-before)
	}
}

func TestHealthyServiceWithManyCallersLosesNone(t *testing.T) {
	b := breaker.New(breaker.Config{}, quiet)
	c := b.Wrap(newService(func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil }))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 10 {
				if err := call(c, t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRejectionsForLackOfRoomDoNotOpenTheCircuit(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	b := breaker.New(breaker.Config{MaxInFlight: 1}, quiet)
	c := b.Wrap(newService(func(context.Context) error { entered <- struct{}{}; <-release; return nil }))
	done := make(chan error, 1)
	go func() { done <- call(c, t.Context()) }()
	<-entered
	for range 100 {
		if err := call(c, t.Context()); !errors.Is(err, fault.Overloaded) || fault.From(err).RetryAfter <= 0 {
			t.Fatalf("got %v", err)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // for the counting
	if err := call(c, t.Context()); err != nil || open(b) {
		t.Fatalf("the circuit opened: %v", err)
	}
	if got := b.States()[0].InFlight; got != 0 {
		t.Errorf("%d calls are still counted", got)
	}
}

func TestLateSuccessDoesNotCloseTheCircuit(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{})
	var slow atomic.Bool
	slow.Store(true)
	b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
	c := b.Wrap(newService(func(context.Context) error {
		if slow.CompareAndSwap(true, false) {
			close(entered)
			<-release
			return nil
		}
		return fault.New(fault.Internal, "broken")
	}))
	done := make(chan error, 1)
	go func() { done <- call(c, context.Background()) }()
	<-entered
	trip(t, b, c)
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !open(b) {
		t.Error("a call from before the opening closed the circuit")
	}
}

// hung answers when its caller's time is up.
func hung(ctx context.Context) error { <-ctx.Done(); return fault.From(ctx.Err()) }

func TestTimeoutsOfCallsThatHadAFairTimeCount(t *testing.T) {
	b := breaker.New(breaker.Config{Sleep: time.Hour, FairTime: time.Millisecond}, quiet)
	c := b.Wrap(newService(hung))
	eventually(t, "the circuit opens", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_ = call(c, ctx)
		return open(b)
	})
}

// TestCallerInAHurryStopsNobody: neither with calls nor with streams, whether the context or an option is what is short.
func TestCallerInAHurryStopsNobody(t *testing.T) {
	s := newService(func(context.Context) error { return fault.New(fault.DeadlineExceeded, "too late") })
	asStream := newService(func(context.Context) error { return nil })
	asStream.recv = func() error { return fault.New(fault.DeadlineExceeded, "too late") }
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond) // whatever happens, less than a second
		t.Cleanup(cancel)
		return ctx
	}
	for name, tt := range map[string]struct {
		s    *service
		once func(t *testing.T, c client.Client) error
	}{
		"context": {s, func(t *testing.T, c client.Client) error { return call(c, short(t)) }},
		"option": {s, func(t *testing.T, c client.Client) error {
			return c.Call(t.Context(), c.NewRequest("vessel", "VesselService.Reserve", nil), nil, client.WithRequestTimeout(10*time.Millisecond))
		}},
		"stream": {asStream, func(t *testing.T, c client.Client) error {
			stream, err := c.Stream(short(t), c.NewRequest("vessel", "VesselService.Watch", nil))
			if err != nil {
				return err
			}
			return stream.Recv(nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := breaker.New(breaker.Config{}, quiet)
			c := b.Wrap(tt.s)
			for range 60 {
				if err := tt.once(t, c); !errors.Is(err, fault.DeadlineExceeded) {
					t.Fatalf("got %v", err)
				}
			}
			time.Sleep(20 * time.Millisecond) // for the counting
			if open(b) {
				t.Error("the circuit opened")
			}
		})
	}
}

// TestServiceThatNamesATimeToComeBackLives: that something further in is away, or that it is full, opens no circuit.
func TestServiceThatNamesATimeToComeBackLives(t *testing.T) {
	for _, code := range []fault.Code{fault.Unavailable, fault.Overloaded, fault.TooManyRequests} {
		t.Run(string(code), func(t *testing.T) {
			b := breaker.New(breaker.Config{}, quiet)
			c := b.Wrap(newService(func(context.Context) error { return fault.New(code, "later").WithRetryAfter(time.Second) }))
			for range 60 {
				if err := call(c, t.Context()); !errors.Is(err, code) {
					t.Fatalf("got %v", err)
				}
			}
			time.Sleep(20 * time.Millisecond) // for the counting
			if open(b) {
				t.Error("the circuit opened")
			}
		})
	}
}

// TestWhatSaysNothingDoesNotHideFailures: it is no success that a share of failures is held against.
func TestWhatSaysNothingDoesNotHideFailures(t *testing.T) {
	for _, code := range []fault.Code{fault.Unavailable, fault.Overloaded} {
		t.Run(string(code), func(t *testing.T) {
			var n atomic.Int64
			b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
			c := b.Wrap(newService(func(context.Context) error {
				if n.Add(1)%4 == 0 {
					return fault.New(fault.Internal, "broken")
				}
				return fault.New(code, "later").WithRetryAfter(time.Second)
			}))
			trip(t, b, c)
		})
	}
}

// TestProbeThatSaysNothingIsGivenToTheNextCall: a caller in a hurry does not keep an open circuit open either.
func TestProbeThatSaysNothingIsGivenToTheNextCall(t *testing.T) {
	const sleep = 300 * time.Millisecond
	for name, silent := range map[string]error{
		"canceled": fault.New(fault.Canceled, "left"), "overloaded": fault.New(fault.Overloaded, "full"),
		"comes back": fault.New(fault.Unavailable, "later").WithRetryAfter(time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			answer := error(fault.New(fault.Internal, "broken"))
			calls := 0
			b := breaker.New(breaker.Config{Sleep: sleep}, quiet)
			c := b.Wrap(newService(func(context.Context) error { calls++; return answer }))
			trip(t, b, c)
			answer = silent
			eventually(t, "a probe goes through", func() bool { before := calls; _ = call(c, t.Context()); return calls > before })
			if !open(b) {
				t.Fatal("the probe closed the circuit")
			}
			answer = nil
			if err := call(c, t.Context()); err != nil || open(b) {
				t.Errorf("the call after the probe: %v; the circuit is open: %t", err, open(b))
			}
		})
	}
}

func TestWhatWasNeverSentForLackOfTimeDoesNotCount(t *testing.T) {
	b := breaker.New(breaker.Config{}, quiet)
	c := b.Wrap(rpc.NewClient(rpc.ClientConfig{Margin: time.Minute}))
	for range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := c.Call(ctx, c.NewRequest("vessel", "VesselService.Reserve", &echopb.Message{}), &echopb.Message{}); !errors.Is(err, fault.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		cancel()
	}
	time.Sleep(20 * time.Millisecond) // for the counting
	if open(b) {
		t.Error("hurried callers opened the circuit")
	}
}

func TestCancelledCallsDoNotCount(t *testing.T) {
	b := breaker.New(breaker.Config{}, quiet)
	c := b.Wrap(newService(func(context.Context) error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := call(c, ctx); !errors.Is(err, fault.Canceled) {
		t.Fatalf("got %v", err)
	}
	if len(b.States()) != 0 {
		t.Error("a call of a caller that has left made a circuit")
	}
}

func TestPanicPassesThroughAndIsCounted(t *testing.T) {
	b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
	c := b.Wrap(newService(func(context.Context) error { panic("boom") }))
	eventually(t, "the circuit opens", func() bool {
		defer func() { _ = recover() }()
		if err := call(c, t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("the panic became %v", err)
		}
		return true
	})
	if s := b.States()[0]; !s.Open || s.InFlight != 0 {
		t.Errorf("state %+v", s)
	}
}

func TestStreamsAreGuarded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		open  error
		first error
		trips bool
	}{
		{"opening fails", fault.New(fault.Unavailable, "down"), nil, true},
		{"first message fails", nil, fault.New(fault.Internal, "broken"), true},
		{"ends at once", nil, io.EOF, false},
		{"not found", nil, fault.New(fault.NotFound, "no"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
			s := newService(func(context.Context) error { return tt.open })
			s.recv = func() error { return tt.first }
			c := b.Wrap(s)
			once := func() {
				stream, err := c.Stream(t.Context(), c.NewRequest("vessel", "VesselService.Watch", nil))
				if err == nil {
					_ = stream.Recv(nil)
				}
			}
			if tt.trips {
				eventually(t, "the circuit opens", func() bool { once(); return open(b) })
				return
			}
			for range 60 {
				once()
			}
			time.Sleep(20 * time.Millisecond) // for the counting
			if once(); open(b) {
				t.Error("the circuit opened")
			}
		})
	}
}

func TestCircuitsAreApartByMethod(t *testing.T) {
	b := breaker.New(breaker.Config{Sleep: time.Hour}, quiet)
	c := b.Wrap(newService(func(context.Context) error { return fault.New(fault.Internal, "broken") }))
	trip(t, b, c)
	if err := c.Call(t.Context(), c.NewRequest("vessel", "VesselService.Get", nil), nil); !errors.Is(err, fault.Internal) {
		t.Errorf("another method got %v", err)
	}
	got := fmt.Sprint(b.States())
	if want := "[{vessel VesselService.Get false 0} {vessel VesselService.Reserve true 0}]"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
}

func BenchmarkGuardedCall(b *testing.B) {
	c := breaker.Wrapper(breaker.Config{}, quiet)(newService(func(context.Context) error { return nil }))
	req := c.NewRequest("vessel", "VesselService.Reserve", nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Call(context.Background(), req, nil); err != nil {
				b.Error(err)
			}
		}
	})
}
