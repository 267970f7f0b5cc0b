package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/fault"
)

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

type healthAnswer struct {
	Status string `json:"status"`
	// Degraded names what does not work now though it did.
	Degraded []string `json:"degraded,omitempty"`
}

// health says that the process answers requests, and no more: restarting it does not help a dependency that is away.
func (g *Gateway) health(c *gin.Context) {
	reply{status: http.StatusOK, body: healthAnswer{Status: "ok"}}.send(c)
}

// ready says no until a booking can first be served, and from then on yes until the gateway drains. A dependency that fails
// in between makes requests fail with 503, each by itself; taking every gateway out of its balancer would fail them all.
func (g *Gateway) ready(c *gin.Context) {
	if g.draining.Load() {
		newProblem(c, fault.New(fault.Unavailable, "shutting down")).send(c, 0)
		return
	}
	missing := g.settleReadiness()
	switch {
	case len(missing) == 0:
		reply{status: http.StatusOK, body: healthAnswer{Status: "ready"}}.send(c)
	case g.served.Load():
		reply{status: http.StatusOK, body: healthAnswer{Status: "degraded", Degraded: missing}}.send(c)
	default:
		p := newProblem(c, fault.New(fault.Unavailable, "not ready: %s", strings.Join(missing, ", ")))
		p.Missing = missing
		p.send(c, 0)
	}
}

// settleReadiness asks what is missing, and remembers when for the first time nothing is.
func (g *Gateway) settleReadiness() []string {
	missing := g.deps.Ready()
	if len(missing) == 0 {
		g.served.Store(true)
	}
	return missing
}
