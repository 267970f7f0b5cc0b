package rpc

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

// errCut is the reason of a call that a stop did not wait for any longer.
var errCut = fault.New(fault.Unavailable, "the service was stopped during the call; whether it took effect is not known")

// errLeft is the result of a handler that ends its goroutine instead of returning one.
var errLeft = errors.New("the handler ended its goroutine")

// callLocal runs a call of a service in this process. The handler has its own goroutine, because the caller returns when its
// time is up even if the handler does not; what comes after that is dropped.
func (s *Server) callLocal(ctx context.Context, end time.Time, endpoint string, in, out proto.Message) error {
	m, err := s.cfg.Endpoint.method(s, endpoint, false)
	if err != nil {
		return err
	}
	body := m.newIn()
	size, err := checkSize(in, MaxRequest)
	if err != nil {
		return err
	}
	if err := copyMessage(body, in); err != nil {
		return err
	}
	header := outgoing(ctx)
	bounded, cancel := localContext(s.cfg.Endpoint.capped(end), header)
	defer cancel(nil)
	hctx, said := withSaid(bounded, gathered(ctx) != nil)

	type result struct {
		rsp proto.Message
		err error
	}
	done := make(chan result, 1)
	go func() {
		rsp := m.newOut()
		err := errLeft
		defer func() { done <- result{rsp, err} }()
		req := &serverRequest{inbound: inbound{method: m, large: s.cfg.Endpoint.large, size: size, body: body}, header: header}
		defer req.release()
		err = s.dispatch(hctx, req, rsp)
	}()
	select {
	case r := <-done:
		if said != nil {
			gathered(ctx).gather(said)
		}
		if r.err != nil {
			return asReceived(r.err)
		}
		if _, err := checkSize(r.rsp, MaxMessage); err != nil {
			return err
		}
		return copyMessage(out, r.rsp)
	case <-ctx.Done():
		return fault.From(ctx.Err())
	case <-hctx.Done():
		return fault.From(hctx.Err())
	case <-s.cut.Done():
		return errCut
	}
}

// asReceived is the error as a caller over gRPC would read it, so that nothing works in process only: the cause stays here,
// and nobody shares memory with the handler's error.
func asReceived(err error) error {
	return clientFault(status.Convert(fault.From(err)))
}
