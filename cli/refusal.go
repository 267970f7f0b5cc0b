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
	// uncertain: the request would have changed something, and may have.
	uncertain bool
}

// fieldReason is one rule that one field breaks.
type fieldReason struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// Error has the heading first and one line for each detail.
func (r *refusalError) Error() string {
	var b strings.Builder
	b.WriteString(oneLine(r.Title))
	if r.Detail != "" {
		b.WriteString(": " + oneLine(r.Detail))
	}
	for _, f := range r.Fields {
		reason := f.Message
		if reason == "" {
			reason = f.Rule
		}
		b.WriteString("\n  " + oneLine(f.Field) + ": " + oneLine(reason))
	}
	if r.Status == http.StatusUnauthorized && !r.foreign && r.Code != "bad_credentials" {
		b.WriteString("\n  run fairway login")
	}
	if r.retryAfter != "" {
		b.WriteString("\n  try again after " + oneLine(r.retryAfter) + " s")
	}
	if r.TraceID != "" {
		b.WriteString("\n  trace " + oneLine(r.TraceID))
	}
	b.WriteString(uncertainHint(r.uncertain))
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
func refused(address string, res *http.Response, data []byte, method string) error {
	r := &refusalError{}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/problem+json" || len(data) > maxAnswer || json.Unmarshal(data, r) != nil || r.Title == "" {
		r = &refusalError{Title: fmt.Sprintf("the answer of %s is not Fairway's", address), foreign: true}
		r.Detail = fmt.Sprintf("status %d, type %q: is the address right?", res.StatusCode, media)
		if len(data) > maxAnswer {
			r.Detail = fmt.Sprintf("it is larger than %d bytes", maxAnswer)
		}
	}
	r.Status = res.StatusCode
	r.retryAfter = res.Header.Get("Retry-After")
	if r.TraceID == "" {
		r.TraceID = res.Header.Get("X-Trace-Id")
	}
	// After any failure of the server, and after an answer that cannot be read, the request may have been carried out.
	r.uncertain = method != http.MethodGet && (res.StatusCode >= 500 || res.StatusCode/100 == 2)
	return r
}
