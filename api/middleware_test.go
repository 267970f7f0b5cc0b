package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/api"
	"github.com/fairwayfreight/fairway/common/fault"
)

func TestTokens(t *testing.T) {
	for name, test := range map[string]struct {
		headers   []string
		status    int
		malformed bool // must not even reach the verifier
	}{
		"good":                {[]string{"Bearer " + goodToken}, 200, false},
		"scheme in any case":  {[]string{"bEARER " + goodToken}, 200, false},
		"unknown":             {[]string{"Bearer other"}, 401, false},
		"a service's":         {[]string{"Bearer service.token"}, 401, false},
		"none":                {nil, 401, true},
		"empty":               {[]string{""}, 401, true},
		"scheme alone":        {[]string{"Bearer"}, 401, true},
		"no token":            {[]string{"Bearer "}, 401, true},
		"no scheme":           {[]string{goodToken}, 401, true},
		"another scheme":      {[]string{"Basic " + goodToken}, 401, true},
		"no space":            {[]string{"Bearer:" + goodToken}, 401, true},
		"tab":                 {[]string{"Bearer\t" + goodToken}, 401, true},
		"two tokens":          {[]string{"Bearer " + goodToken + " x"}, 401, true},
		"two in one":          {[]string{"Bearer " + goodToken + ",Bearer x"}, 401, true},
		"two headers":         {[]string{"Bearer " + goodToken, "Bearer " + goodToken}, 401, true},
		"forbidden character": {[]string{"Bearer good.tøken"}, 401, true},
		"line break":          {[]string{"Bearer good\r\nX-Actor-Id: eve"}, 401, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, noConfig)
			b.verifier.takesAny = test.malformed
			req := httptest.NewRequest("GET", "/api/v1/consignments", nil)
			req.Header["Authorization"] = test.headers
			w := b.send(req)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d", w.Code, test.status)
			}
			if test.status == 200 {
				return
			}
			p := readProblem(t, w)
			if p.Code != "unauthenticated" || w.Header().Get("WWW-Authenticate") != "Bearer" || len(b.seen()) > 0 {
				t.Errorf("%+v, WWW-Authenticate %q, calls %v", p, w.Header().Get("WWW-Authenticate"), b.seen())
			}
		})
	}
}

func TestSignedInRoutesAndOpenOnes(t *testing.T) {
	for _, call := range []string{
		"GET /api/v1/users/me", "GET /api/v1/users/u1", "GET /api/v1/users", "POST /api/v1/vessels", "GET /api/v1/vessels",
		"GET /api/v1/vessels/s1", "POST /api/v1/vessels/s1/voyages", "GET /api/v1/voyages", "GET /api/v1/voyages/v1",
		"POST /api/v1/consignments", "GET /api/v1/consignments", "GET /api/v1/consignments/c1",
		"POST /api/v1/consignments/c1/cancel", "GET /api/v1/logs", "GET /api/v1/dead-letters?service=log",
		"GET /api/v1/dead-letters/log/e1", "POST /api/v1/dead-letters/log/e1/redrive", "DELETE /api/v1/dead-letters/log/e1",
	} {
		b := newBench(t, noConfig)
		method, path, _ := strings.Cut(call, " ")
		if w := b.do(method, path, "", header{"Authorization": ""}); w.Code != 401 || len(b.seen()) > 0 {
			t.Errorf("%s without a token: %d", call, w.Code)
		}
	}
	for _, call := range []string{"POST /api/v1/users", "POST /api/v1/sessions", "POST /api/v1/user/sign", "POST /api/v1/user/login"} {
		b := newBench(t, noConfig)
		method, path, _ := strings.Cut(call, " ")
		body := `{"name":"Ann","email":"ann@example.com","password":"test123"}`
		if strings.HasSuffix(path, "sessions") {
			body = login
		}
		// A token that is not good does not matter where none is needed, and is not handed on.
		w := b.do(method, path, body, header{"Authorization": "Bearer stale"})
		if w.Code >= 300 || len(b.seen()) != 1 || b.seen()[0].token != "" {
			t.Errorf("%s: %d %s, calls %+v", call, w.Code, w.Body, b.seen())
		}
	}
}

func TestTokenAndDeadlineAreHandedOn(t *testing.T) {
	b := newBench(t, api.Config{MaxBody: 1 << 20, RequestTimeout: 5 * time.Second})
	b.do("GET", "/api/v1/consignments", "")
	calls := b.seen()
	if len(calls) != 1 || calls[0].token != "Bearer "+goodToken {
		t.Fatalf("calls %+v", calls)
	}
	if d := calls[0].deadline; d <= 0 || d > 5*time.Second {
		t.Errorf("deadline in %v, want at most 5s", d)
	}
}

