package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"

	"github.com/fairwayfreight/fairway/common/fault"
)

// ClientConfig says how a [Client] finds and calls services.
type ClientConfig struct {
	// Registry finds the nodes of services that are not served by Local; nil if none are to be found.
	Registry registry.Registry
	// Local is the endpoint of this process: services on it are called without a socket. Nil calls everything over gRPC.
	Local *Endpoint
	// Timeout is the deadline of a call whose context has none. Default 5 s.
	Timeout time.Duration
	// Margin is how much earlier than its context a call ends, so that its caller can still answer its own. Default 20 ms.
	Margin time.Duration
	// TLS turns TLS on for calls over gRPC.
	TLS *tls.Config
	// Logger gets trouble with the registry. Default slog.Default.
	Logger *slog.Logger
}

// minBudget is the time that a call must have left after the margin to be worth sending.
const minBudget = 5 * time.Millisecond

// ErrNotSent is in the chain of errors of calls that certainly never left the client: too little time was left, or no node
// could be reached. errors.Is finds it.
var ErrNotSent = errors.New("nothing was sent")

// Client calls services. It implements go-micro's client.Client; one is shared by all callers of a process. What holds for
// its calls is in the package comment. Of the call options Version, client.WithAddress and client.WithRequestTimeout are
// honoured; a request timeout can only shorten the context's. Everything else is said in the constructor: Init takes no
// options. Events are the concern of package broker, so Publish is Unimplemented.
type Client struct {
	core  *core
	outer client.Client // core in its wrappers
}

var _ client.Client = (*Client)(nil)

// NewClient makes a client whose calls and streams go through the wrappers, the first listed outermost. It connects to
// nothing until a service is called. Close ends it.
func NewClient(cfg ClientConfig, wrappers ...client.Wrapper) *Client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Margin <= 0 {
		cfg.Margin = 20 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &core{cfg: cfg, pool: newPool(cfg.TLS), targets: map[string]*target{}, calls: map[callKey]*callInfo{}}
	c.budget.fill()
	c.life, c.end = context.WithCancel(context.Background())
	outer := client.Client(c)
	for i := len(wrappers) - 1; i >= 0; i-- {
		outer = wrappers[i](outer)
	}
	return &Client{core: c, outer: outer}
}

// Call sends req and waits for the answer in rsp. It returns nil or a *fault.Error; on an error rsp is as it was.
// When ctx is cancelled it returns at once with Canceled.
func (c *Client) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	return c.outer.Call(ctx, req, rsp, opts...)
}

// Stream opens a stream, which lives until its handler returns, Close is called, or its context ends, which without a deadline
// gets the client's Timeout. Send and Recv may run at the same time, but neither twice.
func (c *Client) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	return c.outer.Stream(ctx, req, opts...)
}

// NewRequest is for generated stubs.
func (c *Client) NewRequest(service, endpoint string, body any, opts ...client.RequestOption) client.Request {
	return c.core.NewRequest(service, endpoint, body, opts...)
}

// NewMessage makes a message that Publish will refuse.
func (c *Client) NewMessage(topic string, payload any, opts ...client.MessageOption) client.Message {
	return c.core.NewMessage(topic, payload, opts...)
}

// Publish is Unimplemented.
func (c *Client) Publish(ctx context.Context, msg client.Message, opts ...client.PublishOption) error {
	return c.core.Publish(ctx, msg, opts...)
}

// Init refuses options.
func (c *Client) Init(opts ...client.Option) error { return c.core.Init(opts...) }

// Options tells what the client was made with.
func (c *Client) Options() client.Options { return c.core.Options() }

// String names the implementation.
func (c *Client) String() string { return c.core.String() }

// Close ends the client's connections and watches. Calls still under way fail with Unavailable or Canceled, later ones with
// Unavailable.
func (c *Client) Close() error {
	c.core.end()
	c.core.pool.close()
	return nil
}

type versionKey struct{}

// Version makes a call go only to nodes that registered with this version.
func Version(version string) client.CallOption {
	return func(o *client.CallOptions) {
		if o.Context == nil {
			o.Context = context.Background()
		}
		o.Context = context.WithValue(o.Context, versionKey{}, version)
	}
}

// core is the client inside its wrappers.
type core struct {
	cfg    ClientConfig
	pool   *pool
	budget budget
	life   context.Context
	end    context.CancelFunc

	mu      sync.RWMutex
	targets map[string]*target
	calls   map[callKey]*callInfo
}

func (c *core) NewRequest(service, endpoint string, body any, opts ...client.RequestOption) client.Request {
	r := &clientRequest{service: service, endpoint: endpoint, body: body}
	if len(opts) > 0 {
		var o client.RequestOptions
		for _, opt := range opts {
			opt(&o)
		}
		r.stream = o.Stream
	}
	return r
}

func (c *core) NewMessage(topic string, payload any, _ ...client.MessageOption) client.Message {
	return &message{topic: topic, payload: payload}
}

func (c *core) Publish(context.Context, client.Message, ...client.PublishOption) error {
	return fault.New(fault.Unimplemented, "rpc carries no events; use package broker")
}

func (c *core) Init(opts ...client.Option) error {
	if len(opts) > 0 {
		return fault.New(fault.Unimplemented, "an rpc client is configured by its constructor alone")
	}
	return nil
}

func (c *core) Options() client.Options {
	return client.Options{
		Registry: c.cfg.Registry, ContentType: contentType, Context: context.Background(),
		CallOptions: client.CallOptions{RequestTimeout: c.cfg.Timeout},
	}
}

func (c *core) String() string { return "grpc" }

// target finds a service's snapshot, and starts to keep one at the service's first call.
func (c *core) target(service string) (*target, error) {
	c.mu.RLock()
	t, ok := c.targets[service]
	c.mu.RUnlock()
	if ok {
		return t, nil
	}
	if c.cfg.Registry == nil {
		return nil, fault.Wrap(fault.Unavailable, ErrNotSent, "the %s service is not available: it is not part of this process", service)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.targets[service]; ok {
		return t, nil
	}
	if c.life.Err() != nil {
		return nil, errClosed()
	}
	t = &target{service: service, reg: c.cfg.Registry, pool: c.pool, log: c.cfg.Logger}
	c.targets[service] = t
	go t.follow(c.life)
	return t, nil
}

// message is what NewMessage makes.
type message struct {
	topic   string
	payload any
}

func (m *message) Topic() string       { return m.topic }
func (m *message) Payload() any        { return m.payload }
func (m *message) ContentType() string { return contentType }
