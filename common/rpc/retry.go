package rpc

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairwayfreight/fairway/common/fault"
)

// callKey names a method as go-micro does.
type callKey struct{ service, endpoint string }

// callInfo is what is known of a method from its proto.
type callInfo struct {
	path string
	// repeatable methods are declared NO_SIDE_EFFECTS or IDEMPOTENT.
	repeatable bool
	desc       protoreflect.MethodDescriptor // nil if the proto is not linked in
}

// info is remembered for methods whose proto is linked in. Others are never repeatable.
func (c *core) info(service, endpoint string) *callInfo {
	key := callKey{service, endpoint}
	c.mu.RLock()
	info, ok := c.calls[key]
	c.mu.RUnlock()
	if ok {
		return info
	}
	full := service + "." + endpoint
	info = &callInfo{path: "/" + service + "." + strings.Replace(endpoint, ".", "/", 1)}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(full))
	if err != nil {
		return info
	}
	desc, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return info
	}
	info.desc = desc
	if o, ok := desc.Options().(*descriptorpb.MethodOptions); ok {
		info.repeatable = o.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
	}
	c.mu.Lock()
	c.calls[key] = info
	c.mu.Unlock()
	return info
}

// maxRepeats is how often a repeatable method is tried again after its first time.
const maxRepeats = 2

// remote calls a node of the service, and moves on to another as long as it is certain that no handler was started. A
// repeatable method is also repeated after other Unavailable errors, if the budget allows, on another node where there is one.
// All of it happens within the deadline of ctx.
func (c *core) remote(ctx context.Context, t *target, info *callInfo, version string, in, out proto.Message) error {
	if info.repeatable {
		c.budget.earn()
	}
	var tried []*conn
	var last error
	for repeats := 0; ; {
		conn, err := t.pick(ctx, version, tried)
		if err != nil && last != nil {
			if repeats == 0 || ctx.Err() != nil {
				return last
			}
			// There is no other node; a repeat may go to the same one.
			if conn, err = t.pick(ctx, version, nil); err != nil {
				return last
			}
		}
		if err != nil {
			return err
		}
		did, err := attempt(ctx, conn, info.path, in, out)
		if fault.CodeOf(err) != fault.Unavailable {
			return err
		}
		last = err
		tried = append(tried, conn)
		if did == notRun && repeats == 0 {
			continue
		}
		repeats++
		if !info.repeatable || repeats > maxRepeats || fault.From(err).RetryAfter > 0 || !c.budget.spend() || !pause(ctx, repeats) {
			return last
		}
	}
}

// pause waits 5 to 25 ms, the second time twice that, and reports whether there is time left for a repeat.
func pause(ctx context.Context, repeats int) bool {
	d := time.Duration(repeats) * (5*time.Millisecond + rand.N(20*time.Millisecond))
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d+minBudget {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// budget keeps repeats to a tenth of the calls that may be repeated, so that a service in trouble does not get three times
// its load on top. A short burst is saved up.
type budget struct{ tenths atomic.Int64 }

const (
	repeatCost = 10
	maxSaved   = 20 * repeatCost
)

func (b *budget) fill() { b.tenths.Store(maxSaved) }

func (b *budget) earn() {
	if n := b.tenths.Load(); n < maxSaved {
		b.tenths.CompareAndSwap(n, n+1) // losing the race forfeits one tenth
	}
}

func (b *budget) spend() bool {
	for {
		n := b.tenths.Load()
		if n < repeatCost {
			return false
		}
		if b.tenths.CompareAndSwap(n, n-repeatCost) {
			return true
		}
	}
}
