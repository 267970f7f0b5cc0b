// Package app builds the services of a process, starts them in order and stops them in order.
//
// Every service is built the same way, in Process.build: one place where each wrapper and its order can be read.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"go-micro.dev/v4/registry"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/broker"
	fairwayregistry "github.com/fairwayfreight/fairway/common/registry"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/config"
)

// Process is what the services of one process share. Use: Open, Add for each service, Start, Stop.
type Process struct {
	cfg config.Config
	log *slog.Logger
	now func() time.Time

	endpoint *rpc.Endpoint
	registry registry.Registry
	broker   broker.Broker
	keys     auth.KeyDir
	verifier *auth.Verifier
	services []*Service
	failed   chan error
	watch    watch

	background sync.WaitGroup
	end        context.CancelFunc // ends background work
}

// Open makes a process that serves nothing yet. services are the names of all services there are, whichever of them this
// process runs: each has a key. It creates the data directory, and in development the keys that are missing.
func Open(cfg config.Config, log *slog.Logger, services []string) (*Process, error) {
	if err := writable(cfg.Data.Dir); err != nil {
		return nil, err
	}
	keys := auth.KeyDir(cfg.KeysDir())
	if cfg.Env != config.Production {
		if err := keys.Create(services...); err != nil {
			return nil, err
		}
	}
	public, err := keys.Services()
	if err != nil {
		return nil, err
	}
	reg, err := fairwayregistry.New(cfg.Registry.Kind)
	if err != nil {
		return nil, err
	}
	events, err := openBroker(cfg.Broker)
	if err != nil {
		return nil, err
	}
	p := &Process{
		cfg:      cfg,
		log:      log,
		now:      time.Now,
		registry: reg,
		broker:   events,
		keys:     keys,
		failed:   make(chan error, 1),
		endpoint: rpc.NewEndpoint(rpc.EndpointConfig{
			Address: cfg.RPC.Address,
			Drain:   cfg.RPC.Drain,
			Timeout: cfg.RPC.Timeout,
			Logger:  log,
		}),
	}
	p.verifier = auth.NewVerifier(p.publicKeys, public, p.now)
	return p, nil
}

// writable creates the data directory and proves that files can be written in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory %s cannot be created: %w", dir, errors.Unwrap(err))
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be written: %w", dir, errors.Unwrap(err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// Part is a service that a process may run.
type Part struct {
	Name string
	// Serve assembles the service on what it is given: opens its documents, registers its handlers and background work.
	Serve func(ctx context.Context, s *Service) error
	// Edge marks a part that others do not call by RPC and that keeps no documents: the gateway.
	Edge bool
}

// Add builds a service. Services are started in the order in which they were added and stopped in the reverse order.
func (p *Process) Add(ctx context.Context, part Part) error {
	s, err := p.build(ctx, part)
	if err != nil {
		return fmt.Errorf("service %s: %w", part.Name, err)
	}
	p.services = append(p.services, s)
	if err := part.Serve(ctx, s); err != nil {
		return fmt.Errorf("service %s: %w", part.Name, err)
	}
	return nil
}

// Start opens the endpoint, starts the services and their background work, and then what faces the outside. When it fails,
// call Stop.
func (p *Process) Start(ctx context.Context) error {
	if err := p.endpoint.Listen(ctx); err != nil {
		return err
	}
	for _, s := range p.services {
		if s.edge {
			continue
		}
		if err := s.micro.Start(); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	p.end = end
	p.watch.look(ctx, p) // so that readiness is known, and the keys are there, before anybody asks
	p.background.Go(func() { p.watch.run(work, p) })
	for _, s := range p.services {
		for _, run := range s.background {
			p.background.Go(func() { run(work) })
		}
	}
	for _, s := range p.services {
		for _, start := range s.starts {
			if err := start(ctx); err != nil {
				return fmt.Errorf("service %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// Stop stops everything in the reverse order: what faces the outside finishes its requests, services leave the registry and
// finish their calls, background work ends, then broker, documents and tracers close. What is not done when ctx ends is left
// behind, and the error says what; no answer that was given is lost by that.
func (p *Process) Stop(ctx context.Context) error {
	var failures []error
	step := func(what string, do func() error) {
		if err := within(ctx, do); err != nil {
			failures = append(failures, fmt.Errorf("stop %s: %w", what, err))
		}
	}
	for _, s := range slices.Backward(p.services) {
		for _, stop := range s.stops {
			step(s.Name, func() error { return stop(ctx) })
		}
	}
	for _, s := range slices.Backward(p.services) {
		if !s.edge {
			step(s.Name, s.micro.Stop)
		}
	}
	step("the background work", func() error {
		if p.end != nil {
			p.end()
		}
		p.background.Wait()
		return nil
	})
	step("the RPC endpoint", func() error { return p.endpoint.Stop(ctx) })
	step("the broker", p.broker.Close)
	for _, s := range slices.Backward(p.services) {
		step(s.Name, s.close)
	}
	return errors.Join(failures...)
}

// within does something and returns when it is done or ctx ends.
func within(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("not done in time")
	}
}

// RPCAddress is where the services are called from outside, once the process has started.
func (p *Process) RPCAddress() string { return p.endpoint.Addr() }

// Address is where a service is reached from outside, as it announced; empty when it did not.
func (p *Process) Address(service string) string {
	for _, s := range p.services {
		if s.Name == service {
			return s.address
		}
	}
	return ""
}

// Failed receives when a service cannot go on.
func (p *Process) Failed() <-chan error { return p.failed }
