package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairwayfreight/fairway/common/fault"
)

// ServerConfig describes one service.
type ServerConfig struct {
	// Name is the service's name in the registry and the package of its protos: "vessel".
	Name string
	// Version is what clients can choose nodes by. Default "latest".
	Version string
	// Endpoint is where the service is reached.
	Endpoint *Endpoint
	// Registry is told of the service; nil for a service that is found in process only.
	Registry registry.Registry
	// TTL is after how long the registry forgets a service that is not heard of; 0 for never.
	TTL time.Duration
	// Interval is how often the service registers anew; 0 for once.
	Interval time.Duration
	// Logger gets the causes of internal errors and of trouble with the registry. It says of itself which service it belongs
	// to. Default slog.Default with the attribute service.
	Logger *slog.Logger
}

// registryTime bounds one exchange with the registry, so that a hung one cannot hold up a start or a stop for ever.
const registryTime = 5 * time.Second

// Server is one service on an [Endpoint]. It implements go-micro's server.Server. Everything is said in the constructor:
// Init takes no options, and events are the concern of package broker, so Subscribe is Unimplemented.
type Server struct {
	cfg      ServerConfig
	log      *slog.Logger
	id       string
	wrappers []server.HandlerWrapper
	gate     gate

	// cut ends what is still running when the drain time is over.
	cut    context.Context
	cutNow context.CancelFunc

	methods map[string]*method // by go-micro endpoint; the Endpoint guards it

	mu     sync.Mutex
	protos []string
	state  serverState
	loop   context.CancelFunc // ends the registering
	looped chan struct{}
}

type serverState int

const (
	made serverState = iota
	started
	stopped
)

var _ server.Server = (*Server)(nil)

// NewServer makes a service whose calls go through the wrappers, the first listed outermost, over gRPC as in process.
func NewServer(cfg ServerConfig, wrappers ...server.HandlerWrapper) *Server {
	if cfg.Version == "" {
		cfg.Version = "latest"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default().With("service", cfg.Name)
	}
	s := &Server{cfg: cfg, log: cfg.Logger, id: cfg.Name + "-" + uuid.NewString(), wrappers: wrappers, methods: map[string]*method{}}
	s.cut, s.cutNow = context.WithCancel(context.Background())
	return s
}

// NewHandler takes what a generated Register…Handler function makes.
func (s *Server) NewHandler(h any, opts ...server.HandlerOption) server.Handler {
	return newHandler(h, opts)
}

// Handle serves a handler. It fails if no proto service has its name, if a method is missing or of another shape, if the
// service is already served, and once the endpoint listens.
func (s *Server) Handle(h server.Handler) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != made {
		return errors.New("rpc: handlers are added before the server starts")
	}
	desc, methods, err := methodsOf(s.cfg.Name, h)
	if err != nil {
		return err
	}
	full := string(desc.FullName())
	sd := &grpc.ServiceDesc{ServiceName: full, HandlerType: (*any)(nil), Metadata: desc.ParentFile().Path()}
	for _, m := range methods {
		m.wrap(s.wrappers)
		if m.streaming() {
			sd.Streams = append(sd.Streams, grpc.StreamDesc{
				StreamName: string(m.desc.Name()), Handler: s.streamHandler(m),
				ServerStreams: m.desc.IsStreamingServer(), ClientStreams: m.desc.IsStreamingClient(),
			})
		} else {
			sd.Methods = append(sd.Methods, grpc.MethodDesc{MethodName: string(m.desc.Name()), Handler: s.unaryHandler(m)})
		}
	}
	if err := s.cfg.Endpoint.attach(s, full, sd, methods); err != nil {
		return err
	}
	s.protos = append(s.protos, full)
	return nil
}

// Start opens the service for calls and registers it. If the registry cannot be reached, the service runs all the same and
// keeps trying at each Interval; without an Interval that is an error.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != made {
		return fmt.Errorf("rpc: service %s starts once", s.cfg.Name)
	}
	address := s.cfg.Endpoint.Addr()
	if address == "" && s.cfg.Endpoint.cfg.Address != "" {
		return fmt.Errorf("rpc: service %s starts after its endpoint listens", s.cfg.Name)
	}
	s.gate.open()
	s.setHealth(healthpb.HealthCheckResponse_SERVING)
	s.state = started
	if s.cfg.Registry == nil || address == "" {
		return nil
	}
	err := s.register()
	if err != nil && s.cfg.Interval <= 0 {
		return err
	}
	if err != nil {
		s.log.Warn("registering failed, will try again", "interval", s.cfg.Interval, "error", err)
	}
	if s.cfg.Interval > 0 {
		ctx, cancel := context.WithCancel(context.Background())
		s.loop, s.looped = cancel, make(chan struct{})
		go s.keepRegistered(ctx)
	}
	return nil
}

