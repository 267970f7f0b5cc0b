package fault

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain marks our codes in google.rpc.ErrorInfo, so that another system's reasons are not taken for them.
const Domain = "fairway"

// maxFields bounds the text of the fields that a status carries, in bytes: details travel in a header, and many clients take
// no headers above 8 KiB.
const maxFields = 4 << 10

// toStatus carries a fault over gRPC with the standard details of google.rpc: ErrorInfo for the code, BadRequest for the
// fields as far as they fit, RetryInfo for the time. Any gRPC client can read them. The cause stays behind.
func toStatus(e *Error) *status.Status {
	st := status.New(e.Code.GRPC(), e.Message)
	withInfo, err := st.WithDetails(&errdetails.ErrorInfo{Reason: string(e.Code), Domain: Domain})
	if err != nil {
		return st
	}
	st = withInfo
	if len(e.Fields) > 0 {
		bad := &errdetails.BadRequest{}
		size := 0
		for _, f := range e.Fields {
			if size += len(f.Name) + len(f.Rule) + len(f.Message); size > maxFields {
				break
			}
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: f.Name, Reason: f.Rule, Description: f.Message})
		}
		if withFields, err := st.WithDetails(bad); err == nil {
			st = withFields
		}
	}
	if e.RetryAfter > 0 {
		if withRetry, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			st = withRetry
		}
	}
	return st
}

// FromStatus reads a fault back from a gRPC status, from whatever server it came: details that are not ours, or not known,
// are passed over. It returns nil for status OK.
//
// Of a status that is not ours the message is kept only where the code is the caller's doing; where the other side or the way
// there failed (Internal, Unknown, DataLoss and codes we do not know, Unavailable, DeadlineExceeded, Canceled) it may hold
// internals and becomes the cause.
func FromStatus(st *status.Status) *Error {
	if st == nil || st.Code() == codes.OK {
		return nil
	}
	e := &Error{Code: fromGRPC(st.Code()), Message: st.Message()}
	ours := false
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if code := Code(d.GetReason()); d.GetDomain() == Domain && code.Known() {
				e.Code, ours = code, true
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Fields = append(e.Fields, Field{Name: v.GetField(), Rule: v.GetReason(), Message: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if ours {
		return e
	}
	if sentence, ok := sentences[e.Code]; ok {
		e.cause = st.Err()
		e.Message = sentence
	}
	return e
}
