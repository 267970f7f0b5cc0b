// Package fault is the one error type of Fairway, from the store to the browser.
//
// A fault has a code from a closed list, a sentence that its reader can act on, and where it helps the fields that are wrong
// and the time after which to try again. Code, sentence, fields and time reach the caller. The cause does not: it is for
// the log of the process in which it happened. So never put into a sentence what only an operator should read.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/status"
)

// Error is a failure on its way to a caller. Treat it as immutable once returned: With… methods give changed copies.
type Error struct {
	Code Code
	// Message is a sentence for the caller.
	Message string
	// Fields names everything that is wrong with the input, for code Invalid.
	Fields []Field
	// RetryAfter is when trying again may help; 0 where it would not, or where nobody knows.
	RetryAfter time.Duration

	cause error
}

// Field is one rule that one field of a request breaks.
type Field struct {
	// Name is the path in the request as its sender wrote it: "containers[2].number".
	Name string
	// Rule is a short stable word for programs: "required", "range", "type", "unknown".
	Rule string
	// Message is a sentence for people.
	Message string
}

// New makes a fault whose sentence is formatted as fmt.Sprintf does.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault with a cause, which only logs will show.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.cause = cause
	return e
}

// InvalidFields makes the fault of a request that breaks rules, or nil when fields is empty.
func InvalidFields(fields []Field) error {
	if len(fields) == 0 {
		return nil
	}
	const few = 10 // more are in Fields, and a sentence has to be read
	var names []string
	for _, f := range fields[:min(few, len(fields))] {
		names = append(names, f.Name)
	}
	message := "the request is not valid: " + strings.Join(names, ", ")
	if more := len(fields) - len(names); more > 0 {
		message += fmt.Sprintf(" and %d more", more)
	}
	return &Error{Code: Invalid, Message: message, Fields: fields}
}

// WithRetryAfter returns a copy that tells the caller when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error is the text for logs: code, sentence and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	b.WriteString(": ")
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Name, f.Message)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, fault.NotFound) true for every fault of that code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// GRPCStatus lets grpc-go send the fault as it is.
func (e *Error) GRPCStatus() *status.Status { return toStatus(e) }

// From turns any error into a fault; nil stays nil.
//
// A fault anywhere in the chain is returned as it is. A Code that stands there by itself becomes a fault with the code's title
// as its sentence. The context's errors become Canceled and DeadlineExceeded, a gRPC status is read back as the fault it was.
// Everything else is Internal, with a sentence that gives nothing away and the error as its cause.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var code Code
	if errors.As(err, &code) {
		return Wrap(code, err, "%s", code.Title())
	}
	if errors.Is(err, context.Canceled) {
		return general(Canceled, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return general(DeadlineExceeded, err)
	}
	if st, ok := status.FromError(err); ok {
		return FromStatus(st)
	}
	return general(Internal, err)
}

// sentences are for failures whose own words are not for callers: they may hold internals, or come from elsewhere.
var sentences = map[Code]string{
	Internal:         "something went wrong on our side",
	Unavailable:      "a service that is needed cannot be reached; try again shortly",
	DeadlineExceeded: "the request ran out of time; whether it took effect is not known",
	Canceled:         "the caller went away",
}

func general(code Code, cause error) *Error {
	return &Error{Code: code, Message: sentences[code], cause: cause}
}

// CodeOf is From(err).Code, and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
