package rpc_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	microregistry "go-micro.dev/v4/registry"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// troubled is a registry that can be made to fail or to hang, counts its queries, and keeps what was registered.
type troubled struct {
	microregistry.Registry
	fails   atomic.Bool
	queries atomic.Int64
	hang    chan struct{} // nil for one that does not

	mu       sync.Mutex
	watchers []microregistry.Watcher
	heard    []string
	ttls     []time.Duration
}

var errRegistry = errors.New("the registry is away")

func (r *troubled) GetService(name string, opts ...microregistry.GetOption) ([]*microregistry.Service, error) {
	r.queries.Add(1)
	if r.hang != nil {
		<-r.hang
	}
	if r.fails.Load() {
		return nil, errRegistry
	}
	return r.Registry.GetService(name, opts...)
}

func (r *troubled) Watch(opts ...microregistry.WatchOption) (microregistry.Watcher, error) {
	if r.fails.Load() {
		return nil, errRegistry
	}
	w, err := r.Registry.Watch(opts...)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watchers = append(r.watchers, w)
	}
	return w, err
}

func (r *troubled) Register(s *microregistry.Service, opts ...microregistry.RegisterOption) error {
	var o microregistry.RegisterOptions
	for _, opt := range opts {
		opt(&o)
	}
	r.hear("register "+s.Nodes[0].Id, o.TTL)
	if r.fails.Load() {
		return errRegistry
	}
	return r.Registry.Register(s, opts...)
}

func (r *troubled) Deregister(s *microregistry.Service, opts ...microregistry.DeregisterOption) error {
	r.hear("deregister "+s.Nodes[0].Id, 0)
	return r.Registry.Deregister(s, opts...)
}

func (r *troubled) hear(what string, ttl time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, what)
	r.ttls = append(r.ttls, ttl)
}

func (r *troubled) said() ([]string, []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.heard...), append([]time.Duration(nil), r.ttls...)
}

// breakDown fails everything from now on, watches under way included.
func (r *troubled) breakDown() {
	r.fails.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watchers {
		w.Stop()
	}
}

func TestHungRegistryDoesNotHoldUpACall(t *testing.T) {
	w := newWorld(t)
	reg := &troubled{Registry: w.reg, hang: make(chan struct{})}
	defer close(reg.hang)
	w.reg = reg
	c := stub(w.client(nil))
	for range 3 {
		start := time.Now()
		_, err := c.Call(within(t, 200*time.Millisecond), &echopb.Message{})
		if !errors.Is(err, fault.Unavailable) || !errors.Is(err, rpc.ErrNotSent) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func TestFailingRegistryLeavesTheNodesAndIsNotAskedPerCall(t *testing.T) {
	w := newWorld(t)
	w.nodes("v1", w.serveUnregistered(&echo{}).Addr())
	reg := &troubled{Registry: w.reg}
	w.reg = reg
	c := stub(w.client(nil))
	call := func() {
		t.Helper()
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
	}
	call()
	asked := reg.queries.Load()
	for range 200 {
		call()
	}
	if n := reg.queries.Load() - asked; n != 0 {
		t.Errorf("200 calls asked the registry %d times", n)
	}
	reg.breakDown()
	eventually(t, "the failure is noticed", func() bool { return w.log.count("watching the registry failed") > 0 })
	start := time.Now()
	for range 200 {
		call()
	}
	if n, most := reg.queries.Load()-asked, int64(3+time.Since(start)/(100*time.Millisecond)); n > most {
		t.Errorf("200 calls asked the failing registry %d times", n)
	}
	reg.fails.Store(false)
	if err := w.reg.Deregister(mustGet(t, reg, "echo")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the registry is followed again", func() bool {
		_, err := c.Call(within(t, 5*time.Second), &echopb.Message{})
		return errors.Is(err, fault.Unavailable)
	})
}

func mustGet(t *testing.T, r microregistry.Registry, name string) *microregistry.Service {
	t.Helper()
	list, err := r.GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func TestRegistryThatFailsFromTheStartIsUnavailableAtOnce(t *testing.T) {
	w := newWorld(t)
	reg := &troubled{Registry: w.reg}
	reg.fails.Store(true)
	w.reg = reg
	c := stub(w.client(nil))
	start := time.Now()
	if _, err := c.Call(within(t, 10*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestServerRegistersAgainAndDeregistersFirst(t *testing.T) {
	w := newWorld(t)
	reg := &troubled{Registry: w.reg}
	w.reg = reg
	ep, s := w.serveWith(rpc.EndpointConfig{}, rpc.ServerConfig{Version: "v7", TTL: time.Minute, Interval: 5 * time.Millisecond}, &echo{})
	eventually(t, "it registers again", func() bool { heard, _ := reg.said(); return len(heard) >= 5 })
	if got := mustGet(t, reg, "echo"); got.Version != "v7" || len(got.Nodes) != 1 || got.Nodes[0].Address != ep.Addr() {
		t.Errorf("registered as %+v", got)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	heard, ttls := reg.said()
	id := s.Options().Id
	for i, what := range heard[:len(heard)-1] {
		if what != "register "+id || ttls[i] != time.Minute {
			t.Errorf("%d: %s with TTL %v", i, what, ttls[i])
		}
	}
	if last := heard[len(heard)-1]; last != "deregister "+id {
		t.Errorf("last was %s", last)
	}
	time.Sleep(20 * time.Millisecond) // four intervals in which nothing may be said
	if again, _ := reg.said(); len(again) != len(heard) {
		t.Errorf("after the stop: %v", again[len(heard):])
	}
	if _, err := reg.GetService("echo"); !errors.Is(err, microregistry.ErrNotFound) {
		t.Errorf("still registered: %v", err)
	}
}

func TestServerStartsWithoutItsRegistryIfItWillTryAgain(t *testing.T) {
	w := newWorld(t)
	reg := &troubled{Registry: w.reg}
	reg.fails.Store(true)
	w.reg = reg
	w.serveWith(rpc.EndpointConfig{}, rpc.ServerConfig{Interval: 5 * time.Millisecond}, &echo{})
	reg.fails.Store(false)
	eventually(t, "it is registered", func() bool { _, err := reg.GetService("echo"); return err == nil })

	reg.fails.Store(true)
	ep := rpc.NewEndpoint(rpc.EndpointConfig{Address: "127.0.0.1:0"})
	once := rpc.NewServer(rpc.ServerConfig{Name: "echo", Endpoint: ep, Registry: reg})
	if err := echopb.RegisterEchoHandler(once, &echo{}); err != nil {
		t.Fatal(err)
	}
	if err := ep.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ep.Stop(t.Context()) }()
	if err := once.Start(); !errors.Is(err, errRegistry) {
		t.Errorf("a server that registers once starts with %v", err)
	}
}
