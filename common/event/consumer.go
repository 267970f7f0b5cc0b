package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/trace"
)

const (
	// maxAttempts is how often the handler is tried in one delivery. Most failures that pass at all pass within these.
	maxAttempts = 5
	// firstPause is the time between the first two attempts, give or take half. It doubles, so that all pauses together take
	// no more than a quarter of a second of the delivery.
	firstPause = 10 * time.Millisecond
)

// Consumer stands between the broker and what a service does about events. It bounds how often an event is tried: one that
// keeps failing becomes a dead letter of the service and no longer holds up those behind it.
//
// A service has one, for all topics that it subscribes to:
//
//	letters, err := event.OpenDeadLetters(ctx, s.DB)
//	...
//	consumer := event.NewConsumer(handle, letters, s.Now, s.Log)
//	err = s.Broker.Subscribe(event.Topic("vessel"), Name, consumer.Handle)
//	...
//	err = consignmentpb.RegisterDeadLetterServiceHandler(s.Server, event.NewDeadLetterHandler(consumer))
//
// What the handler has to keep to:
//
//   - It may get an event again that it has handled, and must then do nothing and return nil.
//   - An entity's events come in the order of their versions, with two exceptions: repeats of earlier ones, and an event that
//     was a dead letter and is redriven, which comes after its successors. So it must undo nothing newer: where it keeps a
//     state of the entity, it keeps the version beside it and passes over an event of a lower one. Where every event adds
//     something of its own under the event's id, there is nothing to undo.
//   - An error with the code invalid (package fault) says that this event can never be handled; any other, and a panic, that
//     another attempt may go well.
//   - It returns when its context ends, and bounds its own waits: an event whose handling takes longer than a delivery may
//     is delivered again without end, because it is not known to be at fault.
//
// A dead letter lies in the service's own database. While that is away none can be written, so a lasting outage of it turns no
// event into a dead letter: they are delivered again until it is back. A short one that ends between the last try and the
// letter can; redriving is what such letters are for.
type Consumer struct {
	handle  func(context.Context, Envelope) error
	letters *DeadLetters
	now     func() time.Time
	log     *slog.Logger
}

// NewConsumer makes the consumer of a service from its handler and its dead letters.
func NewConsumer(handle func(context.Context, Envelope) error, letters *DeadLetters, now func() time.Time, log *slog.Logger) *Consumer {
	return &Consumer{handle: handle, letters: letters, now: now, log: log}
}

// Handle is the broker.Handler. It returns nil, which acknowledges the message, when the event was handled or is safe as a
// dead letter, and an error when neither is so: the delivery was given up, or the letter could not be written.
func (c *Consumer) Handle(ctx context.Context, m broker.Message) error {
	e, err := decode(m.Body)
	if err != nil {
		return c.giveUp(ctx, unreadable(m), 1, err)
	}
	ctx = trace.Continue(ctx, e.TraceParent)
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, pause*2 {
		err := c.try(ctx, e)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil: // the delivery was given up, which says nothing about the event
			return err
		case attempt == maxAttempts, errors.Is(err, fault.Invalid):
			return c.giveUp(ctx, readable(m, e), attempt, err)
		}
		sleep(ctx, pause/2+rand.N(pause))
	}
}

// try runs the handler once.
func (c *Consumer) try(ctx context.Context, e Envelope) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return c.handle(ctx, e)
}

// giveUp makes a dead letter of an event, and says so in the log.
func (c *Consumer) giveUp(ctx context.Context, letter DeadLetter, attempts int, cause error) error {
	letter.fail(cause, attempts, c.now())
	letter.Since = letter.FailedAt
	if err := c.letters.put(ctx, letter); err != nil {
		return fmt.Errorf("event %s failed (%w), and cannot be kept as a dead letter: %w", letter.ID, cause, err)
	}
	c.warn(ctx, "an event could not be handled and is a dead letter now", letter, cause)
	return nil
}

func (c *Consumer) warn(ctx context.Context, text string, letter DeadLetter, cause error) {
	args := []any{"id", letter.ID, "source", letter.Source, "type", letter.Type, "entity_id", letter.EntityID, "error", cause}
	if p := (*panicError)(nil); errors.As(cause, &p) {
		args = append(args, "stack", string(p.stack))
	}
	c.log.WarnContext(ctx, text, args...)
}

// panicError is a panic of the handler. The stack is for the log alone.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", p.value) }
