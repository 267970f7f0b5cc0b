package rpc

import (
	"context"
	"errors"
	"io"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// remoteServerStream is the handler's end of a stream over gRPC.
type remoteServerStream struct {
	ctx context.Context
	req *serverRequest
	ss  grpc.ServerStream
	err lastError
}

var _ server.Stream = (*remoteServerStream)(nil)

func (s *remoteServerStream) Context() context.Context { return s.ctx }
func (s *remoteServerStream) Request() server.Request  { return s.req }
func (s *remoteServerStream) Error() error             { return s.err.get() }

// Close does nothing: a stream ends when its handler returns.
func (s *remoteServerStream) Close() error { return nil }

func (s *remoteServerStream) Send(v any) error {
	m, err := asMessage(v, "message")
	if err != nil {
		return err
	}
	if _, err := checkSize(m, MaxMessage); err != nil {
		return err
	}
	return s.err.keep(streamError(s.ss.SendMsg(m)))
}

// Recv gives io.EOF when the caller has sent its last message.
func (s *remoteServerStream) Recv(v any) error { return s.err.keep(streamError(s.ss.RecvMsg(v))) }

// streamError makes a fault of everything but the end of a stream.
func streamError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return clientFault(status.Convert(err))
}
