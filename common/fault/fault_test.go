package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/fairwayfreight/fairway/common/fault"
)

func TestEveryCodeCrossesGRPCWhole(t *testing.T) {
	for _, code := range fault.Codes() {
		t.Run(string(code), func(t *testing.T) {
			sent := &fault.Error{
				Code:       code,
				Message:    "a sentence",
				Fields:     []fault.Field{{Name: "containers[2].number", Rule: "checksum", Message: "has another check digit"}},
				RetryAfter: 1500 * time.Millisecond,
			}
			st, ok := status.FromError(fmt.Errorf("wrapped: %w", sent))
			if !ok {
				t.Fatal("the fault is no gRPC status")
			}
			got := fault.FromStatus(status.FromProto(st.Proto()))
			if got.Code != sent.Code || got.RetryAfter != sent.RetryAfter || !reflect.DeepEqual(got.Fields, sent.Fields) {
				t.Errorf("got %+v, want %+v", got, sent)
			}
			if !strings.Contains(got.Message, "a sentence") {
				t.Errorf("the sentence became %q", got.Message)
			}
		})
	}
}

func TestCauseStaysBehind(t *testing.T) {
	err := fault.Wrap(fault.Internal, errors.New("password=hunter2"), "something went wrong on our side")
	st, _ := status.FromError(err)
	if strings.Contains(fmt.Sprint(st.Proto()), "hunter2") {
		t.Errorf("the cause is sent: %v", st)
	}
	if !strings.Contains(err.Error(), "hunter2") {
		t.Error("the cause is missing from the text for logs")
	}
}

func TestTableIsCompleteAndUnambiguous(t *testing.T) {
	seen := map[fault.Code]bool{}
	for _, code := range fault.Codes() {
		if seen[code] {
			t.Errorf("%s is listed twice", code)
		}
		seen[code] = true
		if !code.Known() || code.Title() == "" || code.GRPC() == codes.OK || code.HTTP() < 400 {
			t.Errorf("%s: gRPC %s, HTTP %d, title %q", code, code.GRPC(), code.HTTP(), code.Title())
		}
	}
	if unknown := fault.Code("made_up"); unknown.Known() || unknown.HTTP() != http.StatusInternalServerError || unknown.GRPC() != codes.Internal {
		t.Error("an unknown code must count as internal")
	}
}

func TestFromAnyError(t *testing.T) {
	own := fault.New(fault.NoCapacity, "no room")
	for name, tc := range map[string]struct {
		err  error
		want fault.Code
	}{
		"a fault":              {own, fault.NoCapacity},
		"a wrapped fault":      {fmt.Errorf("book: %w", own), fault.NoCapacity},
		"a bare code":          {fmt.Errorf("find: %w", fault.NotFound), fault.NotFound},
		"cancelled":            {fmt.Errorf("read: %w", context.Canceled), fault.Canceled},
		"out of time":          {context.DeadlineExceeded, fault.DeadlineExceeded},
		"a foreign status":     {status.Error(codes.NotFound, "gone"), fault.NotFound},
		"aborted":              {status.Error(codes.Aborted, "x"), fault.Conflict},
		"out of range":         {status.Error(codes.OutOfRange, "x"), fault.Invalid},
		"unknown":              {status.Error(codes.Unknown, "x"), fault.Internal},
		"a code of the future": {status.Error(codes.Code(99), "x"), fault.Internal},
		"anything else":        {errors.New("disk on fire"), fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			got := fault.From(tc.err)
			if got.Code != tc.want {
				t.Errorf("got %s, want %s", got.Code, tc.want)
			}
			if !errors.Is(got, tc.want) {
				t.Errorf("errors.Is(err, %s) is false", tc.want)
			}
			if strings.Contains(got.Message, "fire") {
				t.Errorf("an internal text became a sentence for callers: %q", got.Message)
			}
		})
	}
	if fault.From(nil) != nil || fault.CodeOf(nil) != "" {
		t.Error("nil must stay nil")
	}
}

func TestForeignDetailsAreHarmless(t *testing.T) {
	st, err := status.New(codes.InvalidArgument, "bad").WithDetails(
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "a", Description: "b"}}},
		&errdetails.ErrorInfo{Reason: "no_capacity", Domain: "somebody.else"},
		&errdetails.ErrorInfo{Reason: "made_up", Domain: fault.Domain},
	)
	if err != nil {
		t.Fatal(err)
	}
	p := st.Proto()
	p.Details = append(p.Details, &anypb.Any{TypeUrl: "type.example/unknown.Type", Value: []byte{1, 2, 3}})
	got := fault.FromStatus(status.FromProto(p))
	if got.Code != fault.Invalid || len(got.Fields) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatAForeignServerSaysOfItsOwnFailureIsNotForCallers(t *testing.T) {
	got := fault.From(status.Error(codes.Internal, "pq: relation users does not exist"))
	if strings.Contains(got.Message, "pq:") || !strings.Contains(got.Error(), "pq:") {
		t.Errorf("sentence %q, log %q", got.Message, got.Error())
	}
}

func TestWithRetryAfterLeavesTheOriginal(t *testing.T) {
	sentinel := fault.New(fault.Unavailable, "away")
	if sentinel.WithRetryAfter(time.Second).RetryAfter != time.Second || sentinel.RetryAfter != 0 {
		t.Error("the original changed or the copy did not")
	}
}

func TestInvalidFieldsOfNothingIsNil(t *testing.T) {
	if err := fault.InvalidFields(nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestManyWrongFieldsFitIntoAHeader(t *testing.T) {
	var fields []fault.Field
	for i := range 2000 {
		fields = append(fields, fault.Field{Name: fmt.Sprintf("containers[%d].number", i), Rule: "checksum", Message: strings.Repeat("x", 50)})
	}
	err := fault.InvalidFields(fields)
	if n := len(fault.From(err).Fields); n != 2000 {
		t.Errorf("%d fields are kept in the process", n)
	}
	st, _ := status.FromError(err)
	got := fault.FromStatus(st)
	if len(got.Fields) < 10 || len(got.Fields) == 2000 || !strings.Contains(got.Message, "1990 more") {
		t.Errorf("%d fields, %q", len(got.Fields), got.Message)
	}
	if size := len(fmt.Sprint(st.Proto())); size > 8<<10 {
		t.Errorf("the status has %d bytes", size)
	}
}
