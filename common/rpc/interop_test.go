package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func plain(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func TestPlainGRPCStubCallsTheHandler(t *testing.T) {
	w := newWorld(t)
	sent := fault.New(fault.Invalid, "the request is not valid").WithRetryAfter(time.Second)
	sent.Fields = []fault.Field{{Name: "text", Rule: "required", Message: "is needed"}}
	ep, _ := w.serve(&echo{read: func(context.Context, *echopb.Message, *echopb.Message) error { return sent }})
	c := echopb.NewEchoClient(plain(t, ep.Addr()))
	if m, err := c.Call(within(t, 5*time.Second), &echopb.Message{Text: "ahoy"}); err != nil || m.GetText() != "ahoy" {
		t.Errorf("unary: %v, %v", m, err)
	}
	_, err := c.Read(within(t, 5*time.Second), &echopb.Message{})
	st := status.Convert(err)
	var field string
	for _, d := range st.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			field = bad.GetFieldViolations()[0].GetField()
		}
	}
	if st.Code() != codes.InvalidArgument || st.Message() != sent.Message || field != "text" {
		t.Errorf("status %v, field %q", st, field)
	}
	stream, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("stream: %v", err)
	}
}

func TestInterceptorsSeeCallsAsWhatTheyAre(t *testing.T) {
	w := newWorld(t)
	var unary, streams atomic.Int64
	ep, _ := w.serveWith(rpc.EndpointConfig{
		UnaryInterceptors: []grpc.UnaryServerInterceptor{func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if info.FullMethod == echopb.Echo_Call_FullMethodName {
				unary.Add(1)
			}
			if m, ok := req.(*echopb.Message); !ok || m.GetText() != "ahoy" {
				t.Errorf("the request is %v", req)
			}
			return next(ctx, req)
		}},
		StreamInterceptors: []grpc.StreamServerInterceptor{func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if info.FullMethod == echopb.Echo_Count_FullMethodName && info.IsServerStream && !info.IsClientStream {
				streams.Add(1)
			}
			return next(srv, ss)
		}},
	}, rpc.ServerConfig{}, &echo{})
	_ = ep
	c := stub(w.client(nil))
	if m, err := c.Call(within(t, 5*time.Second), &echopb.Message{Text: "ahoy"}); err != nil || m.GetText() != "ahoy" {
		t.Fatal(m, err)
	}
	s, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if unary.Load() != 1 || streams.Load() != 1 {
		t.Errorf("saw %d unary calls and %d streams", unary.Load(), streams.Load())
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	ep, s := w.serve(&echo{})
	h := healthpb.NewHealthClient(plain(t, ep.Addr()))
	check := func(service string) healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		r, err := h.Check(within(t, 5*time.Second), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetStatus()
	}
	watch, err := h.Watch(within(t, 20*time.Second), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatal(r, err)
	}
	if got := check("echo.Echo"); got != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("running, the service is %v", got)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := check("echo.Echo"); got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("stopped, the service is %v", got)
	}
	if got := check(""); got != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("with a stopped service, the endpoint is %v", got)
	}
	if err := ep.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The watch ends by itself; otherwise it would have held up the stop until it was cut.
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestReflection(t *testing.T) {
	w := newWorld(t)
	ep, _ := w.serve(&echo{})
	s, err := reflectionpb.NewServerReflectionClient(plain(t, ep.Addr())).ServerReflectionInfo(within(t, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		t.Helper()
		if err := s.Send(r); err != nil {
			t.Fatal(err)
		}
		answer, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	var names []string
	for _, svc := range ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().GetService() {
		names = append(names, svc.GetName())
	}
	if !slices.Contains(names, "echo.Echo") {
		t.Errorf("services %v", names)
	}
	files := ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "echo.Echo"},
	}).GetFileDescriptorResponse().GetFileDescriptorProto()
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(files[0], &file); err != nil || file.GetName() != "echo/echo.proto" {
		t.Errorf("file %s, %v", file.GetName(), err)
	}
}

// foreign is a gRPC server that is not ours.
func foreign(t *testing.T, s echopb.EchoServer) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer()
	echopb.RegisterEchoServer(gs, s)
	done := make(chan struct{})
	go func() { defer close(done); _ = gs.Serve(lis) }()
	t.Cleanup(func() { gs.Stop(); <-done })
	return lis.Addr().String()
}

type foreignEcho struct {
	echopb.UnimplementedEchoServer
	err error
}

func (f foreignEcho) Call(_ context.Context, in *echopb.Message) (*echopb.Message, error) {
	return in, f.err
}

func TestForeignServers(t *testing.T) {
	detail, err := anypb.New(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "text", Description: "is bad"}}})
	if err != nil {
		t.Fatal(err)
	}
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte{0xff, 0x01}}
	for _, tt := range []struct {
		name string
		err  error
		want fault.Code
	}{
		{"ok", nil, ""},
		{"plain", errors.New("hunter2"), fault.Internal},
		{"not found", status.Error(codes.NotFound, "no"), fault.NotFound},
		{"standard and unknown details", status.ErrorProto(&spb.Status{Code: int32(codes.InvalidArgument), Message: "bad", Details: []*anypb.Any{unknown, detail}}), fault.Invalid},
		{"a code that does not exist", status.Error(codes.Code(99), "what"), fault.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := rpc.NewClient(rpc.ClientConfig{})
			defer c.Close()
			m, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{Text: "ahoy"}, client.WithAddress(foreign(t, foreignEcho{err: tt.err})))
			if fault.CodeOf(err) != tt.want {
				t.Fatalf("got %v", err)
			}
			if tt.want == "" && m.GetText() != "ahoy" {
				t.Errorf("got %v", m)
			}
			if tt.want == fault.Invalid && (len(fault.From(err).Fields) != 1 || fault.From(err).Fields[0].Name != "text") {
				t.Errorf("fields %v", fault.From(err).Fields)
			}
			if f := fault.From(err); f != nil && f.Message == "hunter2" {
				t.Errorf("what the other side said of its own failure is the message")
			}
		})
	}
}
