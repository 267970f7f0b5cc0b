package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/api"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/trace"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	deadletterpb "github.com/fairwayfreight/fairway/interface-center/out/deadletter"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// goodToken is the one token that the verifier of these tests knows, as ann's.
const goodToken = "good.token"

// noConfig is for tests in which no setting matters.
var noConfig = api.Config{MaxBody: 1 << 20, RequestTimeout: 10 * time.Second}

// call is what a service was sent.
type call struct {
	method   string
	in       proto.Message
	token    string
	traceID  string
	deadline time.Duration // what was left of it
}

// services stands in for the four services: it notes every call and answers as it was told.
type services struct {
	mu      sync.Mutex
	calls   []call
	answers map[string]proto.Message
	err     error
	before  func(ctx context.Context) // runs within every call
}

func (s *services) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

func serve[T proto.Message](s *services, ctx context.Context, method string, in proto.Message, none T) (T, error) {
	c := call{method: method, in: in, traceID: trace.ID(ctx)}
	c.token, _ = metadata.Get(ctx, "Authorization")
	if at, ok := ctx.Deadline(); ok {
		c.deadline = time.Until(at)
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	answer, ok := s.answers[method].(T)
	err, before := s.err, s.before
	s.mu.Unlock()
	if before != nil {
		before(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return none, ctx.Err()
	case err != nil:
		return none, err
	case ok:
		return answer, nil
	}
	return none, nil
}

type users struct {
	userpb.UserService
	*services
}

func (u users) Create(ctx context.Context, in *userpb.User, _ ...client.CallOption) (*userpb.Response, error) {
	return serve(u.services, ctx, "users.Create", in, &userpb.Response{})
}
func (u users) Get(ctx context.Context, in *userpb.User, _ ...client.CallOption) (*userpb.Response, error) {
	return serve(u.services, ctx, "users.Get", in, &userpb.Response{})
}
func (u users) GetAll(ctx context.Context, in *userpb.Request, _ ...client.CallOption) (*userpb.Response, error) {
	return serve(u.services, ctx, "users.GetAll", in, &userpb.Response{})
}
func (u users) Auth(ctx context.Context, in *userpb.User, _ ...client.CallOption) (*userpb.Token, error) {
	return serve(u.services, ctx, "users.Auth", in, &userpb.Token{})
}
func (u users) ValidateToken(ctx context.Context, in *userpb.Token, _ ...client.CallOption) (*userpb.Token, error) {
	return serve(u.services, ctx, "users.ValidateToken", in, &userpb.Token{})
}
func (u users) GetKeys(ctx context.Context, in *userpb.KeysRequest, _ ...client.CallOption) (*userpb.KeySet, error) {
	return serve(u.services, ctx, "users.GetKeys", in, &userpb.KeySet{})
}

// vessels has the methods that the gateway calls; another one would be a nil call.
type vessels struct {
	vesselpb.VesselService
	*services
}

func (v vessels) Create(ctx context.Context, in *vesselpb.Vessel, _ ...client.CallOption) (*vesselpb.Response, error) {
	return serve(v.services, ctx, "vessels.Create", in, &vesselpb.Response{})
}
func (v vessels) Get(ctx context.Context, in *vesselpb.VesselRef, _ ...client.CallOption) (*vesselpb.Response, error) {
	return serve(v.services, ctx, "vessels.Get", in, &vesselpb.Response{})
}
func (v vessels) List(ctx context.Context, in *vesselpb.ListRequest, _ ...client.CallOption) (*vesselpb.Response, error) {
	return serve(v.services, ctx, "vessels.List", in, &vesselpb.Response{})
}
func (v vessels) CreateVoyage(ctx context.Context, in *vesselpb.Voyage, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.CreateVoyage", in, &vesselpb.VoyageResponse{})
}
func (v vessels) GetVoyage(ctx context.Context, in *vesselpb.VoyageRef, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.GetVoyage", in, &vesselpb.VoyageResponse{})
}
func (v vessels) ListVoyages(ctx context.Context, in *vesselpb.VoyageQuery, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.ListVoyages", in, &vesselpb.VoyageResponse{})
}
func (v vessels) CloseVoyage(ctx context.Context, in *vesselpb.VoyageRef, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.CloseVoyage", in, &vesselpb.VoyageResponse{})
}
func (v vessels) DepartVoyage(ctx context.Context, in *vesselpb.VoyageRef, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.DepartVoyage", in, &vesselpb.VoyageResponse{})
}
func (v vessels) CompleteVoyage(ctx context.Context, in *vesselpb.VoyageRef, _ ...client.CallOption) (*vesselpb.VoyageResponse, error) {
	return serve(v.services, ctx, "vessels.CompleteVoyage", in, &vesselpb.VoyageResponse{})
}

type consignments struct {
	consignmentpb.ShippingService
	*services
}

func (c consignments) CreateConsignment(ctx context.Context, in *consignmentpb.Consignment, _ ...client.CallOption) (*consignmentpb.Response, error) {
	return serve(c.services, ctx, "consignments.CreateConsignment", in, &consignmentpb.Response{})
}
func (c consignments) GetConsignments(ctx context.Context, in *consignmentpb.GetRequest, _ ...client.CallOption) (*consignmentpb.Response, error) {
	return serve(c.services, ctx, "consignments.GetConsignments", in, &consignmentpb.Response{})
}
func (c consignments) GetConsignment(ctx context.Context, in *consignmentpb.ConsignmentRef, _ ...client.CallOption) (*consignmentpb.Response, error) {
	return serve(c.services, ctx, "consignments.GetConsignment", in, &consignmentpb.Response{})
}
func (c consignments) CancelConsignment(ctx context.Context, in *consignmentpb.ConsignmentRef, _ ...client.CallOption) (*consignmentpb.Response, error) {
	return serve(c.services, ctx, "consignments.CancelConsignment", in, &consignmentpb.Response{})
}

type logs struct {
	logpb.LogService
	*services
}

func (l logs) List(ctx context.Context, in *logpb.ListRequest, _ ...client.CallOption) (*logpb.ListResponse, error) {
	return serve(l.services, ctx, "logs.List", in, &logpb.ListResponse{})
}
func (l logs) Chain(ctx context.Context, in *logpb.ChainRequest, _ ...client.CallOption) (*logpb.ChainResponse, error) {
	return serve(l.services, ctx, "logs.Chain", in, &logpb.ChainResponse{})
}
func (l logs) Heads(ctx context.Context, in *logpb.HeadsRequest, _ ...client.CallOption) (*logpb.HeadsResponse, error) {
	return serve(l.services, ctx, "logs.Heads", in, &logpb.HeadsResponse{})
}

type deadLetters struct {
	name string
	*services
}

func (d deadLetters) List(ctx context.Context, in *deadletterpb.ListRequest, _ ...client.CallOption) (*deadletterpb.ListResponse, error) {
	return serve(d.services, ctx, d.name+".List", in, &deadletterpb.ListResponse{})
}
func (d deadLetters) Get(ctx context.Context, in *deadletterpb.Ref, _ ...client.CallOption) (*deadletterpb.Letter, error) {
	return serve(d.services, ctx, d.name+".Get", in, &deadletterpb.Letter{})
}
func (d deadLetters) Redrive(ctx context.Context, in *deadletterpb.Ref, _ ...client.CallOption) (*deadletterpb.Done, error) {
	return serve(d.services, ctx, d.name+".Redrive", in, &deadletterpb.Done{})
}
func (d deadLetters) Drop(ctx context.Context, in *deadletterpb.Ref, _ ...client.CallOption) (*deadletterpb.Done, error) {
	return serve(d.services, ctx, d.name+".Drop", in, &deadletterpb.Done{})
}

// verifier knows the token of ann and that of a service, or takes any token for ann's, or fails.
type verifier struct {
	takesAny bool
	err      error
}

func (v *verifier) Verify(_ context.Context, token string) (auth.Identity, error) {
	switch {
	case v.err != nil:
		return auth.Identity{}, v.err
	case token == goodToken, v.takesAny:
		return auth.Identity{UserID: "ann", Roles: []string{auth.RoleShipper}}, nil
	case token == "service.token":
		return auth.Identity{Service: "consignment"}, nil
	}
	return auth.Identity{}, fault.New(fault.Unauthenticated, "the token is not valid")
}

// bench is a gateway with stand-ins behind it.
type bench struct {
	*services
	gateway  *api.Gateway
	verifier *verifier
	missing  []string
	log      *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newBench(t testing.TB, cfg api.Config) *bench {
	t.Helper()
	tracer, err := trace.New(trace.Config{Service: "api"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Close() })
	b := &bench{services: &services{answers: map[string]proto.Message{}}, verifier: &verifier{}, log: &buffer{}}
	b.gateway = api.New(cfg, api.Deps{
		Users:        users{services: b.services},
		Vessels:      vessels{services: b.services},
		Consignments: consignments{services: b.services},
		Logs:         logs{services: b.services},
		DeadLetters: map[string]api.DeadLetterService{
			"log":         deadLetters{"letters of log", b.services},
			"consignment": deadLetters{"letters of consignment", b.services},
		},
		Verifier: b.verifier,
		Tracer:   tracer,
		Log:      slog.New(trace.LogHandler(slog.NewJSONHandler(b.log, nil))),
		Ready:    func() []string { return b.missing },
	})
	return b
}

// header are headers to set; an empty value takes a default one away.
type header map[string]string

// do sends a request, signed in as ann and with a JSON media type where there is a body, unless the header says otherwise.
func (b *bench) do(method, path, body string, headers ...header) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, reader)
	req.Header.Set("Authorization", "Bearer "+goodToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		for key, value := range h {
			if value == "" {
				req.Header.Del(key)
				continue
			}
			req.Header.Set(key, value)
		}
	}
	return b.send(req)
}

func (b *bench) send(req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.gateway.ServeHTTP(w, req)
	return w
}

// problem is an error as a client reads it.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	TraceID                   string `json:"trace_id"`
	Errors                    []struct{ Field, Rule, Message string }
	Missing                   []string
}

// readProblem checks what every error answer has and returns it.
func readProblem(t *testing.T, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q, want application/problem+json", got)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the body is not JSON: %v: %s", err, w.Body)
	}
	if p.Status != w.Code || p.Type == "" || p.Title == "" || p.Detail == "" || !fault.Code(p.Code).Known() {
		t.Errorf("status %d with problem %+v", w.Code, p)
	}
	if id := w.Header().Get("X-Trace-Id"); len(id) != 32 || p.TraceID != id {
		t.Errorf("trace_id %q, X-Trace-Id %q", p.TraceID, id)
	}
	return p
}
