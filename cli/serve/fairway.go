// Package serve runs Fairway's services: all of them in one process, or those that are named.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/api"
	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/config"
	"github.com/fairwayfreight/fairway/consignment"
	"github.com/fairwayfreight/fairway/log"
	"github.com/fairwayfreight/fairway/user"
	"github.com/fairwayfreight/fairway/vessel"
)

// parts are all services, in the order in which they start: who is called before who calls.
var parts = []app.Part{
	{Name: user.Name, Serve: user.Serve},
	{Name: log.Name, Serve: log.Serve},
	{Name: vessel.Name, Serve: vessel.Serve},
	{Name: consignment.Name, Serve: consignment.Serve},
	{Name: api.Name, Serve: api.Serve, Edge: true},
}

// Names are the names of all services.
func Names() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name
	}
	return names
}

// Fairway is a running Fairway, as make run and every end-to-end test start it.
type Fairway struct {
	process *app.Process
	timeout time.Duration
	stop    func() error
}

// Start starts the named services, all when none is named. It returns when they serve, or with one sentence that says why
// they cannot, and then nothing is left running.
func Start(ctx context.Context, cfg config.Config, log *slog.Logger, names ...string) (*Fairway, error) {
	if err := cfg.CheckServices(names, Names()); err != nil {
		return nil, err
	}
	process, err := app.Open(cfg, log, Names())
	if err != nil {
		return nil, err
	}
	f := &Fairway{process: process, timeout: cfg.Stop.Timeout}
	f.stop = sync.OnceValue(f.stopOnce)
	if err := f.start(ctx, names); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

func (f *Fairway) start(ctx context.Context, names []string) error {
	for _, part := range parts {
		if len(names) == 0 || slices.Contains(names, part.Name) {
			if err := f.process.Add(ctx, part); err != nil {
				return err
			}
		}
	}
	return f.process.Start(ctx)
}

// HTTP is the address of the gateway, empty when it was not started; RPC that of the services.
func (f *Fairway) HTTP() string { return f.process.Address(api.Name) }

// RPC is the address under which the services take gRPC calls.
func (f *Fairway) RPC() string { return f.process.RPCAddress() }

// Failed receives when a service cannot go on.
func (f *Fairway) Failed() <-chan error { return f.process.Failed() }

// Stop stops in good order, within the configured time. Repeating it gives the same answer.
func (f *Fairway) Stop() error { return f.stop() }

func (f *Fairway) stopOnce() error {
	ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
	defer cancel()
	return f.process.Stop(ctx)
}
