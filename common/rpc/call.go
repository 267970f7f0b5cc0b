package rpc

import (
	"context"
	"errors"
	"strings"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

// callOptions are the options that this client honours.
type callOptions struct {
	version string
	address string
	timeout time.Duration
}

func readOptions(opts []client.CallOption) callOptions {
	if len(opts) == 0 {
		return callOptions{}
	}
	var o client.CallOptions
	for _, opt := range opts {
		opt(&o)
	}
	read := callOptions{timeout: o.RequestTimeout}
	if len(o.Address) > 0 {
		read.address = o.Address[0]
	}
	if o.Context != nil {
		read.version, _ = o.Context.Value(versionKey{}).(string)
	}
	return read
}

// deadline is when a call ends: a margin before its context does, or after the default time where that has no end. A call
// that could hardly be done in time is refused.
func (c *core) deadline(ctx context.Context, o callOptions) (time.Time, error) {
	if c.life.Err() != nil {
		return time.Time{}, errClosed()
	}
	if err := ctx.Err(); err != nil {
		return time.Time{}, fault.Wrap(fault.From(err).Code, errors.Join(ErrNotSent, err), "the caller's time was over before the call was made")
	}
	now := time.Now()
	end, ok := ctx.Deadline()
	switch {
	case ok:
		end = end.Add(-c.cfg.Margin)
	case o.timeout <= 0:
		end = now.Add(c.cfg.Timeout)
	}
	if o.timeout > 0 {
		if limit := now.Add(o.timeout); !ok || limit.Before(end) {
			end = limit
		}
	}
	if left := end.Sub(now); left < minBudget {
		return time.Time{}, fault.Wrap(fault.DeadlineExceeded, ErrNotSent, "too little time is left for the call; nothing was done")
	}
	return end, nil
}

// Call implements client.Client.
func (c *core) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	o := readOptions(opts)
	in, err := asMessage(req.Body(), "request")
	if err != nil {
		return err
	}
	out, err := asMessage(rsp, "response")
	if err != nil {
		return err
	}
	end, err := c.deadline(ctx, o)
	if err != nil {
		return err
	}
	if s := c.here(req.Service(), o); s != nil {
		return s.callLocal(ctx, end, req.Endpoint(), in, out)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	ctx = withOutgoing(ctx, outgoing(ctx))
	info := c.info(req.Service(), req.Endpoint())
	if o.address != "" {
		conn, err := c.pool.getDirect(o.address)
		if err != nil {
			return err
		}
		_, err = attempt(ctx, conn, info.path, in, out)
		return err
	}
	t, err := c.target(req.Service())
	if err != nil {
		return err
	}
	return c.remote(ctx, t, info, o.version, in, out)
}

// here is the server of a service in this process, if the call may go to it.
func (c *core) here(service string, o callOptions) *Server {
	if c.cfg.Local == nil || o.address != "" {
		return nil
	}
	s := c.cfg.Local.local(service)
	if s == nil || (o.version != "" && o.version != s.cfg.Version) {
		return nil
	}
	return s
}

// outcome tells what one attempt did, as far as it matters for another.
type outcome int

const (
	mayHaveRun outcome = iota
	notRun             // certainly no handler was started
)

// attempt makes one call over a connection, in the caller's goroutine, and releases the connection.
func attempt(ctx context.Context, conn *conn, path string, in, out proto.Message) (outcome, error) {
	defer conn.release()
	x := &exchange{req: in}
	opts := []grpc.CallOption{grpc.Peer(&x.peer)}
	want := gathered(ctx)
	if want != nil {
		opts = append(opts, grpc.Trailer(&x.trailer))
	}
	err := conn.cc.Invoke(ctx, path, x, x, opts...)
	if want != nil {
		want.gatherGRPC(x.trailer)
	}
	if x.rsp != nil {
		defer x.free()
	}
	if err != nil {
		return x.failed(err)
	}
	if err := x.decode(out); err != nil {
		return mayHaveRun, fault.Wrap(fault.Internal, err, "the answer could not be read")
	}
	return mayHaveRun, nil
}

func (x *exchange) failed(err error) (outcome, error) {
	if x.tooLarge > 0 {
		return notRun, tooLarge(x.tooLarge, MaxRequest)
	}
	st := status.Convert(err)
	did := mayHaveRun
	if st.Code() == codes.Unavailable && (!x.sent() || notStarted(st)) {
		did = notRun
	}
	return did, clientFault(st)
}

// clientFault reads a fault back. The limits on message size are kept by grpc-go, which has no code of its own for them.
func clientFault(st *status.Status) error {
	if st.Code() == codes.ResourceExhausted && len(st.Details()) == 0 && strings.Contains(st.Message(), "message larger than max") {
		return fault.Wrap(fault.TooLarge, st.Err(), "the message is too large; at most %d bytes are allowed in a request, %d in an answer", MaxRequest, MaxMessage)
	}
	return fault.FromStatus(st)
}
