package limit_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/limit"
)

type request struct{ server.Request }

func (request) Service() string { return "vessel" }

func TestAdmissionRefusesBeyondItsLimitAtOnce(t *testing.T) {
	const limitOf, callers = 3, 50
	release, entered := make(chan struct{}), make(chan struct{}, callers)
	h := limit.Admission(limitOf)(func(context.Context, server.Request, any) error {
		entered <- struct{}{}
		<-release
		return nil
	})
	results := make(chan error, callers)
	for range limitOf {
		go func() { results <- h(t.Context(), request{}, nil) }()
	}
	for range limitOf {
		<-entered
	}
	for range callers - limitOf {
		if err := h(t.Context(), request{}, nil); !errors.Is(err, fault.Overloaded) || fault.From(err).RetryAfter <= 0 {
			t.Fatalf("got %v", err)
		}
	}
	close(release)
	for range limitOf {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := h(t.Context(), request{}, nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestAdmissionCountsAllMethodsTogether(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	w := limit.Admission(1)
	first := w(func(context.Context, server.Request, any) error { close(entered); <-release; return nil })
	second := w(func(context.Context, server.Request, any) error { return nil })
	done := make(chan error, 1)
	go func() { done <- first(t.Context(), request{}, nil) }()
	<-entered
	if err := second(t.Context(), request{}, nil); !errors.Is(err, fault.Overloaded) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAdmissionFreesThePlaceOfAPanic(t *testing.T) {
	h := limit.Admission(1)(func(context.Context, server.Request, any) error { panic("boom") })
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			err := h(t.Context(), request{}, nil)
			t.Errorf("got %v", err)
		}()
	}
}

// sink is a client that takes every call.
type sink struct {
	client.Client
	calls atomic.Int64
}

func (s *sink) Call(context.Context, client.Request, any, ...client.CallOption) error {
	s.calls.Add(1)
	return nil
}

func (s *sink) Stream(context.Context, client.Request, ...client.CallOption) (client.Stream, error) {
	s.calls.Add(1)
	return nil, nil
}

func TestPacingSpreadsCalls(t *testing.T) {
	c := limit.Pacing(100, 1000)(&sink{})
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 21 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				err = c.Call(t.Context(), nil, nil)
			} else {
				_, err = c.Stream(t.Context(), nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took < 190*time.Millisecond {
		t.Errorf("21 calls at 100 a second took %v", took)
	}
}

func TestPacingRefusesWhoCannotGetItsTurnInTime(t *testing.T) {
	s := &sink{}
	c := limit.Pacing(1, 100)(s)
	if err := c.Call(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := c.Call(ctx, nil, nil)
	if !errors.Is(err, fault.Overloaded) || fault.From(err).RetryAfter <= 0 {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 250*time.Millisecond {
		t.Errorf("refused after %v instead of at once", took)
	}
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d calls were made", n)
	}
}

func TestPacingBoundsThoseWhoWaitAndLetsThemLeave(t *testing.T) {
	const maxWaiting = 3
	c := limit.Pacing(1, maxWaiting)(&sink{})
	if err := c.Call(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	results := make(chan error, 100)
	for range 10 {
		go func() { results <- c.Call(ctx, nil, nil) }()
	}
	for range 10 - maxWaiting {
		if err := <-results; !errors.Is(err, fault.Overloaded) {
			t.Errorf("got %v", err)
		}
	}
	leave()
	start := time.Now()
	for range maxWaiting {
		if err := <-results; !errors.Is(err, fault.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("those who left took %v", took)
	}
}

func TestLimitsThatMakeNoSensePanic(t *testing.T) {
	for name, f := range map[string]func(){
		"admission": func() { limit.Admission(0) },
		"rate":      func() { limit.Pacing(0, 1) },
		"waiting":   func() { limit.Pacing(1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
