package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"go-micro.dev/v4/util/addr"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/tap"

	"github.com/fairwayfreight/fairway/common/fault"
)

// EndpointConfig says where an [Endpoint] listens and how it behaves.
type EndpointConfig struct {
	// Address is the host:port to listen on; port 0 takes a free one. Without an address nothing listens and the services
	// are reached in process only.
	Address string
	// Advertise is the host that others reach the endpoint under. Without it: the host of Address, or where that stands for
	// every interface, the first private address of the machine.
	Advertise string
	// Drain is how long a stop waits for calls in flight. Default 20 s.
	Drain time.Duration
	// Timeout is the deadline of a call that arrives over gRPC without one. Default 10 s.
	Timeout time.Duration
	// MaxTimeout is the most that any call or stream may take, whatever its caller allows it: services may rely on no request
	// living longer. Default 30 s.
	MaxTimeout time.Duration
	// MaxIdle is how long a connection without calls is kept. Default 5 min.
	MaxIdle time.Duration
	// TLS turns TLS on; its ClientAuth says whether clients need a certificate.
	TLS *tls.Config
	// UnaryInterceptors and StreamInterceptors see the calls that come over gRPC, around all wrappers, the first outermost. With
	// a unary one, messages are decoded before any wrapper can refuse their caller.
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor
	// Logger gets what the endpoint has to report itself. Default slog.Default.
	Logger *slog.Logger
}

const (
	// maxStreams bounds what one connection may have in flight; a client's further calls wait on its side.
	maxStreams = 256
	// maxHeaders bounds the headers of one call, in bytes.
	maxHeaders = 64 << 10
	// flushTime is for the last answers to get onto the wire once every handler has returned.
	flushTime = 500 * time.Millisecond
)

// Endpoint is one listening point that several services share, and the switchboard through which a [Client] reaches them
// without a socket. It serves gRPC health and reflection as well.
//
// Order of use: NewEndpoint, NewServer for each service and its handlers, Listen, Start of each server. Stop comes last.
type Endpoint struct {
	cfg  EndpointConfig
	log  *slog.Logger
	grpc *grpc.Server

	large places // for large requests of all services

	health *health.Server
	// alive ends health watches, which would otherwise hold up a graceful stop for ever.
	alive context.Context
	kill  context.CancelFunc

	mu       sync.RWMutex
	servers  map[string]*Server // by go-micro name
	served   map[string]bool    // proto services
	address  string             // set while listening
	stopped  bool
	finished chan struct{} // closed when the gRPC server has ended; nil if it never listened
}

// NewEndpoint makes an endpoint that does not listen yet.
func NewEndpoint(cfg EndpointConfig) *Endpoint {
	if cfg.Drain <= 0 {
		cfg.Drain = 20 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.MaxTimeout <= 0 {
		cfg.MaxTimeout = 30 * time.Second
	}
	cfg.Timeout = min(cfg.Timeout, cfg.MaxTimeout)
	if cfg.MaxIdle <= 0 {
		cfg.MaxIdle = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	e := &Endpoint{
		cfg: cfg, log: cfg.Logger, large: make(places, largePlaces),
		health: health.NewServer(), servers: map[string]*Server{}, served: map[string]bool{},
	}
	e.alive, e.kill = context.WithCancel(context.Background())
	opts := []grpc.ServerOption{
		grpc.ForceServerCodecV2(inboundCodec{}),
		grpc.InTapHandle(e.bound),
		grpc.MaxRecvMsgSize(MaxRequest),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: cfg.MaxIdle, Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 15 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(cfg.UnaryInterceptors...),
		grpc.ChainStreamInterceptor(cfg.StreamInterceptors...),
	}
	if cfg.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	e.grpc = grpc.NewServer(opts...)
	healthpb.RegisterHealthServer(e.grpc, &healthService{Server: e.health, alive: e.alive})
	reflection.Register(e.grpc)
	return e
}

// bound gives a call that comes over gRPC its deadline before anything of it is read, so that neither a body that never ends
// nor a stream on which nobody talks outlives it. Health watches and reflection last as long as their clients want.
func (e *Endpoint) bound(ctx context.Context, info *tap.Info) (context.Context, error) {
	if strings.HasPrefix(info.FullMethodName, "/grpc.") {
		return ctx, nil
	}
	limit := e.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		if limit = e.cfg.MaxTimeout; time.Until(end) <= limit {
			return ctx, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	_ = cancel // gRPC cancels the context that this one comes from when the call ends
	return ctx, nil
}

// capped is the end of a call in process: end itself unless that is more than MaxTimeout away.
func (e *Endpoint) capped(end time.Time) time.Time {
	if last := time.Now().Add(e.cfg.MaxTimeout); last.Before(end) {
		return last
	}
	return end
}

// Listen takes the address and serves; ctx bounds only the taking. From then on no handler can be added.
func (e *Endpoint) Listen(ctx context.Context) error {
	if e.cfg.Address == "" {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || e.address != "" {
		return errors.New("rpc: an endpoint listens once")
	}
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", e.cfg.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("rpc: cannot listen on %s (rpc.address): %w", e.cfg.Address, syscall.EADDRINUSE)
	}
	if err != nil {
		return fmt.Errorf("rpc: cannot listen on %s (rpc.address): %w", e.cfg.Address, err)
	}
	e.address, err = e.reachable(lis.Addr())
	if err != nil {
		_ = lis.Close()
		return err
	}
	e.finished = make(chan struct{})
	go func() {
		defer close(e.finished)
		if err := e.grpc.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			e.log.Error("rpc endpoint ended", "address", e.address, "error", err)
		}
	}()
	return nil
}

// reachable is the address that others are told.
func (e *Endpoint) reachable(a net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", fmt.Errorf("rpc: address %s: %w", a, err)
	}
	if e.cfg.Advertise != "" {
		return net.JoinHostPort(e.cfg.Advertise, port), nil
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return net.JoinHostPort(host, port), nil
	}
	host, err = addr.Extract(host)
	if err != nil {
		return "", fmt.Errorf("rpc: no address of this machine can be advertised, name one: %w", err)
	}
	return net.JoinHostPort(host, port), nil
}

// Addr is the host:port that others reach the endpoint under; empty while it does not listen.
func (e *Endpoint) Addr() string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.address
}

