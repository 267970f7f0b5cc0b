package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestErrorsKeepTheConnection(t *testing.T) {
	w := newWorld(t)
	ep := w.serveUnregistered(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error {
		return fault.New(fault.NotFound, "no")
	}})
	p := newProxy(t, ep.Addr())
	w.nodes("v1", p.addr())
	w.nodes("v2", p.addr()) // the same one again
	c := stub(w.client(nil))
	for range 200 {
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("200 errors took %d connections", n)
	}
}

func TestColdStartBurstOpensOneConnection(t *testing.T) {
	w := newWorld(t)
	p := newProxy(t, w.serveUnregistered(&echo{}).Addr())
	w.nodes("v1", p.addr())
	c := stub(w.client(nil))
	var wg sync.WaitGroup
	for range 128 {
		wg.Go(func() {
			if _, err := c.Call(within(t, 10*time.Second), &echopb.Message{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("128 callers opened %d connections", n)
	}
}

func TestLiveNodeServesEverythingWhileAnotherIsDead(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	count := func(context.Context, *echopb.Message, *echopb.Message) error { runs.Add(1); return nil }
	w.nodes("v1", deadAddress(t), w.serveUnregistered(&echo{call: count, read: count}).Addr())
	c := stub(w.client(nil))
	for i := range 200 {
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatalf("not idempotent, %d: %v", i, err)
		}
		if _, err := c.Read(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatalf("idempotent, %d: %v", i, err)
		}
	}
	if n := runs.Load(); n != 400 {
		t.Errorf("400 calls ran %d times", n)
	}
}

// TestNodeThatRefusesIsLeftForAnother: what was certainly not started may go to another node, whatever the method does.
func TestNodeThatRefusesIsLeftForAnother(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	h := &echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { runs.Add(1); return nil }}
	stays, leaves := &world{t: t, log: w.log}, &world{t: t, log: w.log}
	one, _ := stays.serve(h)
	two, s := leaves.serve(h)
	w.nodes("v1", one.Addr(), two.Addr())
	c := stub(w.client(nil))
	for range 20 {
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
	}
	// The node is still registered and connected, but its service takes no calls any more.
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatalf("a refused call was not sent elsewhere: %v", err)
		}
	}
	if n := runs.Load(); n != 120 {
		t.Errorf("120 calls ran %d times", n)
	}
}

func TestServiceThatIsDownIsUnavailableSoon(t *testing.T) {
	for name, nodes := range map[string][]string{"no node": nil, "dead nodes": {"", ""}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range nodes {
				w.nodes("v1", deadAddress(t))
			}
			c := stub(w.client(nil))
			for _, call := range []func(context.Context, *echopb.Message, ...client.CallOption) (*echopb.Message, error){c.Call, c.Read} {
				start := time.Now()
				_, err := call(within(t, 10*time.Second), &echopb.Message{})
				if !errors.Is(err, fault.Unavailable) || !errors.Is(err, rpc.ErrNotSent) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			}
		})
	}
}

func TestConnectionCutDuringACallDoesNotRunItTwice(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	entered, hold := make(chan struct{}, 10), make(chan struct{})
	ep := w.serveUnregistered(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error {
		runs.Add(1)
		entered <- struct{}{}
		<-hold
		return nil
	}})
	defer close(hold)
	one, two := newProxy(t, ep.Addr()), newProxy(t, ep.Addr())
	w.nodes("v1", one.addr(), two.addr())
	c := stub(w.client(nil))
	done := make(chan error, 1)
	go func() { _, err := c.Call(within(t, 10*time.Second), &echopb.Message{}); done <- err }()
	<-entered
	one.cut()
	two.cut()
	if err := <-done; !errors.Is(err, fault.Unavailable) || errors.Is(err, rpc.ErrNotSent) {
		t.Errorf("got %v", err)
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

func TestOnlyMethodsDeclaredSafeAreRepeated(t *testing.T) {
	w := newWorld(t)
	var calls, reads atomic.Int64
	fails := func(n *atomic.Int64, times int64) func(context.Context, *echopb.Message, *echopb.Message) error {
		return func(context.Context, *echopb.Message, *echopb.Message) error {
			if n.Add(1) <= times {
				return fault.New(fault.Unavailable, "the store is away")
			}
			return nil
		}
	}
	w.nodes("v1", w.serveUnregistered(&echo{call: fails(&calls, 1), read: fails(&reads, 2)}).Addr())
	c := stub(w.client(nil))
	if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Call: %v", err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("Call ran %d times", n)
	}
	if _, err := c.Read(within(t, 5*time.Second), &echopb.Message{}); err != nil {
		t.Errorf("Read: %v", err)
	}
	if n := reads.Load(); n != 3 {
		t.Errorf("Read ran %d times", n)
	}
}

