package rpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// replaying answers, well or with an error, and says that it was a replay where it is asked to.
func replaying() *echo {
	return &echo{call: func(ctx context.Context, in, out *echopb.Message) error {
		same(in, out)
		switch in.GetText() {
		case "replay":
			rpc.SetTrailer(ctx, rpc.KeyReplayed, "true")
		case "replay an error":
			rpc.SetTrailer(ctx, rpc.KeyReplayed, "true")
			return fault.New(fault.NoCapacity, "no room")
		case "what may not be said":
			rpc.SetTrailer(ctx, "x-secret", "internals")
			rpc.SetTrailer(ctx, rpc.KeyReplayed, "line\nbreak")
		}
		return nil
	}}
}

// detour is a client's wrapper that has a context of its own for each call, as wrappers do.
type detour struct{ client.Client }

func (d *detour) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	ctx, cancel := context.WithCancel(rpc.WithMetadata(ctx, rpc.KeyIdempotency, "k"))
	defer cancel()
	return d.Client.Call(ctx, req, rsp, opts...)
}

func TestATrailerComesWithAnswersAndErrors(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(replaying(), rpc.Recovery(w.logger()), rpc.AccessLog(w.logger()))
		c := stub(w.dial(ep, func(c client.Client) client.Client { return &detour{c} }))
		for _, tt := range []struct {
			text string
			code fault.Code
			want string
		}{
			{"replay", "", "true"},
			{"replay an error", fault.NoCapacity, "true"},
			{"fresh", "", ""},
			{"what may not be said", "", ""},
		} {
			ctx, trailer := rpc.WithTrailer(within(t, 10*time.Second))
			_, err := c.Call(ctx, &echopb.Message{Text: tt.text})
			if fault.CodeOf(err) != tt.code || trailer.Get(rpc.KeyReplayed) != tt.want || trailer.Get("x-secret") != "" {
				t.Errorf("%s: %q, %v", tt.text, trailer.Get(rpc.KeyReplayed), err)
			}
		}
		// Nobody wants it here.
		if _, err := c.Call(within(t, 10*time.Second), &echopb.Message{Text: "replay"}); err != nil {
			t.Error(err)
		}
	})
}

func TestATrailerIsNotThatOfACallFurtherIn(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		inner := w.another()
		innerEnd, _ := inner.serve(replaying())
		onward := stub(inner.dial(innerEnd))
		ep, _ := w.serve(&echo{call: func(ctx context.Context, in, out *echopb.Message) error {
			_, err := onward.Call(ctx, in)
			return err
		}})
		ctx, trailer := rpc.WithTrailer(within(t, 10*time.Second))
		if _, err := stub(w.dial(ep)).Call(ctx, &echopb.Message{Text: "replay"}); err != nil {
			t.Fatal(err)
		}
		if got := trailer.Get(rpc.KeyReplayed); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestNothingIsGatheredOfAHandlerThatItsCallerLeft(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		left := make(chan struct{})
		ep, _ := w.serve(&echo{call: func(ctx context.Context, in, out *echopb.Message) error {
			defer close(left)
			for range 100 { // with -race: while the caller reads
				rpc.SetTrailer(ctx, rpc.KeyReplayed, "true")
			}
			<-ctx.Done()
			for range 100 {
				rpc.SetTrailer(ctx, rpc.KeyReplayed, "true")
			}
			return ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		ctx, trailer := rpc.WithTrailer(ctx)
		if _, err := stub(w.dial(ep)).Call(ctx, &echopb.Message{}); !errors.Is(err, fault.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		before := trailer.Get(rpc.KeyReplayed)
		<-left
		if after := trailer.Get(rpc.KeyReplayed); after != before {
			t.Errorf("%q became %q after the call had ended", before, after)
		}
	})
}

func TestAnyGRPCClientSeesTheTrailer(t *testing.T) {
	w := newWorld(t)
	ep, _ := w.serve(replaying())
	conn, err := grpc.NewClient(ep.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for text, failed := range map[string]bool{"replay": false, "replay an error": true} {
		var trailer metadata.MD
		_, err := echopb.NewEchoClient(conn).Call(within(t, 10*time.Second), &echopb.Message{Text: text}, grpc.Trailer(&trailer))
		if (err != nil) != failed || len(trailer.Get("idempotent-replayed")) != 1 || trailer.Get("idempotent-replayed")[0] != "true" {
			t.Errorf("%s: %v, %v", text, trailer, err)
		}
	}
}

func TestASetTrailerOutsideOfACallDoesNothing(t *testing.T) {
	rpc.SetTrailer(t.Context(), rpc.KeyReplayed, "true")
}
