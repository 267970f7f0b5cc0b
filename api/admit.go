package api

import (
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
)

// maxDecoding bounds the bodies of all requests that are worked on at once, in bytes: decoded, a body can take over ten times
// its size, and anybody can send one.
const maxDecoding = 32 << 20

// admit lets a body be decoded while there is room for it, until the request ends, and refuses it at once where there is not.
// It is asked when the body has been read, so that nobody holds room by sending slowly. Errors: overloaded.
func (r *request) admit(size int64) error {
	if !r.decoding.TryAcquire(size) {
		return fault.New(fault.Overloaded, "the gateway has too much to do; try again shortly").WithRetryAfter(time.Second)
	}
	r.admitted += size
	return nil
}

// end gives the room back.
func (r *request) end() { r.decoding.Release(r.admitted) }
