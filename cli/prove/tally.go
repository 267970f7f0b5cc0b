package prove

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what happened, for the report. It is safe for many goroutines.
type tally struct {
	confirmed, noCapacity, wrongState, cancelled atomic.Int64
	// replays are repeats of what had been answered, repeats those of what had not.
	replays, repeats atomic.Int64
	requests         atomic.Int64

	mu     sync.Mutex
	errors map[string]int64
	// longest is the longest time that a request was repeated before it was answered.
	longest time.Duration
}

// waited notes how long a request has been repeated.
func (t *tally) waited(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest = max(t.longest, d)
}

// longestWait is the longest time that any request was repeated.
func (t *tally) longestWait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.longest
}

// request counts one, and what it failed of where it did.
func (t *tally) request(failure string) {
	t.requests.Add(1)
	if failure == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = map[string]int64{}
	}
	t.errors[failure]++
}

func (t *tally) failures() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.errors)
}

// aftermath is how long after bookings are answered again failures still count as the kill's: connections of the dead
// process that had been idle, and breakers that are still open.
const aftermath = 2 * time.Second

// outages knows when something was killed and when Fairway answered. It is safe for many goroutines.
type outages struct {
	mu      sync.Mutex
	windows []window
	// lastServed is when the last answer came, longest the longest time between two.
	lastServed time.Time
	longest    time.Duration
}

// window is the time in which a kill may be felt: from before the command, until a while after the first answer to a booking
// that was asked for after it. Killed and until are zero while that is not known.
type window struct{ from, killed, until time.Time }

// killing opens a window: something is about to be killed.
func (o *outages) killing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.windows = append(o.windows, window{from: time.Now()})
}

// killed tells how that went. Where nothing was killed the window is taken back.
func (o *outages) killed(done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := len(o.windows) - 1
	if !done {
		o.windows = o.windows[:last]
		return
	}
	o.windows[last].killed = time.Now()
}

// served notes an answer to what was asked at a time. Change tells that it was the final answer to a change: only those show
// that all of Fairway is back, as a gateway alone can read and refuse.
func (o *outages) served(asked time.Time, change bool) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.lastServed.IsZero() {
		o.longest = max(o.longest, now.Sub(o.lastServed))
	}
	o.lastServed = now
	if n := len(o.windows); n > 0 && change {
		last := &o.windows[n-1]
		if last.until.IsZero() && !last.killed.IsZero() && asked.After(last.killed) {
			last.until = now.Add(aftermath)
		}
	}
}

// back tells whether changes are answered again since the last kill.
func (o *outages) back() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.windows)
	return n == 0 || !o.windows[n-1].until.IsZero()
}

// around tells whether a kill may be felt by a request that was asked at a time and ended now.
func (o *outages) around(asked time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.windows) == 0 {
		return false
	}
	last := o.windows[len(o.windows)-1]
	return last.until.IsZero() || asked.Before(last.until)
}

// worst is the longest time in which nothing was served.
func (o *outages) worst() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.longest
}
