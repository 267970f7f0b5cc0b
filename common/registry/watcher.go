package registry

import (
	"sync"

	"go-micro.dev/v4/registry"
)

// memoryWatcher queues events without bound, so that a slow reader misses none and holds up nobody.
type memoryWatcher struct {
	registry *Memory
	service  string // empty for all

	mu      sync.Mutex
	queue   []*registry.Result
	stopped bool
	ready   chan struct{} // has room for one; filled when there is something to see
}

// Watch tells of every change from now on. Stop ends it.
func (m *Memory) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	var o registry.WatchOptions
	for _, opt := range opts {
		opt(&o)
	}
	w := &memoryWatcher{registry: m, service: o.Service, ready: make(chan struct{}, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	return w, nil
}

func (m *Memory) tell(what registry.EventType, e *entry) {
	for w := range m.watchers {
		if w.service == "" || w.service == e.service.Name {
			w.add(&registry.Result{Action: what.String(), Service: single(e.service, e.service.Nodes[0])})
		}
	}
}

func (w *memoryWatcher) add(r *registry.Result) {
	w.mu.Lock()
	w.queue = append(w.queue, r)
	w.mu.Unlock()
	w.wake()
}

func (w *memoryWatcher) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Next waits for the next event; after Stop it gives registry.ErrWatcherStopped.
func (w *memoryWatcher) Next() (*registry.Result, error) {
	for {
		w.mu.Lock()
		stopped := w.stopped
		if !stopped && len(w.queue) > 0 {
			r := w.queue[0]
			w.queue = w.queue[1:]
			more := len(w.queue) > 0
			w.mu.Unlock()
			if more {
				w.wake() // for others that wait
			}
			return r, nil
		}
		w.mu.Unlock()
		if stopped {
			w.wake()
			return nil, registry.ErrWatcherStopped
		}
		<-w.ready
	}
}

// Stop may be called more than once.
func (w *memoryWatcher) Stop() {
	w.registry.mu.Lock()
	delete(w.registry.watchers, w)
	w.registry.mu.Unlock()
	w.mu.Lock()
	w.stopped = true
	w.queue = nil
	w.mu.Unlock()
	w.wake()
}
