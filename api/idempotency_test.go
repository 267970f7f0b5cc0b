package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/metadata"

	"github.com/fairwayfreight/fairway/common/fault"
)

// keyHeader is the header's name.
const keyHeader = "Idempotency-Key"

// posts are the POST routes with a body that they take, and whether a key goes on from there.
var posts = []struct {
	path, body string
	keyed      bool
}{
	{"/users", `{"name":"Ann","email":"ann@example.com","password":"correct horse"}`, true},
	{"/user/sign", `{"name":"Ann","email":"ann@example.com","password":"correct horse"}`, true},
	{"/sessions", `{"email":"ann@example.com","password":"correct horse"}`, false},
	{"/user/login", `{"email":"ann@example.com","password":"correct horse"}`, false},
	{"/vessels", `{"name":"Tern","capacity":1,"max_weight":1}`, true},
	{"/vessels/v/voyages", `{"number":"1","calls":[{"port":"CNSHA","departure":"2030-03-01T00:00:00Z"},{"port":"NLRTM","arrival":"2030-04-01T00:00:00Z"}]}`, true},
	{"/voyages/v/close", ``, true},
	{"/voyages/v/depart", ``, true},
	{"/voyages/v/complete", ``, true},
	{"/consignments", `{"description":"Tea","weight":1,"containers":[{}]}`, true},
	{"/consignments/c/cancel", ``, true},
}

// keys notes the key of every call.
func (b *bench) keys() *[]string {
	var keys []string
	b.before = func(ctx context.Context) {
		key, _ := metadata.Get(ctx, keyHeader)
		keys = append(keys, key)
	}
	return &keys
}

func TestAnIdempotencyKeyGoesOnToTheService(t *testing.T) {
	for _, tt := range posts {
		t.Run(tt.path, func(t *testing.T) {
			b := newBench(t, noConfig)
			keys := b.keys()
			for _, key := range []string{"", "order-17/~!"} {
				*keys = nil
				w := b.do(http.MethodPost, "/api/v1"+tt.path, tt.body, header{keyHeader: key})
				want := key
				if !tt.keyed {
					want = ""
				}
				if w.Code >= 300 || len(*keys) != 1 || (*keys)[0] != want || w.Header().Get("Idempotent-Replayed") != "" {
					t.Errorf("key %q: %d, the service got %q", key, w.Code, *keys)
				}
			}
		})
	}
}

func TestABadIdempotencyKeyIsRefusedWhereItCounts(t *testing.T) {
	for _, key := range []string{"a b", "cl\xc3\xa9", strings.Repeat("k", 129), "a\x7f"} {
		for _, tt := range posts {
			b := newBench(t, noConfig)
			w := b.do(http.MethodPost, "/api/v1"+tt.path, tt.body, header{keyHeader: key})
			if !tt.keyed {
				if w.Code >= 300 {
					t.Errorf("%s, where it is ignored: %d", tt.path, w.Code)
				}
				continue
			}
			p := readProblem(t, w)
			if w.Code != http.StatusBadRequest || p.Code != string(fault.Invalid) || len(p.Errors) != 1 || p.Errors[0].Field != keyHeader || len(b.seen()) != 0 {
				t.Errorf("%s, %q: %+v, %d calls", tt.path, key, p, len(b.seen()))
			}
		}
	}
}

func TestABadKeyIsNamedTogetherWithWhatElseIsWrong(t *testing.T) {
	p := readProblem(t, newBench(t, noConfig).do(http.MethodPost, "/api/v1/vessels", `{"name":"Tern","capacity":0,"max_weight":1}`, header{keyHeader: "a b"}))
	if len(p.Errors) != 2 || p.Errors[0].Field != keyHeader || p.Errors[1].Field != "capacity" {
		t.Errorf("%+v", p.Errors)
	}
}

func TestIdempotencyKeyLines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  int
	}{
		{"empty", []string{""}, http.StatusBadRequest},
		{"the same twice", []string{"k", "k"}, http.StatusOK},
		{"different ones", []string{"k", "l"}, http.StatusBadRequest},
		{"one that is empty", []string{"k", ""}, http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, "/api/v1/voyages/v/close", nil)
			req.Header.Set("Authorization", "Bearer "+goodToken)
			req.Header[keyHeader] = tt.lines
			if w := newBench(t, noConfig).send(req); w.Code != tt.want {
				t.Errorf("%d: %s", w.Code, w.Body)
			}
		})
	}
}

func TestAGetIgnoresAnIdempotencyKey(t *testing.T) {
	b := newBench(t, noConfig)
	keys := b.keys()
	if w := b.do(http.MethodGet, "/api/v1/vessels/v", "", header{keyHeader: "a b"}); w.Code != http.StatusOK || (*keys)[0] != "" {
		t.Errorf("%d, %q", w.Code, *keys)
	}
}

func TestARequestInFlightSaysWhenToComeBack(t *testing.T) {
	b := newBench(t, noConfig)
	b.err = fault.New(fault.Conflict, "in flight").WithRetryAfter(1500 * time.Millisecond)
	if w := b.do(http.MethodPost, "/api/v1/voyages/v/close", "", header{keyHeader: "k"}); w.Code != http.StatusConflict || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	b.err = fault.New(fault.Conflict, "changed by somebody else")
	if w := b.do(http.MethodPost, "/api/v1/voyages/v/close", "", header{keyHeader: "k"}); w.Code != http.StatusConflict || w.Header().Get("Retry-After") != "" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}