func TestRepeatsGoToAnotherNode(t *testing.T) {
	w := newWorld(t)
	var bad atomic.Int64
	c := stub(w.client(nil))
	w.nodes("v1",
		w.serveUnregistered(&echo{read: func(ctx context.Context, _, _ *echopb.Message) error {
			bad.Add(1)
			// Another call in between takes the other node's turn.
			if _, err := c.Call(ctx, &echopb.Message{}); err != nil {
				return err
			}
			return fault.New(fault.Unavailable, "the store is away")
		}}).Addr(),
		w.serveUnregistered(&echo{}).Addr())
	// A node takes calls once it is connected; until then the other one has them all.
	eventually(t, "the bad node is asked", func() bool {
		if _, err := c.Read(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		return bad.Load() > 0
	})
	bad.Store(0)
	const calls = 10
	for i := range calls {
		if _, err := c.Read(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if n := bad.Load(); n == 0 || n > calls {
		t.Errorf("for %d calls the bad node was asked %d times", calls, n)
	}
}

func TestRepeatsHaveABudget(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	w.nodes("v1", w.serveUnregistered(&echo{read: func(context.Context, *echopb.Message, *echopb.Message) error {
		runs.Add(1)
		return fault.New(fault.Unavailable, "the store is away")
	}}).Addr())
	c := stub(w.client(nil))
	const calls = 300
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range calls / 10 {
				_, _ = c.Read(within(t, 5*time.Second), &echopb.Message{})
			}
		})
	}
	wg.Wait()
	// A tenth, and what is saved up at the start.
	if n := runs.Load(); n > calls+calls/10+20 || n < calls+20 {
		t.Errorf("%d calls ran %d times", calls, n)
	}
}

func TestAFailureThatNamesItsTimeIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	var runs atomic.Int64
	w.nodes("v1", w.serveUnregistered(&echo{read: func(context.Context, *echopb.Message, *echopb.Message) error {
		runs.Add(1)
		return fault.New(fault.Unavailable, "later").WithRetryAfter(time.Minute)
	}}).Addr())
	if _, err := stub(w.client(nil)).Read(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

func TestCallsAreSharedEvenlyAndByVersion(t *testing.T) {
	w := newWorld(t)
	named := func(name string) string {
		return w.serveUnregistered(&echo{call: func(_ context.Context, _, out *echopb.Message) error { out.Text = name; return nil }}).Addr()
	}
	w.nodes("v1", named("a"), named("b"))
	w.nodes("v2", named("c"))
	c := stub(w.client(nil))
	shares := func(opts ...client.CallOption) map[string]int {
		got := map[string]int{}
		for range 60 {
			m, err := c.Call(within(t, 5*time.Second), &echopb.Message{}, opts...)
			if err != nil {
				t.Fatal(err)
			}
			got[m.GetText()]++
		}
		return got
	}
	eventually(t, "all nodes are connected", func() bool {
		got := shares()
		return got["a"] == 20 && got["b"] == 20 && got["c"] == 20
	})
	if got := shares(rpc.Version("v1")); got["a"] != 30 || got["b"] != 30 {
		t.Errorf("v1: %v", got)
	}
	if got := shares(rpc.Version("v2")); got["c"] != 60 {
		t.Errorf("v2: %v", got)
	}
	if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}, rpc.Version("v3")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("v3: %v", err)
	}
}

func TestAddressIsCalledDirectly(t *testing.T) {
	w := newWorld(t)
	p := newProxy(t, w.serveUnregistered(&echo{}).Addr())
	c := rpc.NewClient(rpc.ClientConfig{})
	defer c.Close()
	for range 10 {
		if _, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{}, client.WithAddress(p.addr())); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("ten calls took %d connections", n)
	}
	if _, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{}, client.WithAddress(deadAddress(t))); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a dead address: %v", err)
	}
	if _, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("without a registry: %v", err)
	}
	for range 100 { // more than are kept
		_, _ = stub(c).Call(within(t, time.Second), &echopb.Message{}, client.WithAddress(deadAddress(t)))
	}
	eventually(t, "the oldest connection is given up", func() bool { return p.open.Load() == 0 })
}

func TestNodeThatLeftLosesItsConnectionOnceItsStreamsEnded(t *testing.T) {
	w := newWorld(t)
	p, stays := newProxy(t, w.serveUnregistered(&echo{}).Addr()), newProxy(t, w.serveUnregistered(&echo{}).Addr())
	w.nodes("v1", p.addr())
	w.nodes("v2", stays.addr())
	c := stub(w.client(nil))
	chat, err := c.Chat(within(t, 10*time.Second), rpc.Version("v1"))
	if err != nil {
		t.Fatal(err)
	}
	talk := func() {
		t.Helper()
		if err := chat.Send(&echopb.Message{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := chat.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	talk()
	if err := w.reg.Deregister(record("v1", p.addr())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is gone", func() bool {
		_, err := c.Call(within(t, 5*time.Second), &echopb.Message{}, rpc.Version("v1"))
		return errors.Is(err, fault.Unavailable)
	})
	talk()
	if p.open.Load() != 1 {
		t.Error("the connection is gone while a stream is open")
	}
	if err := chat.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection closes", func() bool { return p.open.Load() == 0 })
	if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
		t.Errorf("the other node: %v", err)
	}
}

func TestAbandonedStreamDoesNotHoldItsConnection(t *testing.T) {
	w := newWorld(t)
	p := newProxy(t, w.serveUnregistered(&echo{}).Addr())
	w.nodes("v1", p.addr())
	c := stub(w.client(nil))
	chat, err := c.Chat(within(t, 300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.reg.Deregister(record("v1", p.addr())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection closes", func() bool { return p.open.Load() == 0 })
	runtime.KeepAlive(chat)
}

// TestNodeComesBack: it takes no calls while it cannot be reached, and is found again by itself.
func TestNodeComesBack(t *testing.T) {
	w := newWorld(t)
	ep := w.serveUnregistered(&echo{})
	p := newProxy(t, ep.Addr())
	w.nodes("v1", p.addr())
	c := stub(w.client(nil))
	for range 5 {
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{}); err != nil {
			t.Fatal(err)
		}
		p.cut()
		eventually(t, "the node is back", func() bool {
			_, err := c.Call(within(t, time.Second), &echopb.Message{})
			return err == nil
		})
	}
}
