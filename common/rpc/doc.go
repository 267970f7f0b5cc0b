// Package rpc is go-micro's client and server on plain grpc-go, plus a path inside the process for services that run together.
//
// Services use go-micro's interfaces and the stubs generated for them (…pb.micro.go); nothing but this package knows how a
// call travels. It replaces go-micro's own gRPC plugins, because these halve the throughput (25–32 thousand calls a second
// where bare gRPC makes 48–53 thousand, 128 callers on two cores; this package makes 85–95 % of bare gRPC) and break in ways
// a booking system cannot live with: a status with standard details crashes the calling process, a call that timed out is run
// again or still writes into its caller's response, every error closes the connection, a panic outside the handler
// ends the server, and a stop cuts calls after one second. On the wire it is ordinary gRPC: generated gRPC stubs, stock
// go-micro clients and grpcurl can call a [Server], and a [Client] can call any gRPC server.
//
// # What holds on both paths
//
//   - Every call has a deadline. It is shortened by a margin at each hop so that each caller can still answer its own, and a
//     call with hardly any time left is refused before anything is sent. No call lives longer than the MaxTimeout of its
//     endpoint.
//   - A call runs at most once, unless its method is declared free of side effects or idempotent in its proto, or it is
//     certain that no handler was started.
//   - Errors are *fault.Error on the caller's side: code, sentence, fields and retry time of what the handler returned. A
//     cause stays in the log of the process where it happened.
//   - On an error the response passed in is as it was. Nothing writes to it after the call has returned.
//   - Caller and handler never share memory: request and response are copied.
//   - Of the caller's metadata only the keys of [SentMetadata] reach the handler's headers, and only those of
//     [HandedOnMetadata] are handed on by calls that the handler makes itself. What a handler says beside its answer
//     ([SetTrailer]) comes back to a caller that wants it ([WithTrailer]), and goes no further.
//   - A panic in a handler or a wrapper is answered with Internal; the process lives.
//   - Requests are at most [MaxRequest] bytes, answers [MaxMessage]. Of requests over 64 KiB an endpoint works on 16 at a time;
//     further ones are Overloaded at once.
//
// Over gRPC the body of a unary call stays encoded until the handler is about to be called or a wrapper asks for it, because
// decoding can take a hundred times the memory of what was sent: a caller whom a wrapper refuses costs none of it. A body that
// cannot be read is Invalid. With unary interceptors, which are given the message, it is decoded before them.
package rpc

// The largest messages, in bytes of their protobuf encoding. A larger one is TooLarge.
const (
	// MaxRequest bounds what a caller sends: the request of a call, and each message that it sends on a stream.
	MaxRequest = 1 << 20
	// MaxMessage bounds what a handler sends: the answer, and each message that it sends on a stream.
	MaxMessage = 4 << 20
)
