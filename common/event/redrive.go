package event

import (
	"context"
	"errors"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/trace"
)

const (
	// redriveTimeout bounds the attempt of a redrive. It is shorter than calls may commonly take, so that there is time left to
	// note the outcome.
	redriveTimeout = 3 * time.Second
	// maxTold is how much of a reason, in bytes, an answer quotes. The letter has all of it.
	maxTold = 300
)

// Redrive hands the event of a dead letter to this consumer's handler, once, as a delivery would: in the event's trace and
// on behalf of nobody. When it is handled the letter is deleted, when not it stays with the new reason and one attempt more.
// An attempt that ended because the caller's ctx did is not counted.
//
// Redrives and drops of the same letter at the same time are harmless: whoever handles the event takes the letter away, and
// as events may be handled twice, so may letters. Errors: not_found, wrong_state (it failed again).
func (c *Consumer) Redrive(ctx context.Context, id string) error {
	letter, err := c.letters.Get(ctx, id)
	if err != nil {
		return err
	}
	cause := c.again(ctx, letter)
	switch {
	case cause == nil:
		// Whatever version it has by now: the event that it stands for is handled.
		if err := c.letters.Drop(ctx, id); !errors.Is(err, fault.NotFound) {
			return err
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if err := c.letters.failedAgain(ctx, id, cause, c.now()); err != nil {
		return err
	}
	c.warn(ctx, "a dead letter failed again", letter, cause)
	return fault.New(fault.WrongState, "the event failed again: %s", cut(cause.Error(), maxTold))
}

// again makes one attempt. Its context has nothing of the caller's but the end, so that the handler cannot take the person
// who redrives for the one who acts.
func (c *Consumer) again(ctx context.Context, letter DeadLetter) error {
	attempt, cancel := context.WithTimeout(context.Background(), redriveTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	e, err := decode(letter.Payload)
	if err != nil {
		return err
	}
	return c.try(trace.Continue(attempt, e.TraceParent), e)
}
