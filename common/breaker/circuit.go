package breaker

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/afex/hystrix-go/hystrix"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
)

// circuit is one method's circuit and the count of its calls under way.
type circuit struct {
	method   method
	cfg      Config
	log      *slog.Logger
	inFlight atomic.Int64

	// mu makes "is it open" and "report a success" one step: hystrix closes an open circuit on any success. A circuit opens
	// only by being asked, so open is exact.
	mu      sync.Mutex
	hystrix *hystrix.CircuitBreaker
	open    bool
	again   bool // the last probe said nothing: the next call is one
}

func newCircuit(prefix string, cfg Config, m method, log *slog.Logger) (*circuit, error) {
	name := prefix + m.service + "." + m.endpoint
	hystrix.ConfigureCommand(name, hystrix.CommandConfig{
		RequestVolumeThreshold: cfg.MinCalls,
		ErrorPercentThreshold:  cfg.ErrorPercent,
		SleepWindow:            max(1, int(cfg.Sleep.Milliseconds())),
	})
	h, _, err := hystrix.GetCircuit(name)
	if err != nil {
		return nil, err
	}
	return &circuit{method: m, cfg: cfg, log: log, hystrix: h}, nil
}

// ticket is the leave to make one call.
type ticket struct {
	circuit *circuit
	start   time.Time
	given   time.Duration // that the caller allows the call
	probe   bool          // let through an open circuit to see whether the service is back
}

// enter gives leave for a call of so much time, or an error if too many are under way or the circuit is open.
func (c *circuit) enter(given time.Duration) (*ticket, error) {
	// Room comes first: asking an open circuit uses up its one probe.
	if c.inFlight.Add(1) > int64(c.cfg.MaxInFlight) {
		c.inFlight.Add(-1)
		return nil, fault.New(fault.Overloaded, "too many calls of %s.%s are under way", c.method.service, c.method.endpoint).
			WithRetryAfter(time.Second)
	}
	c.mu.Lock()
	open := c.hystrix.IsOpen()
	allowed := !open || c.again || c.hystrix.AllowRequest()
	c.again = false
	c.noteLocked(open)
	c.mu.Unlock()
	if !allowed {
		c.inFlight.Add(-1)
		return nil, fault.New(fault.Unavailable, "the %s service is failing and is given a pause; try again later", c.method.service).
			WithRetryAfter(c.cfg.Sleep)
	}
	return &ticket{circuit: c, start: time.Now(), given: given, probe: open}, nil
}

func (t *ticket) leave() { t.circuit.inFlight.Add(-1) }

// report counts how the call ended.
func (t *ticket) report(err error) {
	event, counts := t.eventOf(err)
	c := t.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	if !counts {
		c.again = c.again || t.probe && c.open
		return
	}
	if event == "success" && !t.probe && c.open {
		// It started before the circuit opened, so it tells nothing about the service now.
		return
	}
	// The only error is that hystrix cannot count as fast; it then has plenty to go by.
	_ = c.hystrix.ReportEvent([]string{event}, t.start, time.Since(t.start))
	if t.probe && event == "success" {
		c.noteLocked(false)
	}
}

func (c *circuit) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.hystrix.IsOpen()
	c.noteLocked(open)
	return open
}

func (c *circuit) noteLocked(open bool) {
	if open == c.open {
		return
	}
	c.open, c.again = open, false
	if open {
		c.log.Warn("circuit opened", "target", c.method.service, "method", c.method.endpoint, "sleep", c.cfg.Sleep)
	} else {
		c.log.Info("circuit closed", "target", c.method.service, "method", c.method.endpoint)
	}
}

// eventOf is what hystrix calls the end of a call, if it counts at all.
func (t *ticket) eventOf(err error) (event string, counts bool) {
	f := fault.From(err)
	if f == nil {
		return "success", true
	}
	switch f.Code {
	case fault.Internal:
		return "failure", true
	case fault.Unavailable:
		return "failure", f.RetryAfter <= 0
	case fault.DeadlineExceeded:
		return "timeout", t.given >= t.circuit.cfg.FairTime && !errors.Is(err, rpc.ErrNotSent)
	case fault.Canceled, fault.Overloaded:
		return "", false
	}
	return "success", true
}
