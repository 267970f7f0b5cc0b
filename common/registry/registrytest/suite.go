// Package registrytest is the suite that every registry of Fairway passes, so that services behave the same whichever they
// find each other through.
package registrytest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
)

// Options adapts the suite to an implementation.
type Options struct {
	// TTL is the shortest time to live that the implementation keeps. Default 300 ms.
	TTL time.Duration
	// Settle is how long a change may take to be seen. Default 5 s; the suite goes on as soon as it is.
	Settle time.Duration
}

// Run holds a registry against the suite. open gives the registry for one test; all that it gives during one test must be
// views of the same registry, as the clients of several processes would have them.
func Run(t *testing.T, o Options, open func(t *testing.T) registry.Registry) {
	if o.TTL <= 0 {
		o.TTL = 300 * time.Millisecond
	}
	if o.Settle <= 0 {
		o.Settle = 5 * time.Second
	}
	s := &suite{Options: o, open: open}
	t.Run("a registered service is found", s.found)
	t.Run("a deregistered service is not found", s.deregistered)
	t.Run("an unknown service is ErrNotFound", s.unknown)
	t.Run("two nodes of a version are one service", s.twoNodes)
	t.Run("versions are told apart", s.versions)
	t.Run("registering again changes nothing and replaces the address", s.again)
	t.Run("deregistering what is not there is no error", s.deregisterUnknown)
	t.Run("services are listed", s.listed)
	t.Run("a watch tells of a service, another node and their end", s.watched)
	t.Run("a watch for one service hears of no other", s.watchedOne)
	t.Run("a stopped watch ends Next", s.stopped)
	t.Run("a node that is not renewed expires and watchers hear of it", s.expired)
	t.Run("a node that is renewed stays", s.renewed)
	t.Run("what is given out and taken in is not shared", s.unshared)
}

type suite struct {
	Options
	open func(t *testing.T) registry.Registry
}

func service(name, version string, nodes ...string) *registry.Service {
	s := &registry.Service{Name: name, Version: version}
	for i, id := range nodes {
		s.Nodes = append(s.Nodes, &registry.Node{Id: id, Address: fmt.Sprintf("127.0.0.1:%d", 20001+i), Metadata: map[string]string{"protocol": "grpc"}})
	}
	return s
}

func (s *suite) register(t *testing.T, r registry.Registry, svc *registry.Service, opts ...registry.RegisterOption) {
	t.Helper()
	if err := r.Register(svc, opts...); err != nil {
		t.Fatalf("register %s: %v", svc.Name, err)
	}
}

func (s *suite) deregister(t *testing.T, r registry.Registry, svc *registry.Service) {
	t.Helper()
	if err := r.Deregister(svc); err != nil {
		t.Fatalf("deregister %s: %v", svc.Name, err)
	}
}

// nodes waits until the nodes of a service, as "version/id", are the wanted ones.
func (s *suite) nodes(t *testing.T, r registry.Registry, name string, want ...string) []*registry.Service {
	t.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(s.Settle); ; time.Sleep(5 * time.Millisecond) {
		list, err := r.GetService(name)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			t.Fatalf("get %s: %v", name, err)
		}
		got = nil
		for _, svc := range list {
			for _, n := range svc.Nodes {
				got = append(got, svc.Version+"/"+n.Id)
			}
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return list
		}
		if time.Now().After(end) {
			t.Fatalf("nodes of %s are %v, want %v", name, got, want)
		}
	}
}

func (s *suite) found(t *testing.T) {
	r := s.open(t)
	s.register(t, r, service("vessel", "v1", "a"))
	list := s.nodes(t, r, "vessel", "v1/a")
	if got := list[0]; got.Name != "vessel" || got.Nodes[0].Address != "127.0.0.1:20001" || got.Nodes[0].Metadata["protocol"] != "grpc" {
		t.Errorf("got %+v with node %+v", got, got.Nodes[0])
	}
}

func (s *suite) deregistered(t *testing.T) {
	r := s.open(t)
	svc := service("vessel", "v1", "a")
	s.register(t, r, svc)
	s.nodes(t, r, "vessel", "v1/a")
	s.deregister(t, r, svc)
	s.nodes(t, r, "vessel")
}

func (s *suite) unknown(t *testing.T) {
	list, err := s.open(t).GetService("nobody")
	if !errors.Is(err, registry.ErrNotFound) || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
}

func (s *suite) twoNodes(t *testing.T) {
	r := s.open(t)
	s.register(t, r, service("vessel", "v1", "a"))
	s.register(t, r, service("vessel", "v1", "b"))
	if list := s.nodes(t, r, "vessel", "v1/a", "v1/b"); len(list) != 1 {
		t.Errorf("got %d services for one version", len(list))
	}
	s.deregister(t, r, service("vessel", "v1", "a"))
	s.nodes(t, r, "vessel", "v1/b")
}

func (s *suite) versions(t *testing.T) {
	r := s.open(t)
	s.register(t, r, service("vessel", "v1", "a"))
	s.register(t, r, service("vessel", "v2", "b"))
	if list := s.nodes(t, r, "vessel", "v1/a", "v2/b"); len(list) != 2 {
		t.Errorf("got %d services for two versions", len(list))
	}
}

func (s *suite) again(t *testing.T) {
	r := s.open(t)
	svc := service("vessel", "v1", "a")
	s.register(t, r, svc)
	s.register(t, r, svc)
	s.nodes(t, r, "vessel", "v1/a")
	moved := service("vessel", "v1", "a")
	moved.Nodes[0].Address = "127.0.0.1:20099"
	s.register(t, r, moved)
	for end := time.Now().Add(s.Settle); s.nodes(t, r, "vessel", "v1/a")[0].Nodes[0].Address != "127.0.0.1:20099"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new address never showed")
		}
	}
}

func (s *suite) deregisterUnknown(t *testing.T) {
	s.deregister(t, s.open(t), service("nobody", "v1", "a"))
}

func (s *suite) listed(t *testing.T) {
	r := s.open(t)
	s.register(t, r, service("vessel", "v1", "a"))
	s.register(t, r, service("user", "v1", "b"))
	s.nodes(t, r, "vessel", "v1/a")
	s.nodes(t, r, "user", "v1/b")
	list, err := r.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, svc := range list {
		names = append(names, svc.Name)
	}
	for _, want := range []string{"vessel", "user"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
}

func (s *suite) unshared(t *testing.T) {
	r := s.open(t)
	svc := service("vessel", "v1", "a")
	s.register(t, r, svc)
	svc.Nodes[0].Metadata["protocol"] = "changed by the registrant"
	s.nodes(t, r, "vessel", "v1/a")[0].Nodes[0].Metadata["protocol"] = "changed by a reader"
	if got := s.nodes(t, r, "vessel", "v1/a")[0].Nodes[0].Metadata["protocol"]; got != "grpc" {
		t.Errorf("metadata became %q", got)
	}
}

func (s *suite) expired(t *testing.T) {
	r := s.open(t)
	events := s.watch(t, r, registry.WatchService("vessel"))
	s.register(t, r, service("vessel", "v1", "a"), registry.RegisterTTL(s.TTL))
	s.nodes(t, r, "vessel", "v1/a")
	s.nodes(t, r, "vessel")
	s.hears(t, events, "delete")
}

func (s *suite) renewed(t *testing.T) {
	r := s.open(t)
	for end := time.Now().Add(3 * s.TTL); time.Now().Before(end); time.Sleep(s.TTL / 10) {
		s.register(t, r, service("vessel", "v1", "a"), registry.RegisterTTL(s.TTL))
		s.nodes(t, r, "vessel", "v1/a")
	}
}
