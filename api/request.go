package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/rule"
)

// request is one call as an endpoint sees it. What is wrong with it is gathered while it is read; check says so.
type request struct {
	ctx     context.Context // with the deadline, the trace, and the caller and its token
	id      string          // the path's id, plausible; empty where the path has none
	service string          // the path's service, as it came; empty where the path has none
	caller  auth.Identity   // empty on open routes
	query   url.Values
	found   findings
	said    *rpc.Trailer // beside the services' answers, where the request has an Idempotency-Key

	http    *http.Request
	writer  http.ResponseWriter
	maxBody int64

	decoding *semaphore.Weighted // of the gateway
	admitted int64               // taken of it
	root     *object             // the body, once it was read
}

// newRequest reads the parameters of a request. An id that cannot be one is not found, without asking anybody.
func (g *Gateway) newRequest(c *gin.Context, params []string) (*request, error) {
	r := &request{ctx: c.Request.Context(), id: c.Param("id"), service: c.Param("service"),
		http: c.Request, writer: c.Writer, maxBody: g.cfg.MaxBody, decoding: g.decoding}
	if _, has := c.Params.Get("id"); has && !rule.PlausibleID(r.id) {
		return nil, fault.New(fault.NotFound, "there is no such thing")
	}
	r.caller, _ = auth.FromContext(r.ctx)
	r.readQuery(params)
	return r, nil
}

// check ends the reading of a request. It names everything that is wrong: what could not be read, what nobody asked for,
// and the broken rules that are not mere consequences of that. Only after it may a service be called. Errors: invalid.
func (r *request) check(broken []fault.Field) error {
	if r.root != nil {
		r.root.nameUnread()
	}
	r.found.merge(broken)
	return r.found.err()
}
