package rpc

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

// dispatch takes a call, from wherever it came, through the gate, the wrappers and the handler. Its error is nil or has a
// fault. It recovers panics by itself: several services may share the process, and none may end it by leaving out a wrapper.
func (s *Server) dispatch(ctx context.Context, req *serverRequest, rsp any) (err error) {
	if !s.gate.enter() {
		return refusal{fault.New(fault.Unavailable, "the %s service is not taking calls; try again shortly", s.cfg.Name)}
	}
	defer s.gate.leave()
	defer func() {
		if p := recover(); p != nil {
			err = panicked(ctx, s.log, req, p, debug.Stack())
		}
		err = s.settle(ctx, req, err)
	}()
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	return req.method.serve(ctx, req, rsp)
}

// settle makes a fault of whatever a handler returned. The cause of an internal error is logged here unless a wrapper has
// done so, because nobody outside the process will see it.
func (s *Server) settle(ctx context.Context, req *serverRequest, err error) error {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	var already logged
	if f.Code == fault.Internal && f.Unwrap() != nil && !errors.As(err, &already) {
		s.log.ErrorContext(ctx, "call failed", "method", req.Endpoint(), "error", err)
	}
	return f
}

// refusal is the fault of a call that was turned away before its handler, which makes it safe to send elsewhere whatever
// the method does.
type refusal struct{ fault *fault.Error }

func (r refusal) Error() string { return r.fault.Error() }
func (r refusal) Unwrap() error { return r.fault }

const (
	notStartedReason = "NOT_STARTED"
	notStartedDomain = fault.Domain + ".rpc"
)

// GRPCStatus adds a mark that tells another client of this package.
func (r refusal) GRPCStatus() *status.Status {
	st := r.fault.GRPCStatus()
	marked, err := st.WithDetails(&errdetails.ErrorInfo{Reason: notStartedReason, Domain: notStartedDomain})
	if err != nil {
		return st
	}
	return marked
}

// notStarted tells whether a status carries that mark.
func notStarted(st *status.Status) bool {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() == notStartedReason && info.GetDomain() == notStartedDomain {
			return true
		}
	}
	return false
}

// arrive makes a handler's context out of a gRPC call's, which has its deadline from the endpoint.
func arrive(ctx context.Context) context.Context {
	return withHandedOn(ctx, func(key string) (string, bool) { return incomingValue(ctx, key) })
}

// unaryHandler is the native gRPC form of a method, so that interceptors and statistics see a unary call.
func (s *Server) unaryHandler(m *method) grpc.MethodHandler {
	path := "/" + string(m.desc.Parent().FullName()) + "/" + string(m.desc.Name())
	serve := func(ctx context.Context, req *serverRequest) (any, error) {
		out := m.newOut()
		if err := s.dispatch(arrive(ctx), req, out); err != nil {
			return nil, err
		}
		return out, nil
	}
	return func(_ any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		req := &serverRequest{inbound: inbound{method: m, large: s.cfg.Endpoint.large}, remote: ctx}
		defer req.release()
		if err := receive(&req.inbound); err != nil {
			return nil, err
		}
		if interceptor == nil {
			return serve(ctx, req)
		}
		in, err := req.message() // an interceptor's request is a message
		if err != nil {
			return nil, err
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: s, FullMethod: path}, func(ctx context.Context, in any) (any, error) {
			return serve(ctx, &serverRequest{inbound: inbound{method: m, body: in.(proto.Message)}, remote: ctx})
		})
	}
}

func (s *Server) streamHandler(m *method) grpc.StreamHandler {
	return func(_ any, ss grpc.ServerStream) error {
		req := &serverRequest{inbound: inbound{method: m}, remote: ss.Context()}
		ctx := arrive(ss.Context())
		return s.dispatch(ctx, req, &remoteServerStream{ctx: ctx, req: req, ss: ss})
	}
}

// localContext makes a handler's context for a call in process: it shares nothing with the caller's but the deadline, the
// headers to hand on, and the end that cancel brings.
func localContext(deadline time.Time, header map[string]string) (context.Context, context.CancelCauseFunc) {
	ctx, cancelCause := context.WithCancelCause(context.Background())
	ctx, cancel := context.WithDeadline(ctx, deadline)
	ctx = withHandedOn(ctx, func(key string) (string, bool) { v, ok := header[key]; return v, ok })
	return ctx, func(cause error) { cancelCause(cause); cancel() }
}
