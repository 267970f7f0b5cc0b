package rpc

import (
	"context"
	"errors"
	"io"
	"sync"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/fairwayfreight/fairway/common/fault"
)

// Stream implements client.Client.
func (c *core) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	o := readOptions(opts)
	end, err := c.deadline(ctx, o)
	if err != nil {
		return nil, err
	}
	if s := c.here(req.Service(), o); s != nil {
		return s.streamLocal(ctx, end, req)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	stream, err := c.openRemote(withOutgoing(ctx, outgoing(ctx)), cancel, req, o)
	if err != nil {
		cancel()
		return nil, err
	}
	return stream, nil
}

// openRemote opens a stream on the next node that can be reached. Nothing has been given to a handler until a stream is open.
func (c *core) openRemote(ctx context.Context, cancel context.CancelFunc, req client.Request, o callOptions) (client.Stream, error) {
	info := c.info(req.Service(), req.Endpoint())
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	if info.desc != nil {
		desc.ServerStreams, desc.ClientStreams = info.desc.IsStreamingServer(), info.desc.IsStreamingClient()
	}
	open := func(conn *conn) (client.Stream, error) {
		cs, err := conn.cc.NewStream(ctx, desc, info.path)
		if err != nil {
			conn.release()
			return nil, clientFault(status.Convert(err))
		}
		release := sync.OnceFunc(func() { cancel(); conn.release() })
		s := &remoteClientStream{cs: cs, req: req, release: release, sendsOnce: !desc.ClientStreams}
		context.AfterFunc(ctx, release) // for streams that nobody closes
		return s, nil
	}
	if o.address != "" {
		conn, err := c.pool.getDirect(o.address)
		if err != nil {
			return nil, err
		}
		return open(conn)
	}
	t, err := c.target(req.Service())
	if err != nil {
		return nil, err
	}
	var tried []*conn
	var last error
	for {
		conn, err := t.pick(ctx, o.version, tried)
		if err != nil {
			if last != nil {
				return nil, last
			}
			return nil, err
		}
		s, err := open(conn)
		if err == nil || fault.CodeOf(err) != fault.Unavailable {
			return s, err
		}
		last, tried = err, append(tried, conn)
	}
}

// remoteClientStream is the caller's end of a stream over gRPC.
type remoteClientStream struct {
	cs        grpc.ClientStream
	req       client.Request
	release   func()
	sendsOnce bool // the caller sends one message only
	err       lastError
}

var _ client.Stream = (*remoteClientStream)(nil)

func (s *remoteClientStream) Context() context.Context  { return s.cs.Context() }
func (s *remoteClientStream) Request() client.Request   { return s.req }
func (s *remoteClientStream) Response() client.Response { return nil }
func (s *remoteClientStream) Error() error              { return s.err.get() }

// Send gives io.EOF when the stream has ended; Recv then tells why. Where the caller sends one message only, Send tells itself.
func (s *remoteClientStream) Send(v any) error {
	m, err := asMessage(v, "message")
	if err != nil {
		return err
	}
	if _, err := checkSize(m, MaxRequest); err != nil {
		return err
	}
	err = s.cs.SendMsg(m)
	if errors.Is(err, io.EOF) && s.sendsOnce {
		return s.Recv(&emptypb.Empty{})
	}
	return s.err.keep(streamError(err))
}

// Recv gives io.EOF when the handler has returned without an error.
func (s *remoteClientStream) Recv(v any) error {
	err := s.cs.RecvMsg(v)
	if err != nil {
		s.release()
	}
	return s.err.keep(streamError(err))
}

// CloseSend says that the last message has been sent.
func (s *remoteClientStream) CloseSend() error { return streamError(s.cs.CloseSend()) }

// Close ends the stream at once, whatever is still under way.
func (s *remoteClientStream) Close() error {
	s.release()
	return nil
}