// Stop says NOT_SERVING, refuses new calls with Unavailable, waits for the calls in flight, over gRPC and in process, for
// as long as configured or until ctx is done, and then cuts what is left: callers get Unavailable, handlers' contexts are
// cancelled. Services whose own Stop has already waited that long are not waited for again. It returns an error if calls
// were cut.
//
// All services stop at once, so a handler in flight cannot call another one here any more. Where handlers need that, the
// servers are stopped one by one before, callers first.
func (e *Endpoint) Stop(ctx context.Context) error {
	e.mu.Lock()
	again := e.stopped
	e.stopped = true
	servers := make([]*Server, 0, len(e.servers))
	for _, s := range e.servers {
		servers = append(servers, s)
	}
	finished := e.finished
	e.mu.Unlock()
	if again {
		return nil
	}

	e.health.Shutdown()
	e.kill()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Drain)
	defer cancel()
	if finished != nil {
		// Tells the clients to go elsewhere and lets no more in, while the handlers finish.
		go e.grpc.GracefulStop()
	}
	for _, s := range servers {
		s.gate.shut()
	}
	cut := false
	for _, s := range servers {
		if !s.drain(ctx) {
			cut = true
		}
	}
	if finished == nil {
		return cutError(cut)
	}
	if !cut {
		flush := time.NewTimer(flushTime)
		defer flush.Stop()
		select {
		case <-finished:
		case <-flush.C:
		}
	}
	e.grpc.Stop()
	<-finished
	return cutError(cut)
}

func cutError(cut bool) error {
	if cut {
		return errors.New("rpc: calls were still running after the drain time and have been cut")
	}
	return nil
}

// attach puts a server's handler on the endpoint.
func (e *Endpoint) attach(s *Server, protoService string, desc *grpc.ServiceDesc, methods []*method) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopped:
		return errors.New("rpc: the endpoint has been stopped")
	case e.address != "":
		return errors.New("rpc: handlers are added before the endpoint listens")
	case e.served[protoService]:
		return fmt.Errorf("rpc: %s is already served on this endpoint", protoService)
	}
	if other, ok := e.servers[s.cfg.Name]; ok && other != s {
		return fmt.Errorf("rpc: a service named %q is already on this endpoint", s.cfg.Name)
	}
	e.served[protoService] = true
	e.servers[s.cfg.Name] = s
	for _, m := range methods {
		s.methods[m.endpoint] = m
	}
	e.grpc.RegisterService(desc, nil)
	e.health.SetServingStatus(protoService, healthpb.HealthCheckResponse_NOT_SERVING)
	return nil
}

// local finds the server of a service on this endpoint.
func (e *Endpoint) local(service string) *Server {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.servers[service]
}

// method finds a method of a service on this endpoint.
func (e *Endpoint) method(s *Server, endpoint string, streaming bool) (*method, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	m, ok := s.methods[endpoint]
	if !ok || m.streaming() != streaming {
		return nil, fault.New(fault.Unimplemented, "the %s service has no such method: %s", s.cfg.Name, endpoint)
	}
	return m, nil
}

// healthService ends its watches when the endpoint stops.
type healthService struct {
	*health.Server
	alive context.Context
}

func (h *healthService) Watch(req *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(h.alive, cancel)()
	return h.Server.Watch(req, &watchStream{Health_WatchServer: stream, ctx: ctx})
}

type watchStream struct {
	healthpb.Health_WatchServer
	ctx context.Context
}

func (w *watchStream) Context() context.Context { return w.ctx }