func TestVerifierAway(t *testing.T) {
	b := newBench(t, noConfig)
	b.verifier.err = fault.New(fault.Unavailable, "no keys yet").WithRetryAfter(1500 * time.Millisecond)
	w := b.do("GET", "/api/v1/users/me", "")
	if p := readProblem(t, w); p.Status != 503 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
	}
}

func TestFaultsOfServices(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
		retry  string
		detail string
	}{
		{fault.New(fault.NoCapacity, "no sailing has room"), 409, "no_capacity", "", "no sailing has room"},
		{fault.New(fault.NotFound, "no such consignment"), 404, "not_found", "", ""},
		{fault.New(fault.PermissionDenied, "needs the role shipper"), 403, "permission_denied", "", ""},
		{fault.New(fault.WrongState, "the voyage departed"), 409, "wrong_state", "", ""},
		{fault.New(fault.EmailTaken, "taken"), 409, "email_taken", "", ""},
		{fault.New(fault.TooManyRequests, "slow down").WithRetryAfter(90 * time.Second), 429, "too_many_requests", "90", ""},
		{fault.New(fault.TooManyRequests, "slow down").WithRetryAfter(time.Millisecond), 429, "too_many_requests", "1", ""},
		{fault.New(fault.TooManyRequests, "slow down"), 429, "too_many_requests", "1", ""},
		{fault.New(fault.Unavailable, "the breaker is open").WithRetryAfter(2001 * time.Millisecond), 503, "unavailable", "3", ""},
		{fault.New(fault.Overloaded, "busy"), 503, "overloaded", "1", ""},
		{fault.New(fault.DeadlineExceeded, "late"), 504, "deadline_exceeded", "", ""},
		{context.DeadlineExceeded, 504, "deadline_exceeded", "", ""},
		{fault.New(fault.Unauthenticated, "the token has expired"), 401, "unauthenticated", "", ""},
		{fault.New(fault.Unimplemented, "no"), 501, "unimplemented", "", ""},
		{errors.New("dial 10.0.0.7: secret"), 500, "internal", "", "something went wrong on our side"},
		{fault.Wrap(fault.Internal, errors.New("secret"), "something went wrong"), 500, "internal", "", "something went wrong"},
	} {
		b := newBench(t, noConfig)
		b.err = test.err
		w := b.do("POST", "/api/v1/consignments", `{"weight":1,"containers":[{}]}`)
		p := readProblem(t, w)
		if p.Status != test.status || p.Code != test.code || w.Header().Get("Retry-After") != test.retry {
			t.Errorf("%v: %+v, Retry-After %q", test.err, p, w.Header().Get("Retry-After"))
		}
		if test.detail != "" && p.Detail != test.detail {
			t.Errorf("%v: detail %q, want %q", test.err, p.Detail, test.detail)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("the cause reached the client: %s", w.Body)
		}
		if causeLogged := strings.Contains(b.log.String(), test.err.Error()); causeLogged != (test.status >= 500) {
			t.Errorf("status %d: cause in the log = %v: %s", test.status, causeLogged, b.log)
		}
	}
}

func TestFieldsThatAServiceFindsFaultWith(t *testing.T) {
	b := newBench(t, noConfig)
	b.err = fault.InvalidFields([]fault.Field{{Name: "containers[0].number", Rule: "unique", Message: "is on another ship"}})
	p := readProblem(t, b.do("POST", "/api/v1/consignments", `{"weight":1,"containers":[{}]}`))
	if p.Status != 400 || len(p.Errors) != 1 || p.Errors[0].Field != "containers[0].number" || p.Errors[0].Rule != "unique" {
		t.Errorf("%+v", p)
	}
}

func TestOutOfTime(t *testing.T) {
	b := newBench(t, api.Config{MaxBody: 1 << 20, RequestTimeout: 20 * time.Millisecond})
	b.before = func(ctx context.Context) { <-ctx.Done() }
	if p := readProblem(t, b.do("GET", "/api/v1/vessels", "")); p.Status != 504 {
		t.Errorf("%+v", p)
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	b := newBench(t, noConfig)
	b.before = func(context.Context) { panic("secret of the heap") }
	w := b.do("GET", "/api/v1/vessels", "")
	p := readProblem(t, w)
	if p.Status != 500 || p.Code != "internal" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%+v", p)
	}
	log := b.log.String()
	for _, want := range []string{"secret of the heap", "middleware_test.go", p.TraceID, `"status":500`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
}

func TestAbortIsNoDefect(t *testing.T) {
	b := newBench(t, noConfig)
	b.before = func(context.Context) { panic(http.ErrAbortHandler) }
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
		if b.log.String() != "" {
			t.Errorf("logged %s", b.log)
		}
	}()
	b.do("GET", "/api/v1/vessels", "")
}

