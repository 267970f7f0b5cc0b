package rpc

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/fairwayfreight/fairway/common/fault"
)

// pool has one connection per address for everyone who calls through a client.
type pool struct {
	opts []grpc.DialOption

	mu     sync.Mutex
	conns  map[string]*conn
	direct []*conn // dialled by address, oldest first
	closed bool
	change chan struct{} // closed and replaced whenever a connection or a snapshot has changed
}

// maxDirect bounds the connections kept for addresses that callers name themselves.
const maxDirect = 32

func newPool(tc *tls.Config) *pool {
	creds := insecure.NewCredentials()
	if tc != nil {
		creds = credentials.NewTLS(tc)
	}
	return &pool{
		conns:  map[string]*conn{},
		change: make(chan struct{}),
		opts: []grpc.DialOption{
			grpc.WithTransportCredentials(creds),
			grpc.WithDisableServiceConfig(),
			grpc.WithDisableRetry(), // retries are the client's to decide
			grpc.WithIdleTimeout(0), // a node that is listed stays connected
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
				MinConnectTimeout: 3 * time.Second,
			}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
			grpc.WithMaxHeaderListSize(maxHeaders),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(exchangeCodec{}), grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxRequest)),
		},
	}
}

// get finds or makes the connection of an address. Its user must release it.
func (p *pool) get(address string) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.getLocked(address)
}

func (p *pool) getLocked(address string) (*conn, error) {
	if p.closed {
		return nil, errClosed()
	}
	if c, ok := p.conns[address]; ok && c.acquire() {
		return c, nil
	}
	cc, err := grpc.NewClient("passthrough:///"+address, p.opts...)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the address %q cannot be called", address)
	}
	c := &conn{address: address, cc: cc, pool: p}
	c.users.Store(1)
	c.state.Store(int32(connectivity.Idle))
	p.conns[address] = c
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	go c.follow(ctx)
	return c, nil
}

// getDirect is get for an address that no registry vouches for. A bounded number of these connections is kept.
func (p *pool) getDirect(address string) (*conn, error) {
	p.mu.Lock()
	for _, c := range p.direct {
		if c.address == address && c.acquire() {
			p.mu.Unlock()
			return c, nil
		}
	}
	c, err := p.getLocked(address)
	if err != nil {
		p.mu.Unlock()
		return nil, err
	}
	c.users.Add(1) // the pool's own
	p.direct = append(p.direct, c)
	var oldest *conn
	if len(p.direct) > maxDirect {
		oldest, p.direct = p.direct[0], p.direct[1:]
	}
	p.mu.Unlock()
	if oldest != nil {
		oldest.release()
	}
	return c, nil
}

func (p *pool) drop(c *conn) {
	p.mu.Lock()
	if p.conns[c.address] == c {
		delete(p.conns, c.address)
	}
	p.mu.Unlock()
	c.close()
}

// close ends every connection and whatever runs over it.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.conns = map[string]*conn{}
	p.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	p.changed()
}

// waitChange gives the channel that is closed at the next change.
func (p *pool) waitChange() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.change
}

func (p *pool) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.change)
	p.change = make(chan struct{})
}

func errClosed() error { return fault.New(fault.Unavailable, "the client has been closed") }

// conn is the connection to one node. It closes when nobody uses it any more: the node has left every snapshot, and its calls
// and streams have ended.
type conn struct {
	address string
	cc      *grpc.ClientConn
	pool    *pool
	users   atomic.Int64
	state   atomic.Int32 // connectivity.State
	stop    context.CancelFunc
	once    sync.Once
}

// acquire adds a user, unless the connection is closing.
func (c *conn) acquire() bool {
	for {
		n := c.users.Load()
		if n == 0 {
			return false
		}
		if c.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *conn) release() {
	if c.users.Add(-1) == 0 {
		c.pool.drop(c)
	}
}

func (c *conn) close() {
	c.once.Do(func() {
		c.stop()
		_ = c.cc.Close()
	})
}

func (c *conn) connectivity() connectivity.State { return connectivity.State(c.state.Load()) }

// follow keeps the connection up and its state at hand. A node that cannot be reached is tried again here, with growing
// pauses, and never with a caller's request: it takes no calls until it has been reached.
func (c *conn) follow(ctx context.Context) {
	for {
		state := c.cc.GetState()
		if state == connectivity.Idle {
			c.cc.Connect()
		}
		if c.state.Swap(int32(state)) != int32(state) {
			c.pool.changed()
		}
		if state == connectivity.Shutdown || !c.cc.WaitForStateChange(ctx, state) {
			return
		}
	}
}
