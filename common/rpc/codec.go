package rpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that is built on here
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// exchange is what one unary attempt sends and gets. The answer stays encoded until the call is known to have succeeded:
// gRPC decodes it before it has seen the status, and the caller's response must not change when the call fails after that.
type exchange struct {
	req      proto.Message
	rsp      mem.BufferSlice
	peer     peer.Peer   // set once a stream to a server has been opened, see sent
	trailer  metadata.MD // what came with the answer, where the caller wants it
	tooLarge int         // size of a request that is over the limit
}

// sent tells whether the server may have seen the call. gRPC fills in the peer of every call that got as far as a stream on a
// connection, and of no other.
func (x *exchange) sent() bool { return x.peer.Addr != nil }

// decode moves the answer into the caller's response. If it cannot be decoded, the response is left empty.
func (x *exchange) decode(rsp proto.Message) error {
	if err := base().Unmarshal(x.rsp, rsp); err != nil {
		proto.Reset(rsp)
		return err
	}
	return nil
}

func (x *exchange) free() {
	x.rsp.Free()
	x.rsp = nil
}

// exchangeCodec is the client's protobuf codec, for exchanges and for the messages of streams.
type exchangeCodec struct{}

func base() encoding.CodecV2 { return encoding.GetCodecV2("proto") }

func (exchangeCodec) Name() string { return "proto" }

func (exchangeCodec) Marshal(v any) (mem.BufferSlice, error) {
	x, ok := v.(*exchange)
	if !ok {
		return base().Marshal(v)
	}
	data, err := base().Marshal(x.req)
	if err != nil {
		return nil, err
	}
	if n := data.Len(); n > MaxRequest {
		data.Free()
		x.tooLarge = n
		return nil, fmt.Errorf("message of %d bytes", n)
	}
	return data, nil
}

func (exchangeCodec) Unmarshal(data mem.BufferSlice, v any) error {
	x, ok := v.(*exchange)
	if !ok {
		return base().Unmarshal(data, v)
	}
	data.Ref()
	x.rsp = data
	return nil
}

// inboundCodec is the server's protobuf codec. It leaves the messages of unary calls encoded; those of streams, of health and
// of reflection are decoded as ever.
type inboundCodec struct{}

func (inboundCodec) Name() string { return "proto" }

func (inboundCodec) Marshal(v any) (mem.BufferSlice, error) { return base().Marshal(v) }

func (inboundCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if in, ok := v.(*inbound); ok {
		in.receive(data)
		return nil
	}
	return base().Unmarshal(data, v)
}
