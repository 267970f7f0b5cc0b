package rpc_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	microregistry "go-micro.dev/v4/registry"
)

// proxy stands before an endpoint, counts the connections, and can cut them.
type proxy struct {
	lis      net.Listener
	target   string
	accepted atomic.Int64
	open     atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{lis: lis, target: target}
	p.wg.Go(func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			p.wg.Go(func() { p.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = lis.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) carry(c net.Conn) {
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = c.Close()
		return
	}
	p.open.Add(1)
	defer p.open.Add(-1)
	p.mu.Lock()
	p.conns = append(p.conns, c, up)
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, up}, {up, c}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
	wg.Wait()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) addr() string { return p.lis.Addr().String() }

// nodes registers addresses for the echo service, besides those that serve registers.
func (w *world) nodes(version string, addresses ...string) {
	w.t.Helper()
	for _, a := range addresses {
		if err := w.reg.Register(record(version, a)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func record(version, address string) *microregistry.Service {
	return &microregistry.Service{Name: "echo", Version: version, Nodes: []*microregistry.Node{{Id: fmt.Sprintf("%s-%s", version, address), Address: address}}}
}

// deadAddress is one that refuses connections.
func deadAddress(t testing.TB) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}
