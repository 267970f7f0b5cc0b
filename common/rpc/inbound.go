package rpc

import (
	"sync"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

const (
	// largeRequest is the encoded size, in bytes, above which a request needs a place before it is decoded.
	largeRequest = 64 << 10
	// largePlaces is how many of these one endpoint works on at once.
	largePlaces = 16
	// largeRetry is what a caller is told for whom there is no place.
	largeRetry = time.Second
)

// places are what large requests have to share: a few bytes on the wire can be a hundred times that in memory.
type places chan struct{}

func (p places) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p places) leave() { <-p }

// inbound is the message of a unary call. Over gRPC it stays encoded until someone asks for it, which is the handler or a
// wrapper that let the call pass: a caller whom the wrappers refuse costs no decoding.
type inbound struct {
	method *method
	large  places

	mu    sync.Mutex
	size  int           // of the encoded message, in bytes
	coded mem.Buffer    // until the message is asked for; nil in process and for streams
	body  proto.Message // from then on; nil for streams
	err   error         // why there is none
	asked bool          // body and err are final
	place bool          // has one of large
}

// receive keeps the encoded message. gRPC calls it once more for a caller that sends a second message, before it ends the call.
func (in *inbound) receive(data mem.BufferSlice) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.freeLocked()
	// One piece: many small ones, which a caller can make of any message, take up a multiple.
	in.coded = data.MaterializeToBuffer(mem.DefaultBufferPool())
	in.size = in.coded.Len()
}

// message is the decoded message: nil for streams. Everyone who asks gets the same, or the same error.
func (in *inbound) message() (proto.Message, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.asked {
		in.asked = true
		in.err = in.openLocked()
		if in.err != nil {
			in.body = nil
		}
	}
	return in.body, in.err
}

func (in *inbound) openLocked() error {
	defer in.freeLocked()
	if in.size > largeRequest {
		if in.place = in.large.take(); !in.place {
			return fault.New(fault.Overloaded, "too many large messages are being worked on; try again shortly").WithRetryAfter(largeRetry)
		}
	}
	if in.coded == nil {
		return nil
	}
	in.body = in.method.newIn()
	if err := proto.Unmarshal(in.coded.ReadOnlyData(), in.body); err != nil {
		return fault.Wrap(fault.Invalid, err, "the message could not be read")
	}
	return nil
}

// release ends the call's hold on buffer and place. Who asks for the message afterwards gets what was decoded before.
func (in *inbound) release() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.asked {
		in.asked, in.body = true, nil
		in.err = fault.New(fault.Internal, "the message was asked for after the call had ended")
	}
	in.freeLocked()
	if in.place {
		in.place = false
		in.large.leave()
	}
}

func (in *inbound) freeLocked() {
	if in.coded != nil {
		in.coded.Free()
		in.coded = nil
	}
}
