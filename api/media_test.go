package api_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

const login = `{"email":"ann@example.com","password":"test123"}`

func TestMediaTypes(t *testing.T) {
	for _, test := range []struct {
		kind, encoding string
		status         int
	}{
		{"application/json", "", 200},
		{"application/json; charset=utf-8", "", 200},
		{"Application/JSON", "identity", 200},
		{"", "", 415},
		{"text/plain", "", 415},
		{"application/x-www-form-urlencoded", "", 415},
		{"multipart/form-data; boundary=x", "", 415},
		{"application/problem+json", "", 415},
		{"application/json-patch+json", "", 415},
		{"application/json/x", "", 415},
		{"json", "", 415},
		{"application/json", "gzip", 415},
	} {
		b := newBench(t, noConfig)
		w := b.do("POST", "/api/v1/sessions", login, header{"Content-Type": test.kind, "Content-Encoding": test.encoding})
		if w.Code != test.status {
			t.Errorf("%q %q: %d, want %d", test.kind, test.encoding, w.Code, test.status)
		}
		if test.status == 415 {
			if p := readProblem(t, w); p.Code != "unsupported_media_type" || len(b.seen()) > 0 {
				t.Errorf("%q: %+v, calls %v", test.kind, p, b.seen())
			}
		}
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	const limit = 1 << 20
	pad := strings.Repeat(" ", limit-len(login))
	b := newBench(t, noConfig)
	if w := b.do("POST", "/api/v1/sessions", login+pad); w.Code != 200 {
		t.Errorf("a body of exactly 1 MiB: %d", w.Code)
	}
	for name, body := range map[string]io.Reader{
		"length known":   strings.NewReader(login + pad + " "),
		"length unknown": io.MultiReader(strings.NewReader(login+pad), strings.NewReader(" ")),
	} {
		b := newBench(t, noConfig)
		req := httptest.NewRequest("POST", "/api/v1/sessions", body)
		req.Header.Set("Content-Type", "application/json")
		if p := readProblem(t, b.send(req)); p.Status != 413 || p.Code != "too_large" || len(b.seen()) > 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestPostWithoutBodyNeedsNoMediaType(t *testing.T) {
	b := newBench(t, noConfig)
	b.answers["consignments.CancelConsignment"] = &consignmentpb.Response{Consignment: booked}
	if w := b.do("POST", "/api/v1/consignments/c1/cancel", ""); w.Code != 200 {
		t.Errorf("no body: %d %s", w.Code, w.Body)
	}
	// A body of unknown length that turns out empty is none.
	req := httptest.NewRequest("POST", "/api/v1/consignments/c1/cancel", io.MultiReader())
	req.Header.Set("Authorization", "Bearer "+goodToken)
	if w := b.send(req); w.Code != 200 {
		t.Errorf("empty stream: %d %s", w.Code, w.Body)
	}
	req = httptest.NewRequest("POST", "/api/v1/consignments/c1/cancel", io.MultiReader(strings.NewReader("{}")))
	req.Header.Set("Authorization", "Bearer "+goodToken)
	if w := b.send(req); w.Code != 415 {
		t.Errorf("a stream that is not empty, without media type: %d", w.Code)
	}
	if w := b.do("POST", "/api/v1/consignments/c1/cancel", "{}", header{"Content-Type": ""}); w.Code != 415 {
		t.Errorf("body without media type: %d", w.Code)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	b := newBench(t, noConfig)
	req := httptest.NewRequest("POST", "/api/v1/sessions", io.MultiReader(strings.NewReader(`{"email`), brokenReader{}))
	req.Header.Set("Content-Type", "application/json")
	p := readProblem(t, b.send(req))
	if p.Status != 400 || strings.Contains(p.Detail, "EOF") || len(b.seen()) > 0 {
		t.Errorf("%+v", p)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
