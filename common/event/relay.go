package event

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// batch is how many documents a relay claims at once, and parallel how many of them it publishes at a time.
	batch    = 256
	parallel = 64
	// lease is how long a claimed document is left to its relay; a document whose publishing failed is tried again after it.
	lease = 5 * time.Second
	// publishTimeout bounds one publish, so that a broker that hangs is a broker that failed.
	publishTimeout = 4 * time.Second
	// poll is how often a relay looks without being signalled: leases of other, dead relays end without a sound.
	poll = time.Second
	// maxPause is the longest a relay rests after failures. It begins with minPause and doubles.
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// Relay publishes what waits in the outboxes of one service.
//
// Each event is published at least once; those of one document in order, the next only after the one before was
// acknowledged. An event that cannot be published holds back its own document alone. Nothing ends a relay but its context:
// a failing store or broker makes it rest, longer each time up to 5 s, and go on.
type Relay struct {
	broker   broker.Broker
	topic    string
	outboxes []store.Outbox
	log      *slog.Logger
}

// NewRelay makes the relay of a service's outboxes.
func NewRelay(b broker.Broker, service string, log *slog.Logger, outboxes ...store.Outbox) *Relay {
	return &Relay{broker: b, topic: Topic(service), outboxes: outboxes, log: log}
}

// Run relays until ctx ends. Events that were published but not yet marked when it ends are published again by the next run.
func (r *Relay) Run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, o := range r.outboxes {
		wait.Go(func() { r.run(ctx, o) })
	}
	wait.Wait()
}

func (r *Relay) run(ctx context.Context, o store.Outbox) {
	pause := minPause
	for ctx.Err() == nil {
		published, err := r.round(ctx, o)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.WarnContext(ctx, "events wait: publishing failed", "topic", r.topic, "error", err, "retry_in", pause)
			sleep(ctx, pause/2+rand.N(pause/2))
			pause = min(pause*2, maxPause)
		case published > 0:
			pause = minPause
		default:
			pause = minPause
			select {
			case <-ctx.Done():
			case <-o.Signal():
			case <-time.After(poll):
			}
		}
	}
}

// round claims and publishes once. It returns how many documents it published all events of.
func (r *Relay) round(ctx context.Context, o store.Outbox) (int, error) {
	claimed, err := o.Claim(ctx, batch, lease)
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	var (
		mu       sync.Mutex
		done     []store.Waiting
		failures []error
		slots    = make(chan struct{}, parallel)
		wait     sync.WaitGroup
	)
	for _, w := range claimed {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			published, err := r.publish(ctx, w)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
			}
			if len(published) > 0 {
				done = append(done, store.Waiting{DocumentID: w.DocumentID, Events: published})
			}
		})
	}
	wait.Wait()
	// What was acknowledged is marked even when the relay is being stopped, or it would all be published again.
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	published := len(done)
	if published == 0 {
		// Nothing went through, so it is the broker that is sick: give all back, to be tried after a pause. A document that
		// alone fails stays claimed, and is out of the way of the others until its lease ends.
		for _, w := range claimed {
			done = append(done, store.Waiting{DocumentID: w.DocumentID})
		}
	}
	if err := o.Settle(settle, done); err != nil {
		failures = append(failures, err)
	}
	if len(failures) > 3 {
		failures = failures[:3] // one sick broker fails every document alike
	}
	return published, errors.Join(failures...)
}

// publish publishes a document's events in order and returns those that were acknowledged before the first failure.
func (r *Relay) publish(ctx context.Context, w store.Waiting) ([]store.Event, error) {
	for i, e := range w.Events {
		m, err := message(r.topic, e)
		if err != nil {
			return w.Events[:i], err
		}
		attempt, cancel := context.WithTimeout(ctx, publishTimeout)
		err = r.broker.Publish(attempt, m)
		cancel()
		if err != nil {
			return w.Events[:i], err
		}
	}
	return w.Events, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
