// Package api is the HTTP gateway: it turns HTTP requests into calls of the services and their answers into JSON.
//
// Every request is answered with a trace id, every error as application/problem+json (RFC 9457) with a code of common/fault.
// A request of the API has a deadline and, unless it is a sign-up or log-in, a verified caller; the two health probes have
// neither. A body that breaks a rule is refused, with all that is wrong with it, before any service is called. The gateway
// decides nothing about freight and keeps no state but whether it is ready.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/trace"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Config is how a gateway behaves.
type Config struct {
	// RequestTimeout is the time that a request may take, from its header to its answer; it is handed on to the services.
	RequestTimeout time.Duration
	// MaxBody is the most bytes that a request's body may have.
	MaxBody int64
	// DrainDelay is how long Stop keeps accepting connections while readiness already says no, so that load balancers can
	// look elsewhere first. 0 where there is none.
	DrainDelay time.Duration
}

// Deps are what a gateway works with. All are needed.
type Deps struct {
	Users        userpb.UserService
	Vessels      vesselpb.VesselService
	Consignments consignmentpb.ShippingService
	Logs         logpb.LogService
	// DeadLetters are those of the services that consume events, by the service's name.
	DeadLetters map[string]DeadLetterService
	Verifier    Verifier
	Tracer      *trace.Tracer
	// Log gets one line per request. Its handler adds the trace id (trace.LogHandler).
	Log *slog.Logger
	// Ready names what is missing before a booking can be served; nothing means that it can.
	Ready func() []string
}

// Verifier says whose token it is. Errors: unauthenticated, unavailable.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

// Gateway is the HTTP handler. It is safe for concurrent use.
type Gateway struct {
	cfg    Config
	deps   Deps
	engine *gin.Engine
	// decoding weighs the bodies that are worked on, see request.admit.
	decoding *semaphore.Weighted

	served   atomic.Bool // was ready once
	draining atomic.Bool
}

// New makes a gateway. It puts gin into release mode, which is a switch of the whole process.
func New(cfg Config, deps Deps) *Gateway {
	gin.SetMode(gin.ReleaseMode) // debug mode prints every route to standard output
	g := &Gateway{cfg: cfg, deps: deps, engine: gin.New(), decoding: semaphore.NewWeighted(max(maxDecoding, cfg.MaxBody))}
	g.mount()
	return g
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.engine.ServeHTTP(w, r) }

// Drain makes readiness say no from now on. Requests are still served.
func (g *Gateway) Drain() { g.draining.Store(true) }
