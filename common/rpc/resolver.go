package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc/connectivity"

	"github.com/fairwayfreight/fairway/common/fault"
)

// target is one service as the registry knows it. A goroutine keeps its snapshot; calls only read it, and never ask the
// registry themselves. While the registry fails, the last snapshot stays.
type target struct {
	service string
	reg     registry.Registry
	pool    *pool
	log     *slog.Logger

	snap atomic.Pointer[snapshot] // nil until the first lookup has ended
	turn atomic.Uint32
}

// snapshot is a service's nodes at one moment. It is never changed; it is a user of its connections.
type snapshot struct {
	nodes []node
	err   error // why there are no nodes, if the registry failed
}

type node struct {
	conn    *conn
	version string
}

const (
	// relook is how often the registry is asked without an event, in case one got lost.
	relook = 30 * time.Second
	// The pause after the registry failed grows between these.
	minPause = 200 * time.Millisecond
	maxPause = 10 * time.Second
)

// follow keeps the snapshot until ctx ends.
func (t *target) follow(ctx context.Context) {
	defer t.publish(&snapshot{err: errClosed()})
	pause := minPause
	for ctx.Err() == nil {
		watched, err := t.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if watched {
			pause = minPause
		}
		t.log.Warn("watching the registry failed, keeping the nodes known so far", "target", t.service, "error", err)
		if t.snap.Load() == nil {
			t.publish(&snapshot{err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, maxPause)
	}
}

// session watches the registry until that fails; watched tells whether it could be watched and looked at.
func (t *target) session(ctx context.Context) (watched bool, err error) {
	// The watch comes first, so that no change is missed between the two.
	w, err := t.reg.Watch(registry.WatchService(t.service), registry.WatchContext(ctx))
	if err != nil {
		// Without a watch the nodes can still be looked up, now and again.
		return false, errors.Join(fmt.Errorf("watch %s: %w", t.service, err), t.look(ctx))
	}
	stop := sync.OnceFunc(w.Stop)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	if err := t.look(ctx); err != nil {
		return false, err
	}
	events, failed := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for {
			if _, err := w.Next(); err != nil {
				failed <- err
				return
			}
			select {
			case events <- struct{}{}:
			default: // one look serves several events
			}
		}
	}()
	tick := time.NewTicker(relook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-failed:
			return true, err
		case <-events:
		case <-tick.C:
		}
		if err := t.look(ctx); err != nil {
			return true, err
		}
	}
}

// look asks the registry for all nodes. That none is registered is an answer, not an error.
func (t *target) look(ctx context.Context) error {
	services, err := t.reg.GetService(t.service, registry.GetContext(ctx))
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("look up %s: %w", t.service, err)
	}
	s := &snapshot{}
	for _, svc := range services {
		for _, n := range svc.Nodes {
			c, err := t.pool.get(n.Address)
			if err != nil {
				t.log.Warn("a registered node cannot be used", "target", t.service, "node", n.Id, "address", n.Address, "error", err)
				continue
			}
			s.nodes = append(s.nodes, node{conn: c, version: svc.Version})
		}
	}
	t.publish(s)
	return nil
}

func (t *target) publish(s *snapshot) {
	if old := t.snap.Swap(s); old != nil {
		for _, n := range old.nodes {
			n.conn.release()
		}
	}
	t.pool.changed()
}

// pick chooses a connected node in turn and acquires its connection, passing over those that were tried. It waits only for
// nodes that are being connected to, or for the first lookup, and at most until ctx is done. Its errors are Unavailable, with
// ErrNotSent, or Canceled.
func (t *target) pick(ctx context.Context, version string, tried []*conn) (*conn, error) {
	for {
		if c, _, _ := t.choose(version, tried); c != nil {
			return c, nil
		}
		change := t.pool.waitChange()
		c, wait, err := t.choose(version, tried)
		if c != nil || !wait {
			return c, err
		}
		select {
		case <-change:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, fault.From(ctx.Err())
			}
			return nil, t.none("no node of it could be found or reached in time", ctx.Err())
		}
	}
}

// choose is one look at the snapshot: a node, or whether waiting can help, or else why there is none.
func (t *target) choose(version string, tried []*conn) (c *conn, wait bool, err error) {
	s := t.snap.Load()
	if s == nil {
		return nil, true, nil
	}
	usable := func(n node) bool {
		return (version == "" || n.version == version) && !slices.Contains(tried, n.conn)
	}
	ready, pending, matching := 0, false, 0
	for _, n := range s.nodes {
		if !usable(n) {
			continue
		}
		matching++
		switch n.conn.connectivity() {
		case connectivity.Ready:
			ready++
		case connectivity.Idle, connectivity.Connecting:
			pending = true
		}
	}
	if ready > 0 {
		skip := int(t.turn.Add(1) % uint32(ready))
		for _, n := range s.nodes {
			if !usable(n) || n.conn.connectivity() != connectivity.Ready {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			if n.conn.acquire() {
				return n.conn, false, nil
			}
		}
		return nil, true, nil // it changed while being read
	}
	switch {
	case pending:
		return nil, true, nil
	case matching > 0:
		return nil, false, t.none("no node of it can be reached", nil)
	case s.err != nil:
		return nil, false, t.none("it cannot be looked up", s.err)
	case version != "":
		return nil, false, t.none("no node of version "+version+" is known", nil)
	}
	return nil, false, t.none("no node of it is known", nil)
}

func (t *target) none(why string, cause error) error {
	return fault.Wrap(fault.Unavailable, errors.Join(ErrNotSent, cause), "the %s service is not available: %s", t.service, why)
}
