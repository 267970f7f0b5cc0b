package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testToken    = "header.payload.signature"
	testPassword = "correct horse"
	testTrace    = "4bf92f3577b34da6a3ce929d0e0e4736"
)

// gateway plays the HTTP contract as far as clients can tell: strict bodies, tokens, problem documents, pages newest first.
type gateway struct {
	*httptest.Server

	mu       sync.Mutex
	requests []request
	items    map[string][]map[string]any
}

// request is what a client sent.
type request struct {
	method, path, query, auth, contentType, body string
}

// schema names the fields that a body may have.
var schema = map[string][]string{
	"/users":        {"name", "company", "email", "password", "roles"},
	"/sessions":     {"email", "password"},
	"/vessels":      {"name", "capacity", "max_weight", "imo", "open_sailing"},
	"/voyages":      {"number", "calls", "capacity", "max_weight", "cut_off"},
	"/consignments": {"description", "weight", "containers", "from", "to", "not_before", "voyage_id"},
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{items: make(map[string][]map[string]any)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/users", func(w http.ResponseWriter, r *http.Request) {
		if body, ok := g.body(w, r, "/users"); ok {
			delete(body, "password")
			body["id"], body["roles"] = "u1", []string{"shipper", "carrier"}
			answer(w, http.StatusCreated, map[string]any{"user": body})
		}
	})
	mux.HandleFunc("POST /api/v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		body, ok := g.body(w, r, "/sessions")
		switch {
		case !ok:
		case body["password"] != testPassword:
			problem(w, http.StatusUnauthorized, "bad_credentials", "Wrong e-mail or password", "check both")
		default:
			answer(w, http.StatusOK, map[string]any{"token": testToken, "expires_at": time.Now().Add(time.Hour).UTC(), "user": map[string]any{"id": "u1"}})
		}
	})
	mux.HandleFunc("GET /api/v1/users/me", g.auth(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"user": map[string]any{"id": "u1", "name": "Ada", "email": "ada@example.com", "roles": []string{"shipper"}}})
	}))
	mux.HandleFunc("POST /api/v1/vessels", g.auth(g.create("vessels", "vessel")))
	mux.HandleFunc("POST /api/v1/vessels/{id}/voyages", g.auth(g.create("voyages", "voyage")))
	mux.HandleFunc("POST /api/v1/consignments", g.auth(g.create("consignments", "consignment")))
	mux.HandleFunc("POST /api/v1/consignments/{id}/cancel", g.auth(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"consignment": map[string]any{"id": r.PathValue("id"), "state": "CANCELLED"}})
	}))
	for step, state := range map[string]string{"close": "CLOSED", "depart": "DEPARTED", "complete": "COMPLETED"} {
		mux.HandleFunc("POST /api/v1/voyages/{id}/"+step, g.auth(func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, map[string]any{"voyage": map[string]any{"id": r.PathValue("id"), "state": state, "cut_off": "2030-03-01T00:00:00Z"}})
		}))
	}
	for list, one := range map[string]string{"vessels": "vessel", "voyages": "voyage", "consignments": "consignment", "logs": "entry"} {
		mux.HandleFunc("GET /api/v1/"+list, g.auth(g.list(list)))
		mux.HandleFunc("GET /api/v1/"+list+"/{id}", g.auth(g.find(list, one)))
	}
	g.Server = httptest.NewServer(g.record(mux))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		g.mu.Lock()
		g.requests = append(g.requests, request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"),
			r.Header.Get("Content-Type"), string(body)})
		g.mu.Unlock()
		w.Header().Set("X-Trace-Id", testTrace)
		next.ServeHTTP(w, r)
	})
}

// seen takes the requests so far.
func (g *gateway) seen() []request {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := g.requests
	g.requests = nil
	return seen
}

// add puts n items into a list, the first one oldest.
func (g *gateway) add(list string, n int, make func(i int) map[string]any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range n {
		g.items[list] = append(g.items[list], make(i))
	}
}

func (g *gateway) auth(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+testToken {
			problem(w, http.StatusUnauthorized, "unauthenticated", "Not signed in", "the token is not good")
			return
		}
		next(w, r)
	}
}

func (g *gateway) body(w http.ResponseWriter, r *http.Request, name string) (map[string]any, bool) {
	var body map[string]any
	if r.Header.Get("Content-Type") != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "Unsupported media type", "send JSON")
		return nil, false
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		problem(w, http.StatusBadRequest, "invalid", "Invalid request", err.Error())
		return nil, false
	}
	var wrong []map[string]string
	for field := range body {
		if !strings.Contains(","+strings.Join(schema[name], ",")+",", ","+field+",") {
			wrong = append(wrong, map[string]string{"field": field, "rule": "unknown", "message": "is not a field"})
		}
	}
	if weight, ok := body["weight"].(float64); ok && weight <= 0 {
		wrong = append(wrong, map[string]string{"field": "weight", "rule": "range", "message": "must be at least 1 kg"})
	}
	if body["description"] == "" {
		wrong = append(wrong, map[string]string{"field": "description", "rule": "required"})
	}
	if len(wrong) > 0 {
		problem(w, http.StatusBadRequest, "invalid", "Invalid request", "the request is not valid", wrong...)
		return nil, false
	}
	return body, true
}

func (g *gateway) create(list, one string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := g.body(w, r, "/"+list)
		if !ok {
			return
		}
		if containers, ok := body["containers"].([]any); ok && len(containers) > 100 {
			problem(w, http.StatusConflict, "no_capacity", "No capacity", "no sailing has room for 101 TEU")
			return
		}
		if body["name"] == "Flying Dutchman" {
			problem(w, http.StatusForbidden, "permission_denied", "Not allowed", "only carriers offer vessels")
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		body["id"] = fmt.Sprintf("%s%d", one, len(g.items[list])+1)
		if list == "consignments" {
			body["state"], body["vessel_id"], body["voyage_id"] = "CONFIRMED", "vessel1", "voyage1"
		}
		g.items[list] = append(g.items[list], body)
		answer(w, http.StatusCreated, map[string]any{"created": true, one: body})
	}
}

func (g *gateway) find(list, one string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, item := range g.items[list] {
			if item["id"] == r.PathValue("id") {
				answer(w, http.StatusOK, map[string]any{one: item})
				return
			}
		}
		problem(w, http.StatusNotFound, "not_found", "Not found", "there is no such "+one)
	}
}

func (g *gateway) list(list string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		limit := 50
		if l := r.URL.Query().Get("limit"); l != "" {
			limit, _ = strconv.Atoi(l)
		}
		if limit < 1 || limit > 200 {
			problem(w, http.StatusBadRequest, "invalid", "Invalid request", "limit is 1 to 200")
			return
		}
		at := len(g.items[list]) - 1
		if c := r.URL.Query().Get("cursor"); c != "" {
			at, _ = strconv.Atoi(c)
			at = min(at, len(g.items[list])-1)
		}
		page := []map[string]any{}
		for ; at >= 0 && len(page) < limit; at-- {
			page = append(page, g.items[list][at])
		}
		key := list
		if list == "logs" {
			key = "entries"
		}
		result := map[string]any{key: page}
		if at >= 0 {
			result["next_cursor"] = strconv.Itoa(at)
		}
		answer(w, http.StatusOK, result)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, code, title, detail string, fields ...map[string]string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": title, "status": status, "detail": detail,
		"code": code, "trace_id": testTrace, "errors": fields})
}
