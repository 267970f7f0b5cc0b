package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer; a page of 200 consignments of a few containers is far below it.
const maxAnswer = 8 << 20

// client makes single requests and looks at the form of each answer. It is safe for many goroutines.
type client struct {
	base    string
	http    *http.Client
	found   *findings
	tally   *tally
	outages *outages
	// patience is how long requests outside of the load are repeated.
	patience time.Duration
}

func newClient(o options, found *findings, t *tally, out *outages) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns = 0
	transport.MaxIdleConnsPerHost = o.writers + 16
	return &client{
		base: o.api,
		http: &http.Client{
			Timeout:       o.timeout,
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		found: found, tally: t, outages: out,
		patience: o.timeout + o.settle,
	}
}

// request is one call of the API.
type request struct {
	method string
	path   string // below /api/v1
	token  string
	key    string // the Idempotency-Key, none when empty
	body   []byte
}

func (r request) String() string {
	if r.key != "" {
		return fmt.Sprintf("%s %s (key %s)", r.method, r.path, r.key)
	}
	return r.method + " " + r.path
}

// answer is what came back.
type answer struct {
	status     int
	code       string // of a problem
	trace      string
	replayed   bool
	retryAfter time.Duration
	body       []byte
	started    time.Time
}

// problem is an error as RFC 9457 and the API describe it.
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Code    string `json:"code"`
	TraceID string `json:"trace_id"`
}

// final tells whether repeating the request cannot give another answer: everything but an answer that was lost (status 0),
// too many requests, a failure of the server, and a key that is still in flight.
func (a answer) final() bool {
	switch {
	case a.status == 0, a.status == http.StatusTooManyRequests, a.status >= 500:
		return false
	case a.status == http.StatusConflict:
		return a.code == "no_capacity" || a.code == "wrong_state" || a.code == "email_taken"
	}
	return true
}

// text is the body for a sentence.
func (a answer) text() string { return string(bytes.TrimSpace(a.body)) }

// decode reads the body of a success.
func (a answer) decode(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("the answer cannot be read (trace %s): %w", a.trace, err)
	}
	return nil
}

// do makes a request once. An answer that was lost has status 0. What breaks the form that every answer must have, and
// failures while nothing was killed, are findings.
func (c *client) do(ctx context.Context, r request) answer {
	a := answer{started: time.Now()}
	err := c.exchange(ctx, r, &a)
	if ctx.Err() != nil {
		return answer{started: a.started} // the run is over
	}
	c.tally.request(failure(err, a))
	if err != nil {
		if !c.outages.around(a.started) {
			c.found.add(wrongAnswer, "%s was not answered though nothing was killed: %v", r, err)
		}
		return answer{started: a.started}
	}
	c.inspect(r, a)
	if a.status < 500 && a.status != http.StatusTooManyRequests {
		c.outages.served(a.started, r.method == http.MethodPost && a.final())
	}
	return a
}

func (c *client) exchange(ctx context.Context, r request, a *answer) error {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+"/api/v1"+r.path, nil)
	if err != nil {
		return err
	}
	if r.method == http.MethodPost {
		// Without GetBody net/http does not repeat by itself what has an Idempotency-Key: every repeat is to be known here.
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	}
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	req.Header.Set("User-Agent", "fairway-prove")
	rsp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	if a.body, err = io.ReadAll(io.LimitReader(rsp.Body, maxAnswer+1)); err != nil {
		return err
	}
	if len(a.body) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	a.status = rsp.StatusCode
	a.trace = rsp.Header.Get("X-Trace-Id")
	a.replayed = rsp.Header.Get("Idempotent-Replayed") == "true"
	if seconds, err := strconv.Atoi(rsp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.retryAfter = time.Duration(seconds) * time.Second
	}
	if a.status >= 400 {
		if media, _, _ := mime.ParseMediaType(rsp.Header.Get("Content-Type")); media == "application/problem+json" {
			var p problem
			if json.Unmarshal(a.body, &p) == nil && p.Type != "" && p.Title != "" && p.Status == a.status && p.TraceID != "" {
				a.code = p.Code
			}
		}
	}
	return nil
}

// inspect looks for what no answer may have. Behind a proxy 502 to 504 are the proxy's own words while something is down.
func (c *client) inspect(r request, a answer) {
	killing := c.outages.around(a.started)
	proxy := killing && a.status >= 502 && a.status <= 504
	switch {
	case a.status >= 400 && a.code == "" && !proxy:
		c.found.add(wrongAnswer, "%s: status %d is not a problem document (trace %s): %s", r, a.status, a.trace, a.text())
	case a.status >= 400 && (bytes.Contains(a.body, []byte("panic")) || bytes.Contains(a.body, []byte("goroutine "))):
		c.found.add(wrongAnswer, "%s: status %d shows a panic (trace %s): %s", r, a.status, a.trace, a.text())
	case (a.status == http.StatusInternalServerError || a.status == http.StatusNotImplemented) && !killing:
		c.found.add(wrongAnswer, "%s: status %d though nothing was killed (trace %s): %s", r, a.status, a.trace, a.text())
	case a.trace == "" && !proxy:
		c.found.add(wrongAnswer, "%s: status %d has no X-Trace-Id", r, a.status)
	case (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && a.retryAfter == 0 && !proxy:
		c.found.add(wrongAnswer, "%s: status %d has no Retry-After (trace %s)", r, a.status, a.trace)
	}
}

// failure names what kept a request from its final answer, empty when nothing did.
func failure(err error, a answer) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case err != nil:
		return "connection"
	case !a.final():
		return strings.TrimSpace(fmt.Sprint(a.status, " ", a.code))
	}
	return ""
}

// The pauses between repeats: they double, from the first to the longest. Where the answer asks for a longer one that counts.
const firstPause, maxPause = 50 * time.Millisecond, 400 * time.Millisecond

// persist repeats a request with its key until it is answered for good. It returns an answer that is not final only when ctx
// ends first. attempts is how often it was sent.
func (c *client) persist(ctx context.Context, r request) (a answer, attempts int) {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		a = c.do(ctx, r)
		attempts++
		c.tally.waited(time.Since(began))
		if a.final() || ctx.Err() != nil {
			return a, attempts
		}
		if !sleep(ctx, max(pause, a.retryAfter)) {
			return a, attempts
		}
	}
}

// patiently repeats a request outside of the load, for as long as Fairway may take to come back.
func (c *client) patiently(ctx context.Context, r request) answer {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	a, _ := c.persist(ctx, r)
	return a
}

// sleep waits, and is false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
