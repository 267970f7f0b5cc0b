package registrytest

import (
	"slices"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
)

// watch collects events until the test ends.
func (s *suite) watch(t *testing.T, r registry.Registry, opts ...registry.WatchOption) <-chan *registry.Result {
	t.Helper()
	w, err := r.Watch(opts...)
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	t.Cleanup(w.Stop)
	events := make(chan *registry.Result, 100)
	go func() {
		defer close(events)
		for {
			e, err := w.Next()
			if err != nil {
				return
			}
			events <- e
		}
	}()
	return events
}

// hears waits for an event whose action is one of these.
func (s *suite) hears(t *testing.T, events <-chan *registry.Result, actions ...string) *registry.Result {
	t.Helper()
	timeout := time.After(s.Settle)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the watch ended before %v", actions)
			}
			if slices.Contains(actions, e.Action) {
				return e
			}
		case <-timeout:
			t.Fatalf("the watch never told of %v", actions)
		}
	}
}

// watched leaves open whether a first node is a "create" or an "update": registries that see nodes only cannot tell.
func (s *suite) watched(t *testing.T) {
	r := s.open(t)
	events := s.watch(t, r, registry.WatchService("vessel"))
	s.register(t, r, service("vessel", "v1", "a"))
	if e := s.hears(t, events, "create", "update"); e.Service.Name != "vessel" {
		t.Errorf("heard of %s", e.Service.Name)
	}
	s.nodes(t, r, "vessel", "v1/a")
	s.register(t, r, service("vessel", "v1", "b"))
	s.hears(t, events, "create", "update")
	s.nodes(t, r, "vessel", "v1/a", "v1/b")
	s.deregister(t, r, service("vessel", "v1", "b"))
	s.hears(t, events, "delete", "update")
	s.nodes(t, r, "vessel", "v1/a")
	s.deregister(t, r, service("vessel", "v1", "a"))
	s.hears(t, events, "delete")
	s.nodes(t, r, "vessel")
}

func (s *suite) watchedOne(t *testing.T) {
	r := s.open(t)
	events := s.watch(t, r, registry.WatchService("vessel"))
	s.register(t, r, service("user", "v1", "a"))
	s.register(t, r, service("vessel", "v1", "b"))
	if e := s.hears(t, events, "create", "update"); e.Service.Name != "vessel" {
		t.Errorf("heard of %s", e.Service.Name)
	}
}

func (s *suite) stopped(t *testing.T) {
	w, err := s.open(t).Watch()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := w.Next()
		ended <- err
	}()
	w.Stop()
	w.Stop()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Next gave an event that never was")
		}
	case <-time.After(s.Settle):
		t.Error("Next still waits")
	}
}
