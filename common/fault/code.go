package fault

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Code says what kind of failure a caller has to deal with. The list is closed and append-only: clients match on it.
// There is no code for success: success is a nil error.
//
// A Code is an error of its own so that errors.Is(err, fault.NotFound) reads as it should.
type Code string

const (
	// Invalid: the request breaks a rule; Fields names which. Sending it again cannot help.
	Invalid Code = "invalid"
	// TooLarge: the body or message is over the limit.
	TooLarge Code = "too_large"
	// UnsupportedMediaType: the body is not JSON.
	UnsupportedMediaType Code = "unsupported_media_type"
	// MethodNotAllowed: the path exists, but not with this method.
	MethodNotAllowed Code = "method_not_allowed"
	// Unauthenticated: no token, or one that is not good (any more).
	Unauthenticated Code = "unauthenticated"
	// BadCredentials: e-mail and password do not belong together, or the e-mail is unknown.
	BadCredentials Code = "bad_credentials"
	// PermissionDenied: the caller is known but may not do this at all, whatever it does it to.
	PermissionDenied Code = "permission_denied"
	// NotFound: there is no such thing, or it is not the caller's to see.
	NotFound Code = "not_found"
	// EmailTaken: an account with this e-mail exists.
	EmailTaken Code = "email_taken"
	// NoCapacity: no voyage that fits has room for the containers or the weight.
	NoCapacity Code = "no_capacity"
	// WrongState: the thing is in a state that does not allow this.
	WrongState Code = "wrong_state"
	// Conflict: another change came first; read again and decide anew.
	Conflict Code = "conflict"
	// KeyReused: the Idempotency-Key was used with another body.
	KeyReused Code = "idempotency_key_reused"
	// TooManyRequests: the caller is over its rate; RetryAfter says when to come back.
	TooManyRequests Code = "too_many_requests"
	// Overloaded: the process is at its limit and did not start the work.
	Overloaded Code = "overloaded"
	// Canceled: the caller went away first.
	Canceled Code = "canceled"
	// DeadlineExceeded: out of time; whether it took effect is not known.
	DeadlineExceeded Code = "deadline_exceeded"
	// Unavailable: a part that is needed cannot be reached; try again later.
	Unavailable Code = "unavailable"
	// Unimplemented: there is no such method.
	Unimplemented Code = "unimplemented"
	// Internal: a defect of ours. The trace id leads to it in the log.
	Internal Code = "internal"
)

// table is the only place where codes meet gRPC (google.rpc.Code) and HTTP (RFC 9110; 499 as nginx uses it).
// Of the codes that share a gRPC code, the first one listed is what a foreign status without our detail is read as.
var table = []struct {
	code  Code
	grpc  codes.Code
	http  int
	title string
}{
	{Invalid, codes.InvalidArgument, http.StatusBadRequest, "Invalid request"},
	{TooLarge, codes.InvalidArgument, http.StatusRequestEntityTooLarge, "Request too large"},
	{UnsupportedMediaType, codes.InvalidArgument, http.StatusUnsupportedMediaType, "Unsupported media type"},
	{Unimplemented, codes.Unimplemented, http.StatusNotImplemented, "Not implemented"},
	{MethodNotAllowed, codes.Unimplemented, http.StatusMethodNotAllowed, "Method not allowed"},
	{Unauthenticated, codes.Unauthenticated, http.StatusUnauthorized, "Not signed in"},
	{BadCredentials, codes.Unauthenticated, http.StatusUnauthorized, "Wrong e-mail or password"},
	{PermissionDenied, codes.PermissionDenied, http.StatusForbidden, "Not allowed"},
	{NotFound, codes.NotFound, http.StatusNotFound, "Not found"},
	{Conflict, codes.Aborted, http.StatusConflict, "Conflict"},
	{EmailTaken, codes.AlreadyExists, http.StatusConflict, "E-mail taken"},
	{WrongState, codes.FailedPrecondition, http.StatusConflict, "Wrong state"},
	{NoCapacity, codes.FailedPrecondition, http.StatusConflict, "No capacity"},
	{KeyReused, codes.InvalidArgument, http.StatusUnprocessableEntity, "Idempotency-Key reused"},
	{TooManyRequests, codes.ResourceExhausted, http.StatusTooManyRequests, "Too many requests"},
	{Overloaded, codes.ResourceExhausted, http.StatusServiceUnavailable, "Overloaded"},
	{Canceled, codes.Canceled, 499, "Canceled"},
	{DeadlineExceeded, codes.DeadlineExceeded, http.StatusGatewayTimeout, "Out of time"},
	{Unavailable, codes.Unavailable, http.StatusServiceUnavailable, "Unavailable"},
	{Internal, codes.Internal, http.StatusInternalServerError, "Internal error"},
}

// Codes lists every code in the order of the table.
func Codes() []Code {
	list := make([]Code, len(table))
	for i, row := range table {
		list[i] = row.code
	}
	return list
}

// Error is the code itself.
func (c Code) Error() string { return string(c) }

// GRPC is the status code that plain gRPC clients see; an unknown code counts as Internal.
func (c Code) GRPC() codes.Code {
	for _, row := range table {
		if row.code == c {
			return row.grpc
		}
	}
	return codes.Internal
}

// HTTP is the status that HTTP clients see; an unknown code counts as Internal.
func (c Code) HTTP() int {
	for _, row := range table {
		if row.code == c {
			return row.http
		}
	}
	return http.StatusInternalServerError
}

// Title is a short heading for people.
func (c Code) Title() string {
	for _, row := range table {
		if row.code == c {
			return row.title
		}
	}
	return "Internal error"
}

// Known tells whether c is on the list.
func (c Code) Known() bool {
	for _, row := range table {
		if row.code == c {
			return true
		}
	}
	return false
}

// fromGRPC reads a status code that came without our detail.
func fromGRPC(g codes.Code) Code {
	switch g {
	case codes.OutOfRange:
		return Invalid
	case codes.DataLoss, codes.Unknown:
		return Internal
	}
	for _, row := range table {
		if row.grpc == g {
			return row.code
		}
	}
	return Internal
}
