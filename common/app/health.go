package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// healthEvery is how often services are asked for their health; healthTimeout is what one may take to answer.
	healthEvery   = 5 * time.Second
	healthTimeout = 2 * time.Second
)

// watch polls the health of a process's services, so that whoever asks for it, however often, costs them nothing: proving
// that documents can be written takes a write.
type watch struct {
	missing atomic.Pointer[[]string]
}

// run polls until ctx ends.
func (w *watch) run(ctx context.Context, p *Process) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		w.look(ctx, p)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watch) look(ctx context.Context, p *Process) {
	var missing []string
	for _, s := range p.services {
		ask, cancel := context.WithTimeout(ctx, healthTimeout)
		err := s.Health(ask)
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		missing = append(missing, fmt.Sprintf("the documents of %s cannot be read and written", s.Name))
		p.log.WarnContext(ctx, "a service is not healthy", "service", s.Name, "error", err)
	}
	w.missing.Store(&missing)
	if !p.verifier.Ready() {
		if err := p.verifier.Refresh(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "the keys that verify tokens are not there yet", "error", err)
		}
	}
}

// Missing names what the process lacks to serve a booking, as of the last look, one of which begins every five seconds;
// nothing when it lacks nothing. It answers at once.
func (p *Process) Missing() []string {
	missing := p.watch.missing.Load()
	switch {
	case missing == nil:
		return []string{"the services are starting"}
	case !p.verifier.Ready():
		return append([]string{"the keys that verify tokens are not there yet"}, *missing...)
	}
	return *missing
}
