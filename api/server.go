package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second // a body of 1 MiB at 35 kB/s
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Server listens on one address and serves a gateway there.
type Server struct {
	gateway  *Gateway
	listener net.Listener
	http     *http.Server
	abort    context.CancelFunc // cancels the requests in flight
}

// Listen takes the address, such as 127.0.0.1:8080; port 0 takes any that is free. Connections wait until Serve.
func Listen(address string, g *Gateway) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the gateway cannot listen on %s (api.address), another process does (%w)", address, syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, fmt.Errorf("the gateway cannot listen on %s (api.address): %w", address, err)
	}
	ctx, abort := context.WithCancel(context.Background())
	return &Server{
		gateway:  g,
		listener: listener,
		abort:    abort,
		http: &http.Server{
			Handler:           g,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      readTimeout + g.cfg.RequestTimeout, // counts from the end of the header
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(g.deps.Log.Handler(), slog.LevelWarn),
			BaseContext:       func(net.Listener) context.Context { return ctx },
		},
	}, nil
}

// Addr is the address that the server listens on, with the port that it took.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until Stop. It returns nil after Stop, else why it cannot go on.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the gateway on %s: %w", s.Addr(), err)
	}
	return nil
}

// Stop makes readiness say no, after the drain delay closes the address, and waits for the requests in flight. When ctx ends
// first, it cancels them, cuts their connections and says so.
func (s *Server) Stop(ctx context.Context) error {
	defer s.abort()
	defer s.listener.Close() // for a server that never served; else it is closed already
	s.gateway.Drain()
	s.http.SetKeepAlivesEnabled(false) // clients come back on a new connection, elsewhere
	delay := time.NewTimer(s.gateway.cfg.DrainDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), s.http.Close())
	}
	return nil
}
