package api_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	deadletterpb "github.com/fairwayfreight/fairway/interface-center/out/deadletter"
)

func TestDeadLettersAreThoseOfTheServiceThatIsNamed(t *testing.T) {
	letter := func(payload string) *deadletterpb.Letter {
		return &deadletterpb.Letter{Id: "e1", Source: "fairway.vessel", Type: "voyage.opened", EntityId: "v1", Reason: "no such <voyage>",
			Attempts: 5, FailedAt: on(1, 2), Payload: []byte(payload)}
	}
	view := func(service, payload string) string {
		return `{"service":"` + service + `","id":"e1","source":"fairway.vessel","type":"voyage.opened","entity_id":"v1",
			"reason":"no such <voyage>","attempts":5,"failed_at":"2030-01-02T12:00:00Z"` + payload + `}`
	}
	ref := &deadletterpb.Ref{Id: "e1"}
	for _, test := range []struct {
		call   string
		calls  string
		with   proto.Message
		gives  proto.Message
		status int
		answer string
	}{
		{"GET /dead-letters?service=log", "letters of log.List", &deadletterpb.ListRequest{}, &deadletterpb.ListResponse{}, 200, `{"dead_letters":[]}`},
		{"GET /dead-letters?service=consignment&limit=2&cursor=abc", "letters of consignment.List", &deadletterpb.ListRequest{Limit: 2, Cursor: "abc"},
			&deadletterpb.ListResponse{Letters: []*deadletterpb.Letter{letter(""), {Id: "e2"}}, NextCursor: "def"}, 200,
			`{"dead_letters":[` + view("consignment", "") + `,{"service":"consignment","id":"e2","source":"","reason":"","attempts":0}],"next_cursor":"def"}`},
		{"GET /dead-letters/log/e1", "letters of log.Get", ref, letter(`{"id": "\u0000` + "\u2028" + `"}`), 200,
			`{"dead_letter":` + view("log", `,"payload":"{\"id\": \"\\u0000\u2028\"}"`) + `}`},
		{"GET /dead-letters/consignment/e1", "letters of consignment.Get", ref, letter("\xff\x00"), 200,
			`{"dead_letter":` + view("consignment", `,"payload_base64":"/wA="`) + `}`},
		{"GET /dead-letters/log/e1", "letters of log.Get", ref, letter(""), 200, `{"dead_letter":` + view("log", `,"payload":""`) + `}`},
		{"POST /dead-letters/log/e1/redrive", "letters of log.Redrive", ref, &deadletterpb.Done{}, 204, ""},
		{"POST /dead-letters/consignment/e1/redrive", "letters of consignment.Redrive", ref, &deadletterpb.Done{}, 204, ""},
		{"DELETE /dead-letters/log/e1", "letters of log.Drop", ref, &deadletterpb.Done{}, 204, ""},
	} {
		t.Run(test.call, func(t *testing.T) {
			b := newBench(t, noConfig)
			b.answers[test.calls] = test.gives
			method, path, _ := strings.Cut(test.call, " ")
			w := b.do(method, "/api/v1"+path, "")
			if w.Code != test.status {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if test.answer != "" {
				expectJSON(t, w.Body.String(), test.answer)
			} else if w.Body.Len() > 0 || w.Header().Get("Content-Type") != "" {
				t.Errorf("%s answer %q", w.Header().Get("Content-Type"), w.Body)
			}
			if calls := b.seen(); len(calls) != 1 || calls[0].method != test.calls || !proto.Equal(calls[0].in, test.with) {
				t.Errorf("calls %+v, want %s with %v", calls, test.calls, test.with)
			}
		})
	}
}

func TestRequestsForDeadLettersAreChecked(t *testing.T) {
	for _, test := range []struct {
		call, body  string
		status      int
		field, rule string
	}{
		{"GET /dead-letters", "", 400, "service", "required"},
		{"GET /dead-letters?service=", "", 400, "service", "choice"},
		{"GET /dead-letters?service=vessel", "", 400, "service", "choice"},
		{"GET /dead-letters?service=log&limit=0", "", 400, "limit", "range"},
		{"GET /dead-letters?service=log&cursor=%00", "", 400, "cursor", "format"},
		{"GET /dead-letters/vessel/e1", "", 404, "", ""},
		{"GET /dead-letters/log/e%201", "", 404, "", ""},
		{"POST /dead-letters/LOG/e1/redrive", "", 404, "", ""},
		{"POST /dead-letters/log/e1/redrive", `{"force":true}`, 400, "force", "unknown"},
		{"POST /dead-letters/log/e1", "", 405, "", ""},
		{"DELETE /dead-letters/user/e1", "", 404, "", ""},
		{"DELETE /dead-letters/log", "", 404, "", ""},
		{"DELETE /dead-letters", "", 405, "", ""},
	} {
		b := newBench(t, noConfig)
		method, path, _ := strings.Cut(test.call, " ")
		p := readProblem(t, b.do(method, "/api/v1"+path, test.body))
		if p.Status != test.status || len(p.Errors) > 1 || test.field != "" && (p.Errors[0].Field != test.field || p.Errors[0].Rule != test.rule) {
			t.Errorf("%s: %+v", test.call, p)
		}
		if calls := b.seen(); len(calls) > 0 {
			t.Errorf("%s: a service was asked: %+v", test.call, calls)
		}
	}
}

func TestWhatAServiceRefusesAboutItsDeadLettersIsToldOn(t *testing.T) {
	for code, status := range map[fault.Code]int{
		fault.PermissionDenied: http.StatusForbidden, fault.NotFound: http.StatusNotFound, fault.WrongState: http.StatusConflict,
	} {
		for _, call := range []string{
			"GET /dead-letters?service=log", "GET /dead-letters/log/e1", "POST /dead-letters/log/e1/redrive", "DELETE /dead-letters/log/e1",
		} {
			b := newBench(t, noConfig)
			b.err = fault.New(code, "it says why")
			method, path, _ := strings.Cut(call, " ")
			if p := readProblem(t, b.do(method, "/api/v1"+path, "")); p.Status != status || p.Detail != "it says why" {
				t.Errorf("%s: %+v", call, p)
			}
		}
	}
}
