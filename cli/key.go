package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
)

const (
	// tries is how often a change is sent at most, firstPause about how long the pause before the second time is; each further
	// one is twice as long.
	tries      = 5
	firstPause = 200 * time.Millisecond
)

// attachKeyed adds the common flags to a command that changes something.
func (r *remote) attachKeyed(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&r.key, "key", "", "Idempotency-Key: the same command with the same key takes effect once within 24 hours\n(a new one when not given)")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("key") && r.key == "" { // an unset variable in a script, which counts on its key
			return usageError("--key must not be empty")
		}
		return run(cmd, args)
	}
	return r.attach(cmd)
}

// keys gives each of a command's changes its Idempotency-Key, all of which follow from the one of the command.
func (r *remote) keys(changes int, many bool) ([]string, error) {
	if r.key == "" {
		r.key = rand.Text()
	}
	keys := make([]string, changes)
	for i := range keys {
		keys[i] = r.key
		if many {
			keys[i] += "." + strconv.Itoa(i+1)
		}
		if broken := rule.IdempotencyKey(keys[i]); broken != nil {
			return nil, usageError("--key " + broken[0].Message)
		}
	}
	return keys, nil
}

// change posts a body, or none where it is nil, under an Idempotency-Key. A change whose answer was lost, because the
// connection broke or the service was away, is sent again a few times within the time for one answer: the key makes it take
// effect once. The answer is valid JSON.
func (c *client) change(ctx context.Context, path, key string, body any) (json.RawMessage, error) {
	data, err := encodeBody(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	lost := false
	for try := 1; ; try++ {
		answer, err := c.send(ctx, http.MethodPost, path, key, data)
		if err == nil {
			return answer, nil
		}
		lost = lost || answerLost(err)
		if !lost || try == tries || !mayHelp(err) || !pauseBefore(ctx, try, err) {
			return nil, err
		}
	}
}

// answerLost tells whether a change may have taken effect though there is no answer that says so.
func answerLost(err error) bool {
	var unreachable *unreachableError
	var refusal *refusalError
	return errors.As(err, &unreachable) && unreachable.uncertain || errors.As(err, &refusal) && refusal.away()
}

// mayHelp tells whether a change whose answer was lost is worth sending again after this error: the service may be back soon,
// or be still at work on the first one.
func mayHelp(err error) bool {
	var unreachable *unreachableError
	var refusal *refusalError
	switch {
	case errors.As(err, &unreachable):
		return true
	case errors.As(err, &refusal):
		return refusal.away() || refusal.Code == string(fault.Conflict) && refusal.retryAfter != ""
	}
	return false
}

// away tells whether the service, or the way to it, failed for the time being.
func (r *refusalError) away() bool {
	switch r.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pauseBefore waits before another try, for as long as the gateway asked for where it did, and reports whether there is time
// for one.
func pauseBefore(ctx context.Context, try int, err error) bool {
	d := firstPause << (try - 1)
	d = d/2 + mathrand.N(d)
	var refusal *refusalError
	if errors.As(err, &refusal) {
		if seconds, bad := strconv.Atoi(refusal.retryAfter); bad == nil {
			d = max(d, time.Duration(seconds)*time.Second)
		}
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nameKey lets an error say by which key its command can be repeated.
func nameKey(err error, key string) error {
	var unreachable *unreachableError
	var refusal *refusalError
	switch {
	case errors.As(err, &unreachable):
		unreachable.key = key
	case errors.As(err, &refusal):
		refusal.key = key
	}
	return err
}
