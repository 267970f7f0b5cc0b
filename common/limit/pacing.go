package limit

import (
	"context"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/client"
	"go.uber.org/ratelimit"

	"github.com/fairwayfreight/fairway/common/fault"
)

// Pacing spreads all calls and streams of a client evenly, perSecond of them each second, by making callers wait their turn.
// It is for a service whose calls must not flood others, whatever comes in. It does not limit what comes in: that must be
// refused and not made to wait, see Admission.
//
// At most maxWaiting callers wait; further ones are Overloaded at once, and so is a caller whose turn cannot come before its
// deadline. A caller that is cancelled while it waits gets Canceled, at the latest one interval later.
//
// The turns come from go.uber.org/ratelimit, whose Take blocks for as long as all earlier ones take together, cannot be
// cancelled and counts nobody. So only one caller at a time is inside Take, for at most one interval; the others wait in a
// line that they can leave.
//
// It panics unless both numbers are positive.
func Pacing(perSecond, maxWaiting int) client.Wrapper {
	if perSecond <= 0 || maxWaiting <= 0 {
		panic("limit: Pacing needs positive limits")
	}
	p := &pacer{
		limiter:  ratelimit.New(perSecond, ratelimit.WithoutSlack),
		interval: time.Second / time.Duration(perSecond),
		max:      int64(maxWaiting),
		turn:     make(chan struct{}, 1),
	}
	return func(next client.Client) client.Client { return &paced{Client: next, pacer: p} }
}

type pacer struct {
	limiter  ratelimit.Limiter
	interval time.Duration
	max      int64
	waiting  atomic.Int64
	next     atomic.Int64  // when the next turn can be, in Unix nanoseconds
	turn     chan struct{} // held by the one inside Take; the line before it is first in, first out
}

func (p *pacer) wait(ctx context.Context) error {
	defer p.waiting.Add(-1)
	place := p.waiting.Add(1)
	expected := time.Duration(place-1)*p.interval + max(0, time.Duration(p.next.Load()-time.Now().UnixNano()))
	if place > p.max {
		return fault.New(fault.Overloaded, "too many calls are waiting to be sent").WithRetryAfter(max(expected, retryAfter))
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < expected {
		return fault.New(fault.Overloaded, "the call's turn would come too late").WithRetryAfter(max(expected, retryAfter))
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
	defer func() { <-p.turn }()
	if ctx.Err() == nil {
		p.next.Store(p.limiter.Take().Add(p.interval).UnixNano())
	}
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	return nil
}

type paced struct {
	client.Client
	pacer *pacer
}

func (p *paced) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	if err := p.pacer.wait(ctx); err != nil {
		return err
	}
	return p.Client.Call(ctx, req, rsp, opts...)
}

func (p *paced) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	if err := p.pacer.wait(ctx); err != nil {
		return nil, err
	}
	return p.Client.Stream(ctx, req, opts...)
}
