package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
)

const (
	maxDepth = 32 // objects and arrays within each other
)

// object reads the body, which must be one JSON object. Errors: invalid, too_large, unsupported_media_type, overloaded.
func (r *request) object() (*object, error) {
	raw, err := readBody(r.writer, r.http, r.maxBody)
	if err != nil {
		return nil, err
	}
	if err := r.admit(int64(len(raw))); err != nil {
		return nil, err
	}
	value, ok := r.wellFormed(raw)
	if !ok {
		return nil, r.found.err()
	}
	r.root = newObject("", value, &r.found)
	return r.root, nil
}

// noBody reads the body of a call that takes none. An empty object is as good: some clients cannot send nothing.
// Errors: as object.
func (r *request) noBody() error {
	raw, err := readBody(r.writer, r.http, r.maxBody)
	if err != nil || len(raw) == 0 {
		return err
	}
	if err := r.admit(int64(len(raw))); err != nil {
		return err
	}
	value, ok := r.wellFormed(raw)
	if !ok {
		return r.found.err()
	}
	r.root = newObject("", value, &r.found)
	return nil
}

// readBody reads a body of at most limit bytes. One that is not empty must say that it is JSON.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	foreign := !isJSON(r.Header)
	if foreign && r.ContentLength > 0 {
		return nil, errMedia
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.New(fault.TooLarge, "the body is larger than %d bytes", limit)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "the body could not be read to its end")
	case foreign && len(raw) > 0:
		return nil, errMedia
	}
	return raw, nil
}

var errMedia = fault.New(fault.UnsupportedMediaType, "the body must be application/json, not compressed")

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	encoding := h.Get("Content-Encoding")
	return err == nil && kind == "application/json" && (encoding == "" || strings.EqualFold(encoding, "identity"))
}

// wellFormed is the value of a body that is exactly one JSON object, in UTF-8 and not nested too deeply. Of any other it
// finds fault with the "body" and is false.
func (r *request) wellFormed(raw []byte) (json.RawMessage, bool) {
	const field = "body"
	var value json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(raw, &value)
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		r.found.add(field, rule.Required, "must be a JSON object, and is empty")
	case !utf8.Valid(raw):
		r.found.add(field, rule.Format, "must be valid UTF-8")
	case errors.As(err, &syntax):
		r.found.add(field, rule.Format, "must be one JSON object: byte %d: %s", syntax.Offset, syntax)
	case err != nil:
		r.found.add(field, rule.Format, "must be one JSON object")
	case depth(value) > maxDepth:
		r.found.add(field, rule.Format, "must not be nested deeper than %d", maxDepth)
	case kindOf(value) != kindObject:
		r.found.add(field, rule.Type, "must be a JSON object, not %s", kindOf(value))
	default:
		return value, true
	}
	return nil, false
}
