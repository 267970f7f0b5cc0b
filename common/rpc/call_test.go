package rpc_test

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestCallReachesHandler(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{})
		c := stub(w.dial(ep))
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				want := &echopb.Message{Text: "ahoy", List: []string{"a", "b"}, Labels: map[string]string{"k": "v"}, Payload: []byte{1}}
				for range 10 {
					got, err := c.Call(within(t, 10*time.Second), want)
					if err != nil || !proto.Equal(got, want) {
						t.Errorf("got %v, %v", got, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestDynamicMessages: tools that know a proto only at run time can call, too.
func TestDynamicMessages(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{})
		c := w.dial(ep)
		desc := (&echopb.Message{}).ProtoReflect().Descriptor()
		raw, err := proto.Marshal(&echopb.Message{Text: "ahoy"})
		if err != nil {
			t.Fatal(err)
		}
		req, rsp := dynamicpb.NewMessage(desc), dynamicpb.NewMessage(desc)
		if err := proto.Unmarshal(raw, req); err != nil {
			t.Fatal(err)
		}
		if err := c.Call(within(t, 10*time.Second), c.NewRequest("echo", "Echo.Call", req), rsp); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(req, rsp) {
			t.Errorf("got %v", rsp)
		}
	})
}
