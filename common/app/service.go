package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go-micro.dev/v4"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/breaker"
	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/limit"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
	"github.com/fairwayfreight/fairway/config"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// Service is what one service is built on. It cannot tell from it whether others run in the same process.
type Service struct {
	Name   string
	Config config.Config
	Log    *slog.Logger
	Now    func() time.Time

	// Client calls other services; Server takes the handlers of this one. Server and DB are nil for an edge.
	Client client.Client
	Server server.Server
	DB     store.DB
	Broker broker.Broker

	Keys     auth.KeyDir
	Verifier *auth.Verifier
	Tracer   *trace.Tracer
	// Missing names what the process still lacks to serve a booking.
	Missing func() []string

	edge       bool
	address    string
	failed     chan<- error
	micro      lifecycle
	calls      *rpc.Client
	background []func(context.Context)
	starts     []func(context.Context) error
	stops      []func(context.Context) error
}

// build makes a service: every wrapper, in the order in which a call passes them. What it made before it failed is closed.
func (p *Process) build(ctx context.Context, part Part) (_ *Service, err error) {
	cfg := p.cfg
	log := p.log.With("service", part.Name)
	key, err := p.keys.Service(part.Name)
	if err != nil {
		return nil, err
	}
	tracer, err := trace.New(trace.Config{Service: part.Name, Jaeger: cfg.Trace.Jaeger, Sample: cfg.Trace.Sample})
	if err != nil {
		return nil, err
	}
	s := &Service{
		Name:     part.Name,
		Config:   cfg,
		Log:      log,
		Now:      p.now,
		Broker:   p.broker,
		Keys:     p.keys,
		Verifier: p.verifier,
		Tracer:   tracer,
		Missing:  p.Missing,
		edge:     part.Edge,
		failed:   p.failed,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()

	// A call out: identified, traced, refused while its target is known to fail, paced where configured. The client itself
	// sets the deadline, chooses the node and sends.
	out := []client.Wrapper{
		auth.ClientWrapper(auth.NewServiceTokens(part.Name, key, p.now)),
		trace.ClientWrapper(tracer),
		breaker.Wrapper(breaker.Config{
			MaxInFlight:  cfg.Breaker.MaxConcurrent,
			MinCalls:     cfg.Breaker.Volume,
			ErrorPercent: cfg.Breaker.ErrorPercent,
			Sleep:        cfg.Breaker.Sleep,
		}, log),
	}
	if cfg.RPC.PacePerSecond > 0 {
		out = append(out, limit.Pacing(cfg.RPC.PacePerSecond, maxPaced))
	}
	s.calls = rpc.NewClient(rpc.ClientConfig{
		Registry: p.registry,
		Local:    p.endpoint,
		Timeout:  cfg.RPC.Timeout,
		Logger:   log,
	}, out...)
	s.Client = s.calls
	if part.Edge {
		return s, nil
	}

	s.DB, err = p.openStore(ctx, part.Name, log)
	if err != nil {
		return nil, err
	}
	once, err := idempotency.New(ctx, s.DB, p.exclusive(), p.now, log)
	if err != nil {
		return nil, err
	}
	s.Every("forget idempotency keys", forgetEvery, once.Sweep)

	// A call in: traced, logged, any panic inside turned into an error that trace and log see, its caller verified and
	// admitted, counted against what the service takes on at once, and only then worked on, once for each Idempotency-Key.
	s.Server = rpc.NewServer(rpc.ServerConfig{
		Name:     part.Name,
		Endpoint: p.endpoint,
		Registry: p.registry,
		TTL:      cfg.Registry.TTL,
		Interval: cfg.Registry.Interval,
		Logger:   log,
	},
		trace.HandlerWrapper(tracer),
		rpc.AccessLog(log),
		rpc.Recovery(log),
		auth.HandlerWrapper(p.verifier),
		limit.Admission(cfg.RPC.MaxInFlight),
		once.Wrap,
	)
	s.micro, err = newLifecycle(ctx, s.Client, s.Server)
	return s, err
}

// forgetEvery is how often idempotency keys that count no more are removed.
const forgetEvery = time.Minute

// maxPaced is how many calls of a service may wait for their turn where calls are paced; more are refused.
const maxPaced = 100

// lifecycle is the part of go-micro's service that is used here. Its Init and Run are never called, because they read the
// process's arguments: Init overwrites settings with flag defaults, Run ends the process on -h.
type lifecycle interface {
	Start() error
	Stop() error
}

func newLifecycle(ctx context.Context, c client.Client, s server.Server) (lifecycle, error) {
	service, ok := micro.NewService(micro.Client(c), micro.Server(s), micro.Context(ctx), micro.HandleSignal(false)).(lifecycle)
	if !ok {
		return nil, errors.New("this go-micro cannot be started without its Run")
	}
	return service, nil
}

// Background adds work that runs from when all services have started until all calls have been finished. It must return
// soon after its context ends, and nothing but that may end it.
func (s *Service) Background(name string, run func(context.Context)) {
	log := s.Log.With("work", name)
	s.background = append(s.background, func(ctx context.Context) {
		for ctx.Err() == nil {
			survive(ctx, log, run)
		}
	})
}

// Every adds background work that is done again and again, with a rest of the given length in between. A failure is logged
// when it is new and when it is over, not each time.
func (s *Service) Every(name string, rest time.Duration, do func(context.Context) error) {
	log := s.Log.With("work", name)
	s.Background(name, func(ctx context.Context) {
		tick := time.NewTicker(rest)
		defer tick.Stop()
		failing := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := do(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && err.Error() != failing:
				log.WarnContext(ctx, "background work fails and is tried again", "error", err)
				failing = err.Error()
			case err == nil && failing != "":
				log.InfoContext(ctx, "background work goes on")
				failing = ""
			}
		}
	})
}

