// Package limit keeps work within bounds: Admission for what comes in, Pacing for what goes out.
package limit

import (
	"context"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
)

// retryAfter is what refused callers are told: long enough for a queue of short calls to clear.
const retryAfter = time.Second

// Admission lets at most limit calls of a service be in flight; further ones are Overloaded at once, with a time to try again,
// and never wait. A stream counts until it ends. Use one Admission per service. It panics unless max is positive.
func Admission(limit int) server.HandlerWrapper {
	if limit <= 0 {
		panic("limit: Admission needs a positive limit")
	}
	var inFlight atomic.Int64
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			defer inFlight.Add(-1)
			if inFlight.Add(1) > int64(limit) {
				return fault.New(fault.Overloaded, "the %s service has too much to do; try again shortly", req.Service()).WithRetryAfter(retryAfter)
			}
			return next(ctx, req, rsp)
		}
	}
}
