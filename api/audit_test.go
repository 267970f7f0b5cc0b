package api_test

import (
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

func TestTheLogsChainsComeThroughByteForByte(t *testing.T) {
	for _, test := range []struct {
		path, calls string
		with        proto.Message
		from        proto.Message
		answer      string
	}{
		{"/log-chains?chain=15&after=4294967296&limit=1000", "logs.Chain", &logpb.ChainRequest{Chain: 15, After: 1 << 32, Limit: 1000},
			&logpb.ChainResponse{Links: []*logpb.Link{{Position: 1<<32 + 1, Hash: []byte{0xab, 1}, Content: []byte(`{ "a" : "\u003c<"} `)}}},
			`{"chain":15,"links":[{"position":4294967297,"hash":"ab01","content":"{ \"a\" : \"\\u003c<\"} "}]}`},
		{"/log-chains?chain=0", "logs.Chain", &logpb.ChainRequest{}, &logpb.ChainResponse{}, `{"chain":0,"links":[]}`},
		{"/log-heads?limit=3&cursor=abc", "logs.Heads", &logpb.HeadsRequest{Limit: 3, Cursor: "abc"},
			&logpb.HeadsResponse{NextCursor: "n", Keys: map[string][]byte{"k1": {1, 2}}, Heads: []*logpb.Heads{{Content: []byte(`{"time":1}`), KeyId: "k1", Signature: []byte{0xff}}}},
			`{"heads":[{"content":"{\"time\":1}","key_id":"k1","signature":"/w=="}],"next_cursor":"n","keys":{"k1":"AQI="}}`},
	} {
		b := newBench(t, noConfig)
		b.answers[test.calls] = test.from
		w := b.do("GET", "/api/v1"+test.path, "")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", test.path, w.Code, w.Body)
		}
		expectJSON(t, w.Body.String(), test.answer)
		if calls := b.seen(); len(calls) != 1 || calls[0].method != test.calls || !proto.Equal(calls[0].in, test.with) {
			t.Errorf("%s: calls %+v, want %v", test.path, calls, test.with)
		}
	}
}

func TestRequestsForTheLogsChainsAreChecked(t *testing.T) {
	for _, test := range []struct{ path, field, rule string }{
		{"/log-chains", "chain", "required"},
		{"/log-chains?chain=", "chain", "type"},
		{"/log-chains?chain=16", "chain", "range"},
		{"/log-chains?chain=-1", "chain", "type"},
		{"/log-chains?chain=1&after=x", "after", "type"},
		{"/log-chains?chain=1&after=-1", "after", "type"},
		{"/log-chains?chain=1&after=99999999999999999999", "after", "type"},
		{"/log-chains?chain=1&limit=1001", "limit", "range"},
		{"/log-chains?chain=1&cursor=x", "cursor", "unknown"},
		{"/log-heads?limit=0", "limit", "range"},
		{"/log-heads?after=1", "after", "unknown"},
	} {
		b := newBench(t, noConfig)
		w := b.do("GET", "/api/v1"+test.path, "")
		p := readProblem(t, w)
		if w.Code != http.StatusBadRequest || len(p.Errors) != 1 || p.Errors[0].Field != test.field || p.Errors[0].Rule != test.rule {
			t.Errorf("%s: %d, %+v", test.path, w.Code, p.Errors)
		}
		if calls := b.seen(); len(calls) > 0 {
			t.Errorf("%s: the service was asked: %v", test.path, calls)
		}
	}
}

func TestTheLogsChainsAreForThoseWhomTheServiceLets(t *testing.T) {
	b := newBench(t, noConfig)
	b.err = fault.New(fault.PermissionDenied, "this needs the role admin")
	for _, path := range []string{"/log-chains?chain=1", "/log-heads"} {
		if w := b.do("GET", "/api/v1"+path, ""); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := b.do("GET", "/api/v1"+path, "", header{"Authorization": ""}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, w.Code)
		}
	}
}
