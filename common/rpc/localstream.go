package rpc

import (
	"context"
	"io"
	"sync"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

// window is how many messages a stream in process holds in each direction before Send waits for the other side.
const window = 16

// localStream is a stream in process: two bounded queues of copies, and one end for both sides.
type localStream struct {
	ctx    context.Context // of the handler: deadline, Close, the caller's cancel, and the service's stop end it
	cancel context.CancelCauseFunc

	up, down  chan proto.Message // never closed
	halfClose chan struct{}      // closed by CloseSend
	closeSend func()
	done      chan struct{} // closed when the handler has returned
	result    error         // set before done is closed; io.EOF for success
}

// streamLocal opens a stream of a service in this process.
func (s *Server) streamLocal(ctx context.Context, end time.Time, req client.Request) (client.Stream, error) {
	m, err := s.cfg.Endpoint.method(s, req.Endpoint(), true)
	if err != nil {
		return nil, err
	}
	header := outgoing(ctx)
	l := &localStream{
		up: make(chan proto.Message, window), down: make(chan proto.Message, window),
		halfClose: make(chan struct{}), done: make(chan struct{}),
	}
	l.closeSend = sync.OnceFunc(func() { close(l.halfClose) })
	l.ctx, l.cancel = localContext(s.cfg.Endpoint.capped(end), header)
	unlink := context.AfterFunc(ctx, func() { l.cancel(fault.From(context.Cause(ctx))) })
	uncut := context.AfterFunc(s.cut, func() { l.cancel(errCut) })
	go func() {
		err := errLeft
		defer func() {
			unlink()
			uncut()
			l.result = io.EOF
			if err != nil {
				l.result = asReceived(err)
			}
			close(l.done)
			l.cancel(nil)
		}()
		sreq := &serverRequest{inbound: inbound{method: m}, header: header}
		err = s.dispatch(l.ctx, sreq, &localServerStream{l: l, req: sreq})
	}()
	return &localClientStream{l: l, ctx: ctx, req: req, sendsOnce: !m.desc.IsStreamingClient()}, nil
}

// over is why the stream ended before its handler returned.
func (l *localStream) over() error {
	return fault.From(context.Cause(l.ctx))
}

// ended tells whether the handler has returned, and with what.
func (l *localStream) ended() (error, bool) {
	select {
	case <-l.done:
		return l.result, true
	default:
		return nil, false
	}
}

func queue(v any, limit int) (proto.Message, error) {
	m, err := asMessage(v, "message")
	if err != nil {
		return nil, err
	}
	if _, err := checkSize(m, limit); err != nil {
		return nil, err
	}
	return proto.Clone(m), nil
}

func unqueue(v any, m proto.Message) error {
	into, err := asMessage(v, "message")
	if err != nil {
		return err
	}
	return copyMessage(into, m)
}

// localClientStream is the caller's end.
type localClientStream struct {
	l         *localStream
	ctx       context.Context
	req       client.Request
	sendsOnce bool
	err       lastError
}

var _ client.Stream = (*localClientStream)(nil)

func (c *localClientStream) Context() context.Context  { return c.ctx }
func (c *localClientStream) Request() client.Request   { return c.req }
func (c *localClientStream) Response() client.Response { return nil }
func (c *localClientStream) Error() error              { return c.err.get() }

// Send gives io.EOF when the stream has ended; Recv then tells why. Where the caller sends one message only, Send tells itself.
func (c *localClientStream) Send(v any) error {
	m, err := queue(v, MaxRequest)
	if err != nil {
		return err
	}
	select {
	case <-c.l.halfClose:
		return c.err.keep(fault.New(fault.Internal, "a message was sent after the last one"))
	default:
	}
	select {
	case <-c.l.ctx.Done():
		return c.err.keep(c.sendEnd())
	default:
	}
	select {
	case c.l.up <- m:
		if c.sendsOnce {
			c.l.closeSend()
		}
		return nil
	case <-c.l.ctx.Done():
		return c.err.keep(c.sendEnd())
	}
}

func (c *localClientStream) sendEnd() error {
	result, ok := c.l.ended()
	switch {
	case !ok:
		return c.l.over()
	case c.sendsOnce:
		return result
	}
	return io.EOF
}

// Recv gives io.EOF when the handler has returned without an error. Messages sent before that come first.
func (c *localClientStream) Recv(v any) error {
	select {
	case m := <-c.l.down:
		return unqueue(v, m)
	case <-c.l.ctx.Done():
	}
	result, ok := c.l.ended()
	if !ok {
		return c.err.keep(c.l.over())
	}
	select {
	case m := <-c.l.down:
		return unqueue(v, m)
	default:
		return c.err.keep(result)
	}
}

// CloseSend says that the last message has been sent.
func (c *localClientStream) CloseSend() error {
	c.l.closeSend()
	return nil
}

// Close ends the stream at once, whatever is still under way.
func (c *localClientStream) Close() error {
	c.l.cancel(fault.New(fault.Canceled, "the stream was closed by its caller"))
	return nil
}

// localServerStream is the handler's end.
type localServerStream struct {
	l   *localStream
	req *serverRequest
	err lastError
}

var _ server.Stream = (*localServerStream)(nil)

func (h *localServerStream) Context() context.Context { return h.l.ctx }
func (h *localServerStream) Request() server.Request  { return h.req }
func (h *localServerStream) Error() error             { return h.err.get() }

// Close does nothing: a stream ends when its handler returns.
func (h *localServerStream) Close() error { return nil }

func (h *localServerStream) Send(v any) error {
	m, err := queue(v, MaxMessage)
	if err != nil {
		return err
	}
	if h.l.ctx.Err() != nil {
		return h.err.keep(h.l.over())
	}
	select {
	case h.l.down <- m:
		return nil
	case <-h.l.ctx.Done():
		return h.err.keep(h.l.over())
	}
}

// Recv gives io.EOF when the caller has sent its last message.
func (h *localServerStream) Recv(v any) error {
	select {
	case m := <-h.l.up:
		return unqueue(v, m)
	case <-h.l.ctx.Done():
		return h.err.keep(h.l.over())
	case <-h.l.halfClose:
	}
	select {
	case m := <-h.l.up:
		return unqueue(v, m)
	default:
		return h.err.keep(io.EOF)
	}
}
