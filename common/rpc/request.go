package rpc

import (
	"context"
	"sync"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/codec"
	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"
)

const contentType = "application/grpc+proto"

// clientRequest is what NewRequest makes.
type clientRequest struct {
	service, endpoint string
	body              any
	stream            bool
}

var _ client.Request = (*clientRequest)(nil)

func (r *clientRequest) Service() string     { return r.service }
func (r *clientRequest) Method() string      { return r.endpoint }
func (r *clientRequest) Endpoint() string    { return r.endpoint }
func (r *clientRequest) ContentType() string { return contentType }
func (r *clientRequest) Body() any           { return r.body }
func (r *clientRequest) Codec() codec.Writer { return nil }
func (r *clientRequest) Stream() bool        { return r.stream }

// serverRequest is what wrappers see of a call.
type serverRequest struct {
	inbound

	// Reading the headers of a gRPC call costs and few wrappers look, so they are read when first asked for.
	once   sync.Once
	remote context.Context // of the gRPC call; nil in process
	header map[string]string
}

var _ server.Request = (*serverRequest)(nil)

func (r *serverRequest) Service() string     { return r.method.service }
func (r *serverRequest) Method() string      { return r.method.endpoint }
func (r *serverRequest) Endpoint() string    { return r.method.endpoint }
func (r *serverRequest) ContentType() string { return contentType }
func (r *serverRequest) Codec() codec.Reader { return nil }
func (r *serverRequest) Stream() bool        { return r.method.streaming() }

// Header has all that was sent, with lower-case keys. It is shared by everyone who asks: read only.
func (r *serverRequest) Header() map[string]string {
	r.once.Do(func() {
		if r.remote != nil {
			r.header = incomingHeader(r.remote)
		}
	})
	return r.header
}

// Body decodes the message the first time that someone asks. It is nil for streams, and if the message cannot be had: Read
// tells why, and so does the handler's answer.
func (r *serverRequest) Body() any {
	body, err := r.message()
	if err != nil || body == nil {
		return nil
	}
	return body
}

// Read encodes the body anew; the bytes that came are not kept.
func (r *serverRequest) Read() ([]byte, error) {
	body, err := r.message()
	if err != nil {
		return nil, err
	}
	return proto.Marshal(body)
}
