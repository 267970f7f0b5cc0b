package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"
	"time"
	"unicode/utf8"

	"github.com/fairwayfreight/fairway/common/rule"
)

// FuzzObject reads any body as a request with a field of every kind. What is accepted must be one JSON object that the
// standard decoder reads the same way.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"text":"a","count":1,"flag":true,"at":"2030-01-01T00:00:00Z","texts":["a"],"list":[{"text":"b"}]}`,
		`{"text":"\ud800","count":1}`, `{"count":1}{"count":2}`, `{"count":1} x`, `{"count":1,"count":2}`, `{"count":1.0}`, `[]`, `null`, ``,
		`{"count":2147483648}`, `{"count":-1e3}`, `{"list":[[[[]]]]}`, "{\"text\":\"\xff\"}", `{"text":"\ufffd","count":1}`, "\x00",
		strings.Repeat(`{"list":[`, 20) + strings.Repeat(`]}`, 20), `{"":null}`, `{"count":1,}`, `{"texts":["a",]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		r := &request{maxBody: 1 << 20, decoding: semaphore.NewWeighted(1 << 20), http: req, writer: httptest.NewRecorder()}
		o, err := r.object()
		if err != nil {
			return
		}
		got := struct {
			Text  string
			Count int32
			Flag  *bool
			At    *time.Time
			Texts []string
			List  []struct{ Text string }
		}{Text: o.text("text"), Count: o.count("count"), Flag: o.flag("flag"), Texts: o.texts("texts", len(body))}
		if at := o.moment("at"); at != nil {
			moment := at.AsTime()
			got.At = &moment
		}
		for _, child := range o.objects("list", len(body)) {
			got.List = append(got.List, struct{ Text string }{child.text("text")})
		}
		if err := r.check(nil); err != nil {
			if len(r.found.list) == 0 || len(r.found.list) > maxFindings {
				t.Errorf("%d findings", len(r.found.list))
			}
			return
		}

		var want struct {
			Text  string
			Count *int32
			Flag  *bool
			At    *time.Time
			Texts []string
			List  []struct{ Text string }
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("accepted what is refused by the standard decoder: %v: %q", err, body)
		}
		if d.More() || !json.Valid([]byte(body)) || !utf8.ValidString(body) {
			t.Fatalf("accepted more than one value: %q", body)
		}
		if want.Count == nil || *want.Count != got.Count || want.Text != got.Text || len(want.Texts) != len(got.Texts) || len(want.List) != len(got.List) ||
			(want.Flag == nil) != (got.Flag == nil) || (want.At == nil) != (got.At == nil) || got.At != nil && !got.At.Equal(*want.At) {
			t.Fatalf("read %+v, want %+v from %q", got, want, body)
		}
	})
}

func TestWhiteSpaceAndEscapesChangeNothing(t *testing.T) {
	const spaces = " \t\r\n"
	for _, body := range []string{
		`{"count":7,"text":"a\"}{,:","texts":["b","]"],"list":[{"text":"c"},{}],"flag":false}`,
		`{"\u0063ount":7,"te\u0078t":"\u0061\"}{\u002c:","texts":["\u0062","]"],"list":[{"text":"c"},{}],"flag":false}`,
		strings.NewReplacer("~", spaces).Replace(`~{~"count"~:~7~,~"text"~:~"a\"}{,:"~,~"texts"~:~[~"b"~,~"]"~]~,~"list"~:~[~{~"text"~:~"c"~}~,~{~}~]~,~"flag"~:~false~}~`),
	} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		r := &request{maxBody: 1 << 20, decoding: semaphore.NewWeighted(1 << 20), http: req, writer: httptest.NewRecorder()}
		o, err := r.object()
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		texts, list, flag := o.texts("texts", 2), o.objects("list", 2), o.flag("flag")
		if o.count("count") != 7 || o.text("text") != `a"}{,:` || len(texts) != 2 || texts[0] != "b" || texts[1] != "]" ||
			len(list) != 2 || list[0].text("text") != "c" || list[1].text("text") != "" || flag == nil || *flag {
			t.Errorf("read wrongly: %s", body)
		}
		if err := r.check(nil); err != nil {
			t.Errorf("%v: %s", err, body)
		}
	}
}

func TestReplacementCharacterOfTheClientIsKept(t *testing.T) {
	for text, fine := range map[string]bool{
		`"\ufffd"`: true, `"\uFFFD"`: true, "\"\uFFFD\"": true, `"\ud83d\ude00"`: true, `"\\ud800"`: true,
		`"\ud800"`: false, `"\udc00\ud800"`: false, "\"\uFFFD\\ud800\"": false,
	} {
		var found findings
		newObject("", json.RawMessage(`{"text":`+text+`}`), &found).text("text")
		if got := len(found.list) == 0; got != fine {
			t.Errorf("%s is fine = %v, want %v", text, got, fine)
		}
	}
}

func TestRulesDoNotRepeatWhatCouldNotBeRead(t *testing.T) {
	var read, rules findings
	read.add("containers[2]", rule.Type, "must be an object")
	read.add("weight", rule.Type, "must be a number")
	for _, name := range []string{"weight", "containers[2].number", "containers[2]", "containers[20].number", "weights", "containers"} {
		rules.add(name, rule.Range, "x")
	}
	rules.add("weights", rule.Order, "two rules about one field are two findings")
	read.merge(rules.list)
	var names []string
	for _, f := range read.list[2:] {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "containers[20].number weights containers weights" {
		t.Errorf("merged %s", got)
	}
}

func TestDepth(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 0, `{}`: 1, `[[],[]]`: 2, `{"a":{"b":[1]}}`: 3, `"[[["`: 0, `["\"[[",[]]`: 2, `["\\",[[]]]`: 3,
	} {
		if got := depth([]byte(text)); got != want {
			t.Errorf("depth(%s) = %d, want %d", text, got, want)
		}
	}
	if maxDepth < 3 {
		t.Error("a consignment does not fit")
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2030-01-31T15:04:05Z", "2030-01-31T15:04:05.123+23:59", "2030-01-31T1:04:05Z", "2030-01-31T15:04:05,5Z", "0000-00-00T00:00:00Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseTime(s)
		if !ok {
			return
		}
		again, ok := parseTime(at.Format(time.RFC3339Nano))
		if !ok || !again.Equal(at) {
			t.Errorf("%q is %v, and written out %v", s, at, again)
		}
	})
}
