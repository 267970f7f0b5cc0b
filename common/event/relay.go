package event

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/fanout"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// batch is how many documents a relay claims, and publishes, at once, and workers how many such batches are under way, so
	// that one is published while another is marked.
	batch   = 128
	workers = 3
	// publishTimeout bounds the publishing of what was claimed at once, so that a broker that hangs is a broker that failed.
	publishTimeout = 3 * time.Second
	// lease is how long a claimed document is left to its relay: as long as publishing and marking may take. A
	// document whose publishing failed is tried again after it.
	lease = 2 * publishTimeout
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
		for range workers {
			wait.Go(func() { r.run(ctx, o) })
		}
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

// round claims and publishes once. It returns how many documents it published any events of.
func (r *Relay) round(ctx context.Context, o store.Outbox) (int, error) {
	claimed, err := o.Claim(ctx, batch, lease)
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	acknowledged := make([][]store.Event, len(claimed))
	publish, cancelPublish := context.WithTimeout(ctx, publishTimeout)
	defer cancelPublish()
	failure := fanout.All(len(claimed), batch, func(i int) (err error) {
		acknowledged[i], err = r.publish(publish, claimed[i])
		return err
	})
	var done []store.Waiting
	for i, w := range claimed {
		if len(acknowledged[i]) > 0 {
			done = append(done, store.Waiting{DocumentID: w.DocumentID, Events: acknowledged[i]})
		}
	}
	// What was acknowledged is marked even when the relay is being stopped, or it would all be published again.
	settle, cancelSettle := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancelSettle()
	published := len(done)
	if published == 0 {
		// Nothing went through, so it is the broker that is sick: give all back, to be tried after a pause. A document that
		// alone fails stays claimed, and is out of the way of the others until its lease ends.
		for _, w := range claimed {
			done = append(done, store.Waiting{DocumentID: w.DocumentID})
		}
	}
	return published, errors.Join(failure, o.Settle(settle, done))
}

// publish publishes a document's events in order and returns those that were acknowledged before the first failure.
func (r *Relay) publish(ctx context.Context, w store.Waiting) ([]store.Event, error) {
	for i, e := range w.Events {
		// The key is the entity, so an entity's events stay in order.
		m := broker.Message{Topic: r.topic, Key: w.DocumentID, ID: e.ID, Body: e.Body}
		if err := r.broker.Publish(ctx, m); err != nil {
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
