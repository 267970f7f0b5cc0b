package rpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/fairwayfreight/fairway/common/fault"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

type away struct{ echopb.UnimplementedEchoServer }

func (away) Call(context.Context, *echopb.Message) (*echopb.Message, error) {
	return nil, fault.New(fault.Unavailable, "the store is away")
}

// TestAttemptKnowsWhetherAnythingWasSent: only then may a call with effects go to another node.
func TestAttemptKnowsWhetherAnythingWasSent(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer()
	echopb.RegisterEchoServer(gs, away{})
	done := make(chan struct{})
	go func() { defer close(done); _ = gs.Serve(lis) }()
	p := newPool(nil)
	defer p.close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, tt := range []struct {
		name string
		prep func()
		want outcome
	}{
		{"the handler said so", func() {}, mayHaveRun},
		{"no connection could be made", func() { gs.Stop(); <-done }, notRun},
	} {
		tt.prep()
		c, err := p.get(lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		did, err := attempt(ctx, c, "/echo.Echo/Call", &echopb.Message{}, &echopb.Message{})
		if !errors.Is(err, fault.Unavailable) || did != tt.want {
			t.Errorf("%s: got %v, %v; want %v", tt.name, did, err, tt.want)
		}
	}
}