func TestTraceOfTheClientIsContinued(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	b := newBench(t, noConfig)
	w := b.do("GET", "/api/v1/vessels", "", header{"traceparent": "00-" + id + "-b7ad6b7169203331-01"})
	if got := w.Header().Get("X-Trace-Id"); got != id || b.seen()[0].traceID != id {
		t.Errorf("X-Trace-Id %q, sent on %q, want %q", got, b.seen()[0].traceID, id)
	}
	if !strings.Contains(b.log.String(), `"trace_id":"`+id+`"`) {
		t.Errorf("the log lacks the trace id: %s", b.log)
	}
	first := b.do("GET", "/nowhere", "", header{"traceparent": "00-zz-zz-00"}).Header().Get("X-Trace-Id")
	second := b.do("GET", "/healthz", "").Header().Get("X-Trace-Id")
	if len(first) != 32 || len(second) != 32 || first == second {
		t.Errorf("new traces %q and %q", first, second)
	}
}

func TestSecurityHeaders(t *testing.T) {
	b := newBench(t, noConfig)
	for _, path := range []string{"/api/v1/vessels", "/nowhere", "/healthz"} {
		h := b.do("GET", path, "", header{"Origin": "https://evil.example"}).Header()
		for key, want := range map[string]string{
			"X-Content-Type-Options":      "nosniff",
			"Cache-Control":               "no-store",
			"Content-Security-Policy":     "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy":             "no-referrer",
			"Access-Control-Allow-Origin": "",
		} {
			if got := h.Get(key); got != want {
				t.Errorf("%s: %s %q, want %q", path, key, got, want)
			}
		}
	}
}

func TestAccessLogHasOneLinePerRequestAndNoSecrets(t *testing.T) {
	b := newBench(t, noConfig)
	b.do("GET", "/api/v1/consignments?voyage_id=hidden-id", "", header{"X-Forwarded-For": "10.9.8.7"})
	b.do("POST", "/api/v1/sessions", `{"email":"hidden@example.com","password":"hidden"}`)
	b.do("GET", "/api/v1/users/hidden-user", "")
	b.do("GET", "/hidden/path", "")
	b.do("GET", "/readyz", "")

	type line struct {
		Msg, Method, Route, Caller string
		Status                     int
		Milliseconds               float64 `json:"duration_ms"`
		TraceID                    string  `json:"trace_id"`
	}
	var lines []line
	scanner := bufio.NewScanner(strings.NewReader(b.log.String()))
	for scanner.Scan() {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	want := []line{
		{Msg: "request", Method: "GET", Route: "/api/v1/consignments", Caller: "ann", Status: 200},
		{Msg: "request", Method: "POST", Route: "/api/v1/sessions", Status: 200},
		{Msg: "request", Method: "GET", Route: "/api/v1/users/:id", Caller: "ann", Status: 200},
		{Msg: "request", Method: "GET", Route: "unmatched", Status: 404},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %s", len(lines), len(want), b.log)
	}
	for i, l := range lines {
		if l.Milliseconds <= 0 || l.Milliseconds > 60_000 || len(l.TraceID) != 32 {
			t.Errorf("line %d: %+v", i, l)
		}
		l.Milliseconds, l.TraceID = 0, ""
		if l != want[i] {
			t.Errorf("line %d: %+v, want %+v", i, l, want[i])
		}
	}
	for _, secret := range []string{"hidden", goodToken, "10.9.8.7"} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, b.log)
		}
	}
}

func TestIDsThatCannotBe(t *testing.T) {
	for _, call := range []string{
		"GET /api/v1/users/" + strings.Repeat("a", 129), "GET /api/v1/vessels/a%20b", "GET /api/v1/voyages/%00", "GET /api/v1/consignments/%FF",
		"POST /api/v1/vessels/%3Cscript%3E/voyages", "POST /api/v1/consignments/a;b/cancel", "GET /api/v1/users/" + strings.Repeat("a", 20_000),
	} {
		b := newBench(t, noConfig)
		method, path, _ := strings.Cut(call, " ")
		if p := readProblem(t, b.do(method, path, "")); p.Status != 404 || len(b.seen()) > 0 {
			t.Errorf("%.60s: %+v, calls %v", call, p, b.seen())
		}
	}
}
