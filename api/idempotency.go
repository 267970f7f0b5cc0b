package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/rule"
)

// unkeyed are the POST routes that ignore an Idempotency-Key: they hand out secrets, of which each is another.
var unkeyed = []string{"/sessions", "/sessions/refresh", "/user/login"}

// keyed tells whether a route takes an Idempotency-Key: every POST that is not excepted.
func (rt route) keyed() bool {
	return rt.method == http.MethodPost && !slices.Contains(unkeyed, rt.path)
}

// readKey hands the request's Idempotency-Key on to the service that it calls, which keeps it. The key goes with every call
// of r.ctx: a route that makes several changes gives each a key of its own.
func (r *request) readKey() {
	lines := slices.Compact(slices.Clone(r.http.Header.Values(rule.KeyField)))
	switch len(lines) {
	case 0:
		return
	case 1:
	default:
		r.found.add(rule.KeyField, rule.Unique, "is there twice, and differs")
		return
	}
	if broken := rule.IdempotencyKey(lines[0]); broken != nil {
		r.found.merge(broken)
		return
	}
	r.ctx, r.said = rpc.WithTrailer(rpc.WithMetadata(r.ctx, rpc.KeyIdempotency, lines[0]))
}

// tellReplayed says in the answer, be it a success or an error, that it was given before and nothing was done now.
func (r *request) tellReplayed(c *gin.Context) {
	if r.said != nil && r.said.Get(rpc.KeyReplayed) == "true" {
		c.Header("Idempotent-Replayed", "true")
	}
}
