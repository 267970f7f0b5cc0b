package sqlite

import (
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// claims are the documents of a collection that are being published, each until its lease ends.
type claims struct {
	now    func() time.Time
	signal chan struct{}

	mu    sync.Mutex
	until map[string]time.Time
	// timer runs to the end of the next lease.
	timer   *time.Timer
	stopped bool
}

func newClaims(now func() time.Time) *claims {
	return &claims{now: now, signal: make(chan struct{}, 1), until: make(map[string]time.Time)}
}

// take claims what find returns, which is told what is claimed already. It holds the lock while find reads: so no claim can
// end between that reading and the taking, and events that were settled meanwhile are not handed out again.
func (c *claims) take(lease time.Duration, find func(claimed []string) ([]store.Waiting, error)) ([]store.Waiting, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.expire(now)
	claimed := make([]string, 0, len(c.until))
	for id := range c.until {
		claimed = append(claimed, id)
	}
	list, err := find(claimed)
	if err != nil {
		return nil, err
	}
	for _, w := range list {
		c.until[w.DocumentID] = now.Add(lease)
	}
	c.schedule(now)
	return list, nil
}

// end gives documents free.
func (c *claims) end(list []store.Waiting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range list {
		delete(c.until, w.DocumentID)
	}
}

// wake makes Signal receive; it never blocks.
func (c *claims) wake() {
	select {
	case c.signal <- struct{}{}:
	default:
	}
}

// stop ends the timer for good.
func (c *claims) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// expire drops the claims whose lease has ended and tells whether there were any.
func (c *claims) expire(now time.Time) bool {
	before := len(c.until)
	for id, end := range c.until {
		if !now.Before(end) {
			delete(c.until, id)
		}
	}
	return len(c.until) < before
}

// schedule sets the timer to the end of the first lease.
func (c *claims) schedule(now time.Time) {
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.stopped || len(c.until) == 0 {
		return
	}
	var first time.Time
	for _, end := range c.until {
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	c.timer = time.AfterFunc(first.Sub(now), c.leaseEnded)
}

func (c *claims) leaseEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.expire(now) {
		c.wake()
	}
	c.schedule(now)
}
