package trace

import (
	"context"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
)

// HandlerWrapper traces the calls that a server handles.
func HandlerWrapper(t *Tracer) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			headers := req.Header()
			ctx, span := t.Serve(ctx, req.Service()+"."+req.Endpoint(), func(key string) string { return headers[key] })
			err := next(ctx, req, rsp)
			finish(span, err)
			return err
		}
	}
}

// ClientWrapper traces the calls that a client makes and hands the trace on.
func ClientWrapper(t *Tracer) client.Wrapper {
	return func(next client.Client) client.Client { return &tracedClient{Client: next, tracer: t} }
}

type tracedClient struct {
	client.Client
	tracer *Tracer
}

func (c *tracedClient) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	ctx, span := c.tracer.Call(ctx, req.Service()+"."+req.Endpoint())
	err := c.Client.Call(outgoing(ctx), req, rsp, opts...)
	finish(span, err)
	return err
}

// Stream traces the opening of the stream.
func (c *tracedClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	ctx, span := c.tracer.Call(ctx, req.Service()+"."+req.Endpoint())
	stream, err := c.Client.Stream(outgoing(ctx), req, opts...)
	finish(span, err)
	return stream, err
}

func outgoing(ctx context.Context) context.Context {
	parent, state := Headers(ctx)
	if parent == "" {
		return ctx
	}
	return rpc.WithMetadata(ctx, rpc.KeyTraceparent, parent, rpc.KeyTracestate, state)
}

// finish marks a span as failed only by what an operator has to look at: a refused request is a normal answer.
func finish(span *Span, err error) {
	if err == nil {
		span.End(nil)
		return
	}
	code := fault.CodeOf(err)
	span.Tag("fault.code", string(code))
	switch code {
	case fault.Internal, fault.Unavailable, fault.DeadlineExceeded, fault.Overloaded:
		span.End(err)
	default:
		span.End(nil)
	}
}
