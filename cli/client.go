package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairwayfreight/fairway/common/rule"
)

// maxAnswer bounds what is read of one answer. A page of 200 consignments of 500 containers each stays below it.
const maxAnswer = 32 << 20

// client calls the HTTP gateway. It sends each request once, but for changes that have an Idempotency-Key, see change: whether
// to repeat any other POST whose answer is lost is the person's to decide. (net/http sends a POST again by itself only when not
// a byte of it was written, or when a kept connection breaks before an answer and the POST has a key.) It follows no redirect,
// as that would hand the token to whoever the answer names.
type client struct {
	address string
	token   string
	timeout time.Duration
	// advice says what to do when the gateway does not take the token.
	advice string
	http   *http.Client
}

func newClient(address, token string, timeout time.Duration, advice string) *client {
	return &client{
		address: address,
		token:   token,
		timeout: timeout,
		advice:  advice,
		http: &http.Client{
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// close gives up the connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// get reads one resource. The answer is valid JSON.
func (c *client) get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil)
}

// post sends a body, or none where it is nil. The answer is valid JSON, and nil where the gateway has none to give (204).
func (c *client) post(ctx context.Context, path string, body any) (json.RawMessage, error) {
	data, err := encodeBody(body)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, http.MethodPost, path, data)
}

// encodeBody encodes a body, and none to nothing.
func encodeBody(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return encode(body)
}

// delete takes one resource away.
func (c *client) delete(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path, nil)
	return err
}

func (c *client) do(ctx context.Context, method, path string, body []byte) (json.RawMessage, error) {
	return c.send(ctx, method, path, "", body)
}

// send makes one request, with an Idempotency-Key where that is not empty.
func (c *client) send(ctx context.Context, method, path, key string, body []byte) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.address+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", c.address, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set(rule.KeyField, key)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", "fairway-cli")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err, method)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreachable(err, method)
	}
	if res.StatusCode == http.StatusNoContent && method != http.MethodGet {
		return nil, nil
	}
	if res.StatusCode/100 == 2 && len(data) <= maxAnswer && json.Valid(data) {
		return data, nil
	}
	return nil, c.refused(res, data, method)
}

// unreachable explains why there is no answer.
func (c *client) unreachable(err error, method string) error {
	u := &unreachableError{uncertain: method != http.MethodGet, cause: err}
	var dial *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		u.text = fmt.Sprintf("%s did not answer within %s", c.address, c.timeout)
	case errors.As(err, &dial) && dial.Op == "dial":
		u.text = fmt.Sprintf("cannot reach %s: %v: is Fairway running there?", c.address, dial.Err)
		u.uncertain = false
	default:
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		u.text = fmt.Sprintf("%s broke off: %v", c.address, err)
	}
	return u
}

// unreachableError is a request without an answer.
type unreachableError struct {
	text string
	// uncertain: it would have changed something, and may have.
	uncertain bool
	key       string // of the command, where repeating it is safe by that
	cause     error
}

func (e *unreachableError) Error() string { return e.text + e.hint() }

func (e *unreachableError) Unwrap() error { return e.cause }

// hint says how to go on.
func (e *unreachableError) hint() string { return uncertainHint(e.uncertain, e.key) }

func uncertainHint(uncertain bool, key string) string {
	switch {
	case !uncertain:
		return ""
	case key != "":
		return "\n  whether it took effect is not known: repeat the command with --key " + key + ", then it does once"
	}
	return "\n  whether it took effect is not known: look before you repeat it"
}

// gatewayAddress checks and normalises the address of a gateway.
func gatewayAddress(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", usageError(fmt.Sprintf("the gateway's address %q is not a URL such as %s", s, defaultAddress))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", usageError("the gateway's address may have neither user, query nor fragment")
	}
	return strings.ToLower(u.Scheme+"://"+u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// escape makes an id part of a path.
func escape(id string) (string, error) {
	if id == "" || id == "." || id == ".." {
		return "", usageError(fmt.Sprintf("%q is not an id", id))
	}
	return url.PathEscape(id), nil
}
