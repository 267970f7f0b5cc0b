package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/config"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// start runs a process with edges, which need no other service.
func start(t *testing.T, log *lines, parts ...app.Part) (*app.Process, error) {
	t.Helper()
	cfg := config.Default()
	cfg.Data.Dir = filepath.Join(t.TempDir(), "data")
	cfg.RPC.Address = "127.0.0.1:0"
	cfg.RPC.Timeout = 50 * time.Millisecond
	names := []string{"user"}
	for _, p := range parts {
		names = append(names, p.Name)
	}
	p, err := app.Open(cfg, slog.New(slog.NewTextHandler(log, nil)), names)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if err := p.Add(t.Context(), part); err != nil {
			return p, err
		}
	}
	return p, p.Start(t.Context())
}

func stop(t *testing.T, p *app.Process, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return p.Stop(ctx)
}

func edge(name string, serve func(s *app.Service)) app.Part {
	return app.Part{Name: name, Edge: true, Serve: func(_ context.Context, s *app.Service) error {
		serve(s)
		return nil
	}}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestServicesStartInOrderAndStopInTheReverseOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	note := func(what string) func(context.Context) error {
		return func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
			return nil
		}
	}
	both := func(name string) app.Part {
		return edge(name, func(s *app.Service) {
			s.OnStart(note("start " + name))
			s.OnStop(note("stop " + name))
		})
	}
	p, err := start(t, &lines{}, both("a"), both("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(t, p, 10*time.Second); err != nil {
		t.Error(err)
	}
	if want := []string{"start a", "start b", "stop b", "stop a"}; !slices.Equal(order, want) {
		t.Errorf("got %v", order)
	}
}

func TestBackgroundWorkThatPanicsBeginsAnew(t *testing.T) {
	var runs atomic.Int32
	log := &lines{}
	p, err := start(t, log, edge("a", func(s *app.Service) {
		s.Background("fragile", func(ctx context.Context) {
			if runs.Add(1) == 1 {
				panic("boom")
			}
			<-ctx.Done()
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the second run", func() bool { return runs.Load() == 2 })
	if err := stop(t, p, 10*time.Second); err != nil {
		t.Error(err)
	}
	if log.count("boom") == 0 || log.count("app_test.go") == 0 {
		t.Errorf("panic and stack are not in the log: %s", log.buf.String())
	}
}

func TestAFailureOfRegularWorkIsLoggedWhenItIsNewAndWhenItIsOver(t *testing.T) {
	var runs atomic.Int32
	log := &lines{}
	p, err := start(t, log, edge("a", func(s *app.Service) {
		s.Every("regular", time.Millisecond, func(context.Context) error {
			switch n := runs.Add(1); {
			case n <= 20:
				return errors.New("the disk is full")
			case n <= 40:
				return errors.New("the disk is on fire")
			}
			return nil
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the recovery", func() bool { return log.count("goes on") > 0 })
	if err := stop(t, p, 10*time.Second); err != nil {
		t.Error(err)
	}
	if log.count("full") != 1 || log.count("on fire") != 1 || log.count("goes on") != 1 {
		t.Errorf("log: %s", log.buf.String())
	}
}

func TestStopEndsInTimeWhateverIsStuck(t *testing.T) {
	stuck, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	p, err := start(t, &lines{}, edge("a", func(s *app.Service) {
		s.Background("stuck", func(context.Context) { close(stuck); <-release })
	}))
	if err != nil {
		t.Fatal(err)
	}
	<-stuck
	begun := time.Now()
	err = stop(t, p, 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "background") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWhatFailsToStartCanBeStopped(t *testing.T) {
	sick := errors.New("sick")
	p, err := start(t, &lines{}, app.Part{Name: "a", Edge: true, Serve: func(context.Context, *app.Service) error { return sick }})
	if !errors.Is(err, sick) || !strings.Contains(err.Error(), "service a") {
		t.Errorf("got %v", err)
	}
	if err := stop(t, p, 10*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	p, err = start(t, &lines{}, edge("b", func(s *app.Service) { s.OnStart(func(context.Context) error { return sick }) }))
	if !errors.Is(err, sick) {
		t.Errorf("got %v", err)
	}
	if err := stop(t, p, 10*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestWithoutTheKeysAProcessIsNotReady(t *testing.T) {
	p, err := start(t, &lines{}, edge("a", func(*app.Service) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p, 10*time.Second)
	if missing := p.Missing(); len(missing) != 1 || !strings.Contains(missing[0], "keys") {
		t.Errorf("missing %v", missing)
	}
}
