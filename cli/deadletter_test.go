package cli_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// eventID is as long as ids of events are; hashID stands for what was no event.
const (
	eventID = "0193e7d2-0000-7000-8000-000000000001"
	hashID  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// letters plays the gateway's side of dead letters. It notes what it was asked.
func letters(t *testing.T) (*person, func() []string) {
	const letter = `{"service":"consignment","id":"` + eventID + `","source":"fairway.vessel","type":"voyage.completed","entity_id":"v1",
		"reason":"no such <voyage>","attempts":5,"failed_at":"2030-01-02T12:00:00Z"`
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/dead-letters", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"dead_letters":[` + letter + `},{"service":"consignment","id":"` + hashID + `","reason":"decode an event","attempts":1}]}`))
	})
	mux.HandleFunc("GET /api/v1/dead-letters/consignment/"+eventID, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"dead_letter":` + letter + `,"payload":"{\"id\":\"\u001b[2J\"}"}}`))
	})
	mux.HandleFunc("POST /api/v1/dead-letters/consignment/"+eventID+"/redrive", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /api/v1/dead-letters/log/"+eventID+"/redrive", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusConflict, "wrong_state", "Wrong state", "the event failed again: no such voyage")
	})
	mux.HandleFunc("DELETE /api/v1/dead-letters/consignment/"+eventID, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "not_found", "Not found", "there is no such dead letter")
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + strings.TrimPrefix(r.URL.String(), "/api/v1/dead-letters")
		if r.ContentLength != 0 {
			call += " with a body"
		}
		asked = append(asked, call)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN="+testToken), func() []string { return asked }
}

func TestDeadLetters(t *testing.T) {
	const record = "LETTER     consignment/" + eventID + "\nTYPE       voyage.completed\nENTITY     v1\nATTEMPTS   5\nFAILED AT  2030-01-02T12:00:00.000Z\n" +
		"REASON     no such <voyage>\nTOPIC      fairway.vessel\nPAYLOAD    {\"id\":\"\\x1b[2J\"}\n"
	list := "LETTER" + strings.Repeat(" ", 72) + "TYPE              ENTITY  ATTEMPTS  FAILED AT                 REASON\n" +
		"consignment/" + eventID + strings.Repeat(" ", 30) + "voyage.completed  v1      5         2030-01-02T12:00:00.000Z  no such <voyage>\n" +
		"consignment/" + hashID + "  -                 -       1         -                         decode an event\n"
	const one = "/consignment/" + eventID
	for _, test := range []struct {
		args  string
		asked []string
		code  int
		out   string
		err   string
	}{
		{"list", []string{"GET ?limit=50&service=log"}, 0, list, ""},
		{"list --service consignment --limit 7", []string{"GET ?limit=7&service=consignment"}, 0, list, ""},
		{"show consignment/" + eventID, []string{"GET " + one}, 0, record, ""},
		{"show log/x%2F", []string{"GET /log/x%252F"}, 4, "", "there is no such dead letter"},
		{"redrive consignment/" + eventID, []string{"POST " + one + "/redrive"}, 0, "consignment/" + eventID + " is handled, and no dead letter any more.\n", ""},
		{"redrive consignment/" + eventID + " -o json", []string{"POST " + one + "/redrive"}, 0, "", ""},
		{"redrive log/" + eventID, []string{"POST /log/" + eventID + "/redrive"}, 5, "", "the event failed again: no such voyage"},
		{"drop consignment/" + eventID, []string{"GET " + one, "DELETE " + one}, 0, "Dropped consignment/" + eventID + " for good:\n\n" + record, ""},
		{"drop log/x", []string{"GET /log/x"}, 4, "", "there is no such dead letter"},
		{"show x", nil, 2, "", `"x" is not SERVICE/ID, such as log/EVENT_ID`},
		{"drop log/x/y", nil, 2, "", `"log/x/y" is not SERVICE/ID`},
		{"redrive log/..", nil, 2, "", `".." is not an id`},
		{"drop", nil, 2, "", "deadletter drop needs a SERVICE/ID"},
	} {
		t.Run(test.args, func(t *testing.T) {
			p, asked := letters(t)
			r := p.run(append([]string{"deadletter"}, strings.Fields(test.args)...)...)
			if r.code != test.code || !slices.Equal(asked(), test.asked) {
				t.Errorf("exit %d, want %d; asked %q, want %q", r.code, test.code, asked(), test.asked)
			}
			if r.out != test.out {
				t.Errorf("got\n%s\nwant\n%s", r.out, test.out)
			}
			if !strings.Contains(r.err, test.err) || (test.err == "") != (r.err == "") {
				t.Errorf("standard error: %s", r.err)
			}
		})
	}
}

func TestWhatWasDroppedIsJSONForPrograms(t *testing.T) {
	p, _ := letters(t)
	sameJSON(t, p.must("deadletter", "drop", "consignment/"+eventID, "-o", "json"), `{"dead_letter":{"service":"consignment","id":"`+eventID+`",
		"source":"fairway.vessel","type":"voyage.completed","entity_id":"v1","reason":"no such <voyage>","attempts":5,
		"failed_at":"2030-01-02T12:00:00Z","payload":"{\"id\":\"\u001b[2J\"}"}}`)
}
