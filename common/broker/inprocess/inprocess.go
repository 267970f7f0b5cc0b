// Package inprocess is the broker of a process that holds all services.
//
// It has no memory and needs none: a publish is acknowledged only when every group has handled the message, and until then
// the message waits in the publisher's outbox, on disk. So nothing is lost whenever the process dies. A group that fails is
// asked again with the next publish: the publisher's relay publishes until it is acknowledged.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/fairwayfreight/fairway/common/broker"
)

// stripes is how many messages of different keys a group can handle at once.
const stripes = 256

var (
	// ErrClosed is returned by a broker that was closed.
	ErrClosed = errors.New("the broker is closed")
	// ErrNoGroup is returned for a topic that nobody handles: acknowledging would lose the message.
	ErrNoGroup = errors.New("no group handles this topic")
)

// Broker delivers within the process: Publish returns when the handlers have run.
type Broker struct {
	seed maphash.Seed

	mu     sync.RWMutex
	closed bool
	topics map[string][]*subscription

	ctx    context.Context
	cancel context.CancelFunc
}

var _ broker.Broker = (*Broker)(nil)

// New makes a broker.
func New() *Broker {
	ctx, cancel := context.WithCancel(context.Background())
	return &Broker{seed: maphash.MakeSeed(), topics: map[string][]*subscription{}, ctx: ctx, cancel: cancel}
}

type subscription struct {
	group  string
	handle broker.Handler
	// order keeps messages of one key apart: those of a stripe are handled one at a time, by whoever has put something in.
	order  [stripes]chan struct{}
	active sync.WaitGroup
}

// Publish delivers m to every group of its topic, once, and returns when all have handled it, or the failures of those that
// have not. Groups that had handled it will get it again with the next publish.
func (b *Broker) Publish(ctx context.Context, m broker.Message) error {
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return ErrClosed
	}
	groups := b.topics[m.Topic]
	if len(groups) == 0 {
		b.mu.RUnlock()
		return ErrNoGroup
	}
	for _, s := range groups {
		s.active.Add(1)
	}
	b.mu.RUnlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()

	stripe := maphash.String(b.seed, m.Key) % stripes
	failures := make([]error, len(groups))
	var wait sync.WaitGroup
	for i, s := range groups {
		deliver := func() {
			defer s.active.Done()
			if err := s.deliver(ctx, stripe, m); err != nil {
				failures[i] = fmt.Errorf("group %s: %w", s.group, err)
			}
		}
		if i == len(groups)-1 { // the last one needs no goroutine of its own
			deliver()
			continue
		}
		wait.Go(deliver)
	}
	wait.Wait()
	return errors.Join(failures...)
}

func (s *subscription) deliver(ctx context.Context, stripe uint64, m broker.Message) error {
	select {
	case s.order[stripe] <- struct{}{}:
		defer func() { <-s.order[stripe] }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.try(ctx, m)
}

func (s *subscription) try(ctx context.Context, m broker.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return s.handle(ctx, m)
}

// Subscribe adds a group. A topic has one handler per group, because a second one in the same process could not be told
// from the first.
func (b *Broker) Subscribe(topic, group string, handle broker.Handler) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	for _, s := range b.topics[topic] {
		if s.group == group {
			return fmt.Errorf("group %s already handles topic %s", group, topic)
		}
	}
	// Publish ranges over the slice without the lock, so it is replaced, never changed.
	added := &subscription{group: group, handle: handle}
	for i := range added.order {
		added.order[i] = make(chan struct{}, 1)
	}
	b.topics[topic] = append(slices.Clone(b.topics[topic]), added)
	return nil
}

// Close ends deliveries: handlers under way see their context end, and Close waits for them.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	topics := b.topics
	b.topics = map[string][]*subscription{}
	b.mu.Unlock()
	b.cancel()
	for _, subscriptions := range topics {
		for _, s := range subscriptions {
			s.active.Wait()
		}
	}
	return nil
}
