package registry

import (
	"maps"
	"slices"
	"sync"
	"time"

	"go-micro.dev/v4/registry"
)

// Memory is a registry inside the process. It starts no goroutines: expiry is a timer per node, so an unused one is garbage.
// go-micro's own keeps a goroutine for ever, drops a watcher's events after 10 ms, may deliver them out of order, tells
// nobody of an expired node and never that a service is new.
type Memory struct {
	mu       sync.Mutex
	nodes    map[string]map[string]*entry // by service name and node id
	watchers map[*memoryWatcher]struct{}
}

type entry struct {
	service *registry.Service // with this one node
	expiry  *time.Timer       // nil without a TTL
}

var _ registry.Registry = (*Memory)(nil)

// NewMemory makes an empty registry.
func NewMemory() *Memory {
	return &Memory{nodes: map[string]map[string]*entry{}, watchers: map[*memoryWatcher]struct{}{}}
}

// Register adds the service's nodes, or renews them. Watchers hear "create" for a service that had no node, "update" for
// another node or a changed one, and nothing of a mere renewal.
func (m *Memory) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	var o registry.RegisterOptions
	for _, opt := range opts {
		opt(&o)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range s.Nodes {
		e := &entry{service: single(s, n)}
		if o.TTL > 0 {
			e.expiry = time.AfterFunc(o.TTL, func() { m.expire(e) })
		}
		known := m.nodes[s.Name]
		old := known[n.Id]
		if old != nil && old.expiry != nil {
			old.expiry.Stop()
		}
		if known == nil {
			known = map[string]*entry{}
			m.nodes[s.Name] = known
		}
		created := len(known) == 0
		known[n.Id] = e
		switch {
		case created:
			m.tell(registry.Create, e)
		case old == nil || !sameNode(old.service, e.service):
			m.tell(registry.Update, e)
		}
	}
	return nil
}

// Deregister removes the service's nodes. One that is not there is no error.
func (m *Memory) Deregister(s *registry.Service, _ ...registry.DeregisterOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range s.Nodes {
		if e := m.nodes[s.Name][n.Id]; e != nil {
			m.removeLocked(e)
		}
	}
	return nil
}

func (m *Memory) expire(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// It may have been renewed while this waited for the lock.
	if m.nodes[e.service.Name][e.service.Nodes[0].Id] == e {
		m.removeLocked(e)
	}
}

func (m *Memory) removeLocked(e *entry) {
	if e.expiry != nil {
		e.expiry.Stop()
	}
	name := e.service.Name
	delete(m.nodes[name], e.service.Nodes[0].Id)
	if len(m.nodes[name]) == 0 {
		delete(m.nodes, name)
	}
	m.tell(registry.Delete, e)
}

// GetService gives one entry per version, ordered by version, its nodes by id. Its error is registry.ErrNotFound.
func (m *Memory) GetService(name string, _ ...registry.GetOption) ([]*registry.Service, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	versions := map[string]*registry.Service{}
	for _, id := range slices.Sorted(maps.Keys(m.nodes[name])) {
		s := m.nodes[name][id].service
		if v := versions[s.Version]; v != nil {
			v.Nodes = append(v.Nodes, single(s, s.Nodes[0]).Nodes[0])
		} else {
			versions[s.Version] = single(s, s.Nodes[0])
		}
	}
	if len(versions) == 0 {
		return nil, registry.ErrNotFound
	}
	var list []*registry.Service
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		list = append(list, versions[version])
	}
	return list, nil
}

// ListServices gives the names only.
func (m *Memory) ListServices(...registry.ListOption) ([]*registry.Service, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*registry.Service
	for _, name := range slices.Sorted(maps.Keys(m.nodes)) {
		list = append(list, &registry.Service{Name: name})
	}
	return list, nil
}

// Init takes nothing: there is nothing to configure.
func (m *Memory) Init(...registry.Option) error { return nil }

// Options is empty.
func (m *Memory) Options() registry.Options { return registry.Options{} }

// String is the kind.
func (m *Memory) String() string { return "memory" }

// single is a deep copy of a service with one of its nodes. Descriptions of endpoints are never changed and are shared.
func single(s *registry.Service, n *registry.Node) *registry.Service {
	c := *s
	c.Metadata = maps.Clone(s.Metadata)
	c.Endpoints = slices.Clone(s.Endpoints)
	node := *n
	node.Metadata = maps.Clone(n.Metadata)
	c.Nodes = []*registry.Node{&node}
	return &c
}

func sameNode(a, b *registry.Service) bool {
	x, y := a.Nodes[0], b.Nodes[0]
	return a.Version == b.Version && x.Address == y.Address && maps.Equal(x.Metadata, y.Metadata) && maps.Equal(a.Metadata, b.Metadata)
}
