package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// evil rings the bell, clears the screen, turns the line around, and starts a line of its own.
const evil = "\x1b[2J\x07\u202e\u009b31m\x7f\nfairway: done"

// raw finds what a terminal would act upon.
func raw(s string) string {
	var found strings.Builder
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			fmt.Fprintf(&found, "%U ", r)
		}
	}
	return found.String()
}

func serve(t *testing.T, contentType string, status int, body string) *person {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN="+testToken)
}

func TestNothingFromAServerReachesTheTerminalRaw(t *testing.T) {
	quoted, _ := json.Marshal(evil)
	// What encoding/json escapes, a hostile server need not.
	unescaped := `"` + strings.ReplaceAll(evil[len("\x1b[2J\x07"):], "\n", `\n`) + "\xff\U000E0041\""
	for _, text := range []string{string(quoted), unescaped} {
		record := `{"vessel":{"id":` + text + `,"name":` + text + `}}`
		list := `{"vessels":[{"id":"a","name":` + text + `}],"next_cursor":` + text + `}`
		problem := `{"title":` + text + `,"detail":` + text + `,"trace_id":` + text + `,"errors":[{"field":` + text + `,"message":` + text + `}]}`
		for name, r := range map[string]result{
			"record":       serve(t, "application/json", 200, record).run("vessel", "get", "x"),
			"record, JSON": serve(t, "application/json", 200, record).run("vessel", "get", "x", "-o", "json"),
			"list":         serve(t, "application/json", 200, list).run("vessel", "list", "--limit", "1"),
			"list, JSON":   serve(t, "application/json", 200, list).run("vessel", "list", "--limit", "1", "-o", "json"),
			"problem":      serve(t, "application/problem+json", 400, problem).run("vessel", "list"),
		} {
			if found := raw(r.out + r.err); found != "" {
				t.Errorf("%s: %s in %q", name, found, r.out+r.err)
			}
			if strings.Contains(r.out+r.err, "\nfairway: done") {
				t.Errorf("%s poses as ours: %s", name, r.out+r.err)
			}
			if !strings.Contains(r.out+r.err, "31m") {
				t.Errorf("%s: the text is gone: %q", name, r.out+r.err)
			}
			if strings.HasSuffix(name, "JSON") {
				var was, is any
				source := record
				if strings.HasPrefix(name, "list") {
					source = list
				}
				if err := json.Unmarshal([]byte(source), &was); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(r.out), &is); err != nil {
					t.Fatalf("%s: %v in %s", name, err, r.out)
				}
				if fmt.Sprint(was) != fmt.Sprint(is) {
					t.Errorf("%s changed from %q to %q", name, was, is)
				}
			}
		}
	}
}

func TestAnswersThatAreNotFairways(t *testing.T) {
	const html = "<html><title>\x1b[2JLogin</title></html>"
	tests := []struct {
		name, contentType string
		status            int
		body              string
		code              int
		want              string
	}{
		{"HTML", "text/html; charset=utf-8", 200, html, 1, `status 200, type "text/html": is the address right?`},
		{"HTML of a proxy", "text/html", 502, html, 6, "is not Fairway's"},
		{"HTML posing as a problem", "application/problem+json", 404, html, 1, "is not Fairway's"},
		{"nothing", "application/json", 200, "", 1, "is not Fairway's"},
		{"half an answer", "application/json", 200, `{"vessels":[`, 1, "is not Fairway's"},
		{"two answers", "application/json", 200, `{} {}`, 1, "is not Fairway's"},
		{"a list for an object", "application/json", 200, `[]`, 1, "not as expected"},
		{"an object for a list", "application/json", 200, `{"vessels":{}}`, 1, "not as expected"},
		{"text for a number", "application/json", 200, `{"vessels":[{"capacity":"\u001b"}]}`, 1, "not as expected"},
		{"more than asked for", "application/json", 200, `{"vessels":[{},{}]}`, 1, "2 items, 1 were asked for"},
		{"status that is none", "application/problem+json", 400, `{"title":"T","status":"x","code":"unheard_of"}`, 1, "fairway: T\n"},
		{"code that is not known", "application/problem+json", 409, `{"title":"T","code":"unheard_of"}`, 5, "fairway: T\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, tt.contentType, tt.status, tt.body).run("vessel", "list", "--limit", "1")
			if r.code != tt.code || r.out != "" || !strings.Contains(r.err, tt.want) {
				t.Errorf("exit %d, want %d and %q\n%s%s", r.code, tt.code, tt.want, r.out, r.err)
			}
			if raw(r.err) != "" {
				t.Errorf("raw: %q", r.err)
			}
		})
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"vessels":["`)
		chunk := strings.Repeat("x", 1<<16)
		for {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	r := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t").run("vessel", "list")
	if r.code != 1 || !strings.Contains(r.err, "larger than 33554432 bytes") {
		t.Errorf("%+v", r)
	}
}

func TestAListThatDoesNotAdvanceEnds(t *testing.T) {
	r := serve(t, "application/json", 200, `{"vessels":[],"next_cursor":"same"}`).run("vessel", "list", "--all")
	if r.code != 1 || !strings.Contains(r.err, `does not advance beyond cursor "same"`) {
		t.Errorf("%+v", r)
	}
}

func TestALongErrorIsShortened(t *testing.T) {
	r := serve(t, "application/problem+json", 400, `{"title":"`+strings.Repeat("x", 100_000)+`"}`).run("vessel", "list")
	if len(r.err) > 2000 {
		t.Errorf("%d bytes of error", len(r.err))
	}
}