// Stop deregisters the service, refuses new calls with Unavailable and waits for those in flight for as long as the endpoint's
// drain time; then it cuts the ones in process, and leaves those over gRPC to the endpoint's Stop. It returns an error if any
// were left.
func (s *Server) Stop() error {
	s.mu.Lock()
	was := s.state
	s.state = stopped
	s.mu.Unlock()
	if was != started {
		return nil
	}
	if s.loop != nil {
		s.loop()
		<-s.looped
	}
	var left error
	if s.cfg.Registry != nil && s.cfg.Endpoint.Addr() != "" {
		ctx, cancel := context.WithTimeout(context.Background(), registryTime)
		if err := s.cfg.Registry.Deregister(s.record(), registry.DeregisterContext(ctx)); err != nil {
			left = fmt.Errorf("rpc: deregister %s: %w", s.cfg.Name, err)
		}
		cancel()
	}
	s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Endpoint.cfg.Drain)
	defer cancel()
	if !s.drain(ctx) {
		left = errors.Join(left, fmt.Errorf("rpc: calls of service %s were still running after the drain time", s.cfg.Name))
	}
	return left
}

// drain shuts the service and waits for its calls until ctx is done; then it cuts them and reports false. One that was cut
// before is not waited for again.
func (s *Server) drain(ctx context.Context) bool {
	idle := s.gate.shut()
	select {
	case <-idle:
		return true
	default:
	}
	select {
	case <-idle:
		return true
	case <-ctx.Done():
	case <-s.cut.Done():
	}
	s.cutNow()
	return false
}

func (s *Server) setHealth(status healthpb.HealthCheckResponse_ServingStatus) {
	for _, name := range s.protos {
		s.cfg.Endpoint.health.SetServingStatus(name, status)
	}
}

func (s *Server) record() *registry.Service {
	return &registry.Service{
		Name:    s.cfg.Name,
		Version: s.cfg.Version,
		Nodes: []*registry.Node{{
			Id:      s.id,
			Address: s.cfg.Endpoint.Addr(),
			// What stock go-micro clients look for.
			Metadata: map[string]string{"protocol": "grpc", "transport": "grpc", "server": "grpc"},
		}},
	}
}

func (s *Server) register() error {
	ctx, cancel := context.WithTimeout(context.Background(), registryTime)
	defer cancel()
	if err := s.cfg.Registry.Register(s.record(), registry.RegisterTTL(s.cfg.TTL), registry.RegisterContext(ctx)); err != nil {
		return fmt.Errorf("rpc: register %s: %w", s.cfg.Name, err)
	}
	return nil
}

func (s *Server) keepRegistered(ctx context.Context) {
	defer close(s.looped)
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.register(); err != nil {
				s.log.Warn("registering failed, will try again", "interval", s.cfg.Interval, "error", err)
			}
		}
	}
}

// Options tells what the server was made with.
func (s *Server) Options() server.Options {
	return server.Options{
		Name: s.cfg.Name, Version: s.cfg.Version, Id: s.id, Address: s.cfg.Endpoint.Addr(), Registry: s.cfg.Registry,
		RegisterTTL: s.cfg.TTL, RegisterInterval: s.cfg.Interval, HdlrWrappers: s.wrappers,
		Metadata: map[string]string{}, Context: context.Background(),
	}
}

// Init refuses options.
func (s *Server) Init(opts ...server.Option) error {
	if len(opts) > 0 {
		return fault.New(fault.Unimplemented, "an rpc server is configured by its constructor alone")
	}
	return nil
}

// NewSubscriber makes nothing, see Subscribe.
func (s *Server) NewSubscriber(string, any, ...server.SubscriberOption) server.Subscriber { return nil }

// Subscribe is Unimplemented: events go through package broker.
func (s *Server) Subscribe(server.Subscriber) error {
	return fault.New(fault.Unimplemented, "rpc carries no events; use package broker")
}

// String names the implementation.
func (s *Server) String() string { return "grpc" }
