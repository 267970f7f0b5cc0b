package rpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	micro "go-micro.dev/v4"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

func TestAddressInUseIsOneClearSentence(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	err = rpc.NewEndpoint(rpc.EndpointConfig{Address: lis.Addr().String()}).Listen(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
	if want := "rpc: cannot listen on " + lis.Addr().String() + " (rpc.address): address already in use"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestAdvertisedAddress(t *testing.T) {
	for _, tt := range []struct {
		cfg  rpc.EndpointConfig
		host string // empty: any but an unspecified one
	}{
		{rpc.EndpointConfig{Address: "127.0.0.1:0"}, "127.0.0.1"},
		{rpc.EndpointConfig{Address: "127.0.0.1:0", Advertise: "vessel-0.fairway"}, "vessel-0.fairway"},
		{rpc.EndpointConfig{Address: "localhost:0"}, "127.0.0.1"},
	} {
		ep := rpc.NewEndpoint(tt.cfg)
		if err := ep.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		host, port, err := net.SplitHostPort(ep.Addr())
		if err != nil || port == "0" || host != tt.host {
			t.Errorf("%+v: %s, %v", tt.cfg, ep.Addr(), err)
		}
		if err := ep.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// named is a handler type that generated code would not make.
type named struct{}

func TestHandlersThatDoNotFitAreRefused(t *testing.T) {
	ep := rpc.NewEndpoint(rpc.EndpointConfig{Address: "127.0.0.1:0"})
	s := rpc.NewServer(rpc.ServerConfig{Name: "echo", Endpoint: ep})
	if err := echopb.RegisterEchoHandler(s, &echo{}); err != nil {
		t.Fatal(err)
	}
	type Echo struct{}
	for _, tt := range []struct {
		name string
		do   func() error
		want string
	}{
		{"no such proto service", func() error { return s.Handle(s.NewHandler(&named{})) }, "no proto service echo.named"},
		{"nil", func() error { return s.Handle(s.NewHandler(nil)) }, "no proto service"},
		{"methods are missing", func() error { return s.Handle(s.NewHandler(&Echo{})) }, "no such method"},
		{"wrong shape", func() error { return s.Handle(s.NewHandler(wrongShape())) }, "handler's method is a func"},
		{"twice", func() error { return echopb.RegisterEchoHandler(s, &echo{}) }, "already served"},
		{"another server of the name", func() error {
			return echopb.RegisterEchoHandler(rpc.NewServer(rpc.ServerConfig{Name: "echo", Endpoint: ep}), &echo{})
		}, "already served"},
		{"wrong service name", func() error {
			return echopb.RegisterEchoHandler(rpc.NewServer(rpc.ServerConfig{Name: "choir", Endpoint: ep}), &echo{})
		}, "no proto service choir.Echo"},
		{"start before listening", s.Start, "starts after its endpoint listens"},
		{"after listening", func() error {
			if err := ep.Listen(t.Context()); err != nil {
				return err
			}
			return logpb.RegisterLogServiceHandler(rpc.NewServer(rpc.ServerConfig{Name: "log", Endpoint: ep}), nil)
		}, "before the endpoint listens"},
	} {
		if err := tt.do(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := ep.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func wrongShape() any {
	type Echo struct{ wrongEcho }
	return &Echo{}
}

type wrongEcho struct{}

func (wrongEcho) Call(context.Context, *echopb.Message) (*echopb.Message, error)     { return nil, nil }
func (wrongEcho) Read(context.Context, *echopb.CountRequest, *echopb.Message) error  { return nil }
func (wrongEcho) Count(context.Context, *echopb.CountRequest, *echopb.Message) error { return nil }
func (wrongEcho) Chat(context.Context, echopb.Echo_ChatStream) error                 { return nil }

func TestOptionsAreForTheConstructor(t *testing.T) {
	w := newWorld(t)
	_, s := w.serve(&echo{})
	c := w.client(nil)
	if err := errors.Join(s.Init(), c.Init()); err != nil {
		t.Error(err)
	}
	if err := s.Init(server.Name("other")); !errors.Is(err, fault.Unimplemented) {
		t.Errorf("got %v", err)
	}
	if s.Options().Name != "echo" {
		t.Error("renamed")
	}
}

// startStopper is what a go-micro service can do beyond its interface, which only has Run.
type startStopper interface {
	Start() error
	Stop() error
}

// TestTwoMicroServicesInOneProcess: on one endpoint, as whole mode has them, started and stopped through go-micro.
func TestTwoMicroServicesInOneProcess(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep := rpc.NewEndpoint(rpc.EndpointConfig{Address: "127.0.0.1:0", Logger: w.logger()})
		c := w.dial(ep)
		var services []micro.Service
		for _, name := range []string{"echo", "log"} {
			s := rpc.NewServer(rpc.ServerConfig{Name: name, Endpoint: ep, Registry: w.reg, Logger: w.logger()})
			services = append(services, micro.NewService(micro.Client(c), micro.Server(s), micro.Context(t.Context()), micro.HandleSignal(false)))
		}
		if services[0].Name() != "echo" || services[1].Name() != "log" {
			t.Fatalf("they are called %s and %s", services[0].Name(), services[1].Name())
		}
		if err := echopb.RegisterEchoHandler(services[0].Server(), &echo{}); err != nil {
			t.Fatal(err)
		}
		if err := logpb.RegisterLogServiceHandler(services[1].Server(), logService{}); err != nil {
			t.Fatal(err)
		}
		if err := ep.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, s := range services {
			if err := s.(startStopper).Start(); err != nil {
				t.Fatal(err)
			}
		}
		both := func() (error, error) {
			_, one := echopb.NewEchoService("echo", services[1].Client()).Call(within(t, 5*time.Second), &echopb.Message{})
			_, two := logpb.NewLogService("log", services[0].Client()).List(within(t, 5*time.Second), &logpb.ListRequest{})
			return one, two
		}
		if one, two := both(); one != nil || two != nil {
			t.Errorf("echo: %v, log: %v", one, two)
		}
		if err := services[0].(startStopper).Stop(); err != nil {
			t.Error(err)
		}
		if one, two := both(); !errors.Is(one, fault.Unavailable) || two != nil {
			t.Errorf("with one stopped, echo: %v, log: %v", one, two)
		}
		if err := services[1].(startStopper).Stop(); err != nil {
			t.Error(err)
		}
		if err := ep.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// logService answers List alone.
type logService struct{ logpb.LogServiceHandler }

func (logService) List(context.Context, *logpb.ListRequest, *logpb.ListResponse) error { return nil }
