package rpc_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	microregistry "go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/registry"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// echo is a handler whose methods a test fills in; without them it answers with what it was sent.
type echo struct {
	call  func(context.Context, *echopb.Message, *echopb.Message) error
	read  func(context.Context, *echopb.Message, *echopb.Message) error
	count func(context.Context, *echopb.CountRequest, echopb.Echo_CountStream) error
	chat  func(context.Context, echopb.Echo_ChatStream) error
}

func same(in, out *echopb.Message) {
	out.Text, out.List, out.Labels, out.Payload = in.Text, in.List, in.Labels, in.Payload
}

func (e *echo) Call(ctx context.Context, in, out *echopb.Message) error {
	if e.call != nil {
		return e.call(ctx, in, out)
	}
	same(in, out)
	return nil
}

func (e *echo) Read(ctx context.Context, in, out *echopb.Message) error {
	if e.read != nil {
		return e.read(ctx, in, out)
	}
	same(in, out)
	return nil
}

func (e *echo) Count(ctx context.Context, in *echopb.CountRequest, s echopb.Echo_CountStream) error {
	if e.count != nil {
		return e.count(ctx, in, s)
	}
	for range in.GetCount() {
		if err := s.Send(&echopb.Message{Text: "again"}); err != nil {
			return err
		}
	}
	return nil
}

func (e *echo) Chat(ctx context.Context, s echopb.Echo_ChatStream) error {
	if e.chat != nil {
		return e.chat(ctx, s)
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return ignoreEOF(err)
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// world is a registry and a log, with services and clients that end with the test.
type world struct {
	t   testing.TB
	reg microregistry.Registry
	log *logBuffer

	inProcess bool // what dial makes
}

func newWorld(t testing.TB) *world {
	t.Helper()
	reg, err := registry.New("memory")
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, reg: reg, log: &logBuffer{}}
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve starts the echo service on an endpoint of its own.
func (w *world) serve(h *echo, wrappers ...server.HandlerWrapper) (*rpc.Endpoint, *rpc.Server) {
	w.t.Helper()
	return w.serveWith(rpc.EndpointConfig{}, rpc.ServerConfig{}, h, wrappers...)
}

func (w *world) serveWith(ec rpc.EndpointConfig, sc rpc.ServerConfig, h *echo, wrappers ...server.HandlerWrapper) (*rpc.Endpoint, *rpc.Server) {
	w.t.Helper()
	if ec.Address == "" {
		ec.Address = "127.0.0.1:0"
	}
	ec.Logger, sc.Logger = w.logger(), w.logger()
	ep := rpc.NewEndpoint(ec)
	sc.Name, sc.Endpoint, sc.Registry = "echo", ep, w.reg
	s := rpc.NewServer(sc, wrappers...)
	if err := echopb.RegisterEchoHandler(s, h); err != nil {
		w.t.Fatal(err)
	}
	if err := ep.Listen(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = ep.Stop(ctx)
		_ = s.Stop()
	})
	return ep, s
}

// serveUnregistered starts the echo service where only those find it who know its address.
func (w *world) serveUnregistered(h *echo, wrappers ...server.HandlerWrapper) *rpc.Endpoint {
	w.t.Helper()
	hidden := &world{t: w.t, log: w.log}
	ep, _ := hidden.serve(h, wrappers...)
	return ep
}

// client makes a client; local is nil for one that calls over gRPC.
func (w *world) client(local *rpc.Endpoint, wrappers ...client.Wrapper) *rpc.Client {
	w.t.Helper()
	c := rpc.NewClient(rpc.ClientConfig{Registry: w.reg, Local: local, Timeout: 10 * time.Second, Logger: w.logger()}, wrappers...)
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// dial makes a client of the world's kind.
func (w *world) dial(ep *rpc.Endpoint, wrappers ...client.Wrapper) *rpc.Client {
	w.t.Helper()
	if !w.inProcess {
		ep = nil
	}
	return w.client(ep, wrappers...)
}

// another is a world of the same kind with a registry of its own.
func (w *world) another() *world {
	w.t.Helper()
	a := newWorld(w.t)
	a.inProcess = w.inProcess
	return a
}

// bothWays runs a test in a world whose clients call over gRPC and in one where they call in process.
func bothWays(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, inProcess := range map[string]bool{"grpc": false, "in process": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.inProcess = inProcess
			test(t, w)
		})
	}
}

func stub(c client.Client) echopb.EchoService { return echopb.NewEchoService("echo", c) }

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls a condition; it is for what happens in the background.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) count(s string) int { return strings.Count(l.String(), s) }
