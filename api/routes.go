package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/fault"
)

// base is the path under which the API lives.
const base = "/api/v1"

// endpoint serves one route: it reads the request, checks it, calls a service and shows the answer.
type endpoint func(*request) (reply, error)

// route is one row of the API.
type route struct {
	method string
	path   string // below base
	access access
	params []string // the query parameters it takes; any other is refused
	serve  endpoint
}

type access bool

const (
	open     access = false // anybody
	signedIn access = true  // whoever has a good token; what they may do is for the services to say
)

// routes is the whole API.
func (g *Gateway) routes() []route {
	page := func(filters ...string) []string { return append([]string{"limit", "cursor"}, filters...) }
	return []route{
		{http.MethodPost, "/users", open, nil, g.signUp},
		{http.MethodPost, "/sessions", open, nil, g.logIn},
		{http.MethodPost, "/user/sign", open, nil, g.signUpOriginal},
		{http.MethodPost, "/user/login", open, nil, g.logInOriginal},
		{http.MethodGet, "/users/me", signedIn, nil, g.self},
		{http.MethodGet, "/users/:id", signedIn, nil, g.user},
		{http.MethodGet, "/users", signedIn, page(), g.users},

		{http.MethodPost, "/vessels", signedIn, nil, g.createVessel},
		{http.MethodGet, "/vessels", signedIn, page(), g.vessels},
		{http.MethodGet, "/vessels/:id", signedIn, nil, g.vessel},
		{http.MethodPost, "/vessels/:id/voyages", signedIn, nil, g.createVoyage},
		{http.MethodGet, "/voyages", signedIn, page("from", "to", "after", "teu", "weight", "open"), g.voyages},
		{http.MethodGet, "/voyages/:id", signedIn, nil, g.voyage},
		{http.MethodPost, "/voyages/:id/close", signedIn, nil, g.closeVoyage},
		{http.MethodPost, "/voyages/:id/depart", signedIn, nil, g.departVoyage},
		{http.MethodPost, "/voyages/:id/complete", signedIn, nil, g.completeVoyage},

		{http.MethodPost, "/consignments", signedIn, nil, g.createConsignment},
		{http.MethodGet, "/consignments", signedIn, page("state", "voyage_id"), g.consignments},
		{http.MethodGet, "/consignments/:id", signedIn, nil, g.consignment},
		{http.MethodPost, "/consignments/:id/cancel", signedIn, nil, g.cancelConsignment},

		{http.MethodGet, "/logs", signedIn, page("entity_id", "actor_id", "trace_id", "action"), g.logs},
		{http.MethodGet, "/log-chains", signedIn, []string{"chain", "after", "limit"}, g.logChain},
		{http.MethodGet, "/log-heads", signedIn, page(), g.logHeads},

		{http.MethodGet, "/dead-letters", signedIn, page("service"), g.deadLetters},
		{http.MethodGet, "/dead-letters/:service/:id", signedIn, nil, g.deadLetter},
		{http.MethodPost, "/dead-letters/:service/:id/redrive", signedIn, nil, g.redriveDeadLetter},
		{http.MethodDelete, "/dead-letters/:service/:id", signedIn, nil, g.dropDeadLetter},
	}
}

// mount puts the wrappers and routes together. Each wrapper is around those that come after it.
func (g *Gateway) mount() {
	g.engine.HandleMethodNotAllowed = true
	g.engine.RedirectTrailingSlash = false // a path is right or it is not found
	g.engine.ForwardedByClientIP = false   // anybody can send X-Forwarded-For
	g.engine.Use(g.trace, g.accessLog, g.recover, secure)

	for _, r := range g.routes() {
		chain := []gin.HandlerFunc{g.deadline}
		if r.access == signedIn {
			chain = append(chain, g.authenticate)
		}
		chain = append(chain, g.serve(r))
		g.engine.Handle(r.method, base+r.path, chain...)
		if r.method == http.MethodGet { // RFC 9110, section 9.1: whoever supports GET supports HEAD
			g.engine.HEAD(base+r.path, chain...)
		}
	}
	for path, handler := range map[string]gin.HandlerFunc{healthPath: g.health, readyPath: g.ready} {
		g.engine.GET(path, handler)
		g.engine.HEAD(path, handler)
	}
	g.engine.NoRoute(func(c *gin.Context) {
		refuse(c, fault.New(fault.NotFound, "there is nothing at this path"))
	})
	g.engine.NoMethod(func(c *gin.Context) {
		allowed := c.Writer.Header().Get("Allow") // set by gin
		refuse(c, fault.New(fault.MethodNotAllowed, "this path takes only %s", allowed))
	})
}

// serve makes a gin handler of a route.
func (g *Gateway) serve(rt route) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, err := g.newRequest(c, rt.params)
		if err != nil {
			refuse(c, err)
			return
		}
		defer r.end()
		if rt.keyed() {
			r.readKey()
		}
		answer, err := rt.serve(r)
		r.tellReplayed(c)
		if err != nil {
			refuse(c, err)
			return
		}
		answer.send(c)
	}
}
