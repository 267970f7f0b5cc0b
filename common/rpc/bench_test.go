package rpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// BenchmarkEcho compares bare gRPC with this package over gRPC and in process: 200 bytes each way, 128 callers, a deadline
// per call. Run it with -cpu at the number of cores; the ratio of the first two is what the package costs.
func BenchmarkEcho(b *testing.B) {
	msg := &echopb.Message{Text: "ahoy", Payload: make([]byte, 190)}
	b.Run("bare grpc", func(b *testing.B) {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := grpc.NewServer()
		echopb.RegisterEchoServer(s, bareEcho{})
		go func() { _ = s.Serve(lis) }()
		defer s.Stop()
		cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer cc.Close()
		c := echopb.NewEchoClient(cc)
		measure(b, func(ctx context.Context) error { _, err := c.Call(ctx, msg); return err })
	})
	b.Run("rpc over grpc", func(b *testing.B) {
		w := newWorld(b)
		w.serve(&echo{})
		c := stub(w.client(nil))
		measure(b, func(ctx context.Context) error { _, err := c.Call(ctx, msg); return err })
	})
	b.Run("rpc in process", func(b *testing.B) {
		w := newWorld(b)
		ep, _ := w.serve(&echo{})
		c := stub(w.client(ep))
		measure(b, func(ctx context.Context) error { _, err := c.Call(ctx, msg); return err })
	})
}

func measure(b *testing.B, call func(context.Context) error) {
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			if err := call(ctx); err != nil {
				b.Error(err)
			}
			cancel()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

type bareEcho struct{ echopb.UnimplementedEchoServer }

func (bareEcho) Call(_ context.Context, in *echopb.Message) (*echopb.Message, error) { return in, nil }