// survive runs work and turns a panic into a log line and a pause, after which the work begins anew.
func survive(ctx context.Context, log *slog.Logger, run func(context.Context)) {
	defer func() {
		if r := recover(); r != nil {
			log.ErrorContext(ctx, "background work panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	run(ctx)
}

// OnStart adds what is done when the services of the process have started.
func (s *Service) OnStart(start func(context.Context) error) { s.starts = append(s.starts, start) }

// OnStop adds what is done before the services of the process stop, in the order in which it was added.
func (s *Service) OnStop(stop func(context.Context) error) { s.stops = append(s.stops, stop) }

// Announce tells under which address the service can be reached from outside.
func (s *Service) Announce(address string) { s.address = address }

// Fail tells the process that the service cannot go on. The process stops.
func (s *Service) Fail(err error) {
	select {
	case s.failed <- fmt.Errorf("service %s: %w", s.Name, err):
	default: // one failure is enough
	}
}

// Health tells whether the service can do its work.
func (s *Service) Health(ctx context.Context) error {
	if s.DB == nil {
		return nil
	}
	return s.DB.Health(ctx)
}

func (s *Service) close() error {
	var errs []error
	if s.calls != nil {
		errs = append(errs, s.calls.Close())
	}
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	if s.Tracer != nil {
		errs = append(errs, s.Tracer.Close())
	}
	return errors.Join(errs...)
}

// publicKeys asks the user service for the keys that verify people's tokens.
func (p *Process) publicKeys(ctx context.Context) (auth.KeySet, error) {
	if len(p.services) == 0 {
		return nil, errors.New("no service has been built")
	}
	rsp, err := userpb.NewUserService("user", p.services[0].Client).GetKeys(ctx, &userpb.KeysRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the public keys: %w", err)
	}
	keys := auth.KeySet{}
	for _, k := range rsp.GetKeys() {
		if len(k.GetPublicKey()) == ed25519.PublicKeySize {
			keys[k.GetKid()] = k.GetPublicKey()
		}
	}
	return keys, nil
}
