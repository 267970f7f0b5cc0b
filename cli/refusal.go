package cli

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// refusalError is an answer that is not a success. Where the gateway gave one it is the problem document (RFC 9457).
type refusalError struct {
	Title   string        `json:"title"`
	Status  int           `json:"-"`
	Detail  string        `json:"detail"`
	Code    string        `json:"code"`
	TraceID string        `json:"trace_id"`
	Fields  []fieldReason `json:"errors"`

	// foreign marks an answer that is not Fairway's, whose status says little.
	foreign    bool
	retryAfter string
	// advice says what to do when the token was not taken.
	advice string
	// uncertain: the request would have changed something, and may have.
	uncertain bool
	key       string // of the command, where repeating it is safe by that
}

// fieldReason is one rule that one field breaks.
type fieldReason struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
	// flag is the flag that it was given by, where that has another name.
	flag string
}

// nameFlags finds the flags by which the person gave the fields: --max-weight for max_weight, --voyage for voyage_id,
// --role for roles[0]. In a file the fields have their own names.
func (r *refusalError) nameFlags(given func(flag string) bool) {
	for i := range r.Fields {
		name := r.Fields[i].Field
		if end := strings.IndexAny(name, ".["); end >= 0 {
			name = name[:end]
		}
		if given(name) {
			continue
		}
		dashed := strings.ReplaceAll(name, "_", "-")
		for _, flag := range []string{dashed, strings.TrimSuffix(dashed, "-id"), strings.TrimSuffix(dashed, "s")} {
			if given(flag) {
				r.Fields[i].flag = flag
				break
			}
		}
	}
}

// Error has the heading first and one line for each detail.
func (r *refusalError) Error() string {
	var b strings.Builder
	b.WriteString(oneLine(r.Title))
	// The detail of a request that breaks rules repeats the first of them.
	if r.Detail != "" && len(r.Fields) == 0 {
		b.WriteString(": " + oneLine(r.Detail))
	}
	for _, f := range r.Fields {
		reason := f.Message
		if reason == "" {
			reason = f.Rule
		}
		b.WriteString("\n  " + oneLine(f.Field))
		if f.flag != "" {
			b.WriteString(" (--" + f.flag + ")")
		}
		b.WriteString(": " + oneLine(reason))
	}
	if r.Status == http.StatusUnauthorized && !r.foreign && r.Code != "bad_credentials" {
		b.WriteString("\n  " + r.advice)
	}
	if r.retryAfter != "" {
		b.WriteString("\n  try again after " + oneLine(r.retryAfter) + " s")
	}
	if r.TraceID != "" {
		b.WriteString("\n  trace " + oneLine(r.TraceID))
	}
	b.WriteString(uncertainHint(r.uncertain, r.key))
	return b.String()
}

// oneLine keeps a server's text from posing as further lines of ours, and from flooding the terminal.
func oneLine(s string) string {
	const most = 1000
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return clean(s)
}

// refused turns an answer that cannot be used into an error.
func (c *client) refused(res *http.Response, data []byte, method string) error {
	r := &refusalError{}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/problem+json" || len(data) > maxAnswer || json.Unmarshal(data, r) != nil || r.Title == "" {
		r = &refusalError{Title: fmt.Sprintf("the answer of %s is not Fairway's", c.address), foreign: true}
		r.Detail = fmt.Sprintf("status %d, type %q: is the address right?", res.StatusCode, media)
		if len(data) > maxAnswer {
			r.Detail = fmt.Sprintf("it is larger than %d bytes", maxAnswer)
		}
	}
	r.Status = res.StatusCode
	r.advice = c.advice
	r.retryAfter = res.Header.Get("Retry-After")
	if r.TraceID == "" {
		r.TraceID = res.Header.Get("X-Trace-Id")
	}
	// After any failure of the server, and after an answer that cannot be read, the request may have been carried out.
	r.uncertain = method != http.MethodGet && (res.StatusCode >= 500 || res.StatusCode/100 == 2)
	return r
}
