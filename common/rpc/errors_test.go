package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func TestErrorsArriveWhole(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var answer error
		ep, _ := w.serve(&echo{
			call: func(context.Context, *echopb.Message, *echopb.Message) error { return answer },
			count: func(context.Context, *echopb.CountRequest, echopb.Echo_CountStream) error {
				return answer
			},
		})
		c := stub(w.dial(ep))
		for _, code := range fault.Codes() {
			sent := fault.Wrap(code, errors.New("the database said so"), "sentence for %s", code).WithRetryAfter(3 * time.Second)
			sent.Fields = []fault.Field{{Name: "containers[2].number", Rule: "format", Message: "is not ISO 6346"}}
			answer = fmt.Errorf("wrapped: %w", sent)

			_, unary := c.Call(within(t, 5*time.Second), &echopb.Message{})
			s, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{})
			if err != nil {
				t.Fatal(err)
			}
			_, streamed := s.Recv()
			for kind, err := range map[string]error{"unary": unary, "stream": streamed} {
				var got *fault.Error
				if !errors.As(err, &got) || !errors.Is(err, code) {
					t.Fatalf("%s %s: got %#v", code, kind, err)
				}
				if got.Message != sent.Message || got.RetryAfter != sent.RetryAfter || !reflect.DeepEqual(got.Fields, sent.Fields) {
					t.Errorf("%s %s: got %+v, want %+v", code, kind, got, sent)
				}
				if strings.Contains(err.Error(), "database") {
					t.Errorf("%s %s: the cause left the process: %v", code, kind, err)
				}
			}
		}
	})
}

func TestPlainErrorIsInternalAndItsCauseLoggedOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		for name, wrappers := range map[string][]server.HandlerWrapper{
			"bare":                      nil,
			"with access log":           {rpc.AccessLog(w.logger())},
			"with access log, recovery": {rpc.AccessLog(w.logger()), rpc.Recovery(w.logger())},
		} {
			secret := "hunter2 " + name
			ep, s := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error {
				return errors.New("dial mongo: password is " + secret)
			}}, wrappers...)
			_, err := stub(w.dial(ep)).Call(within(t, 5*time.Second), &echopb.Message{})
			if !errors.Is(err, fault.Internal) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: got %v", name, err)
			}
			if n := w.log.count("password is " + secret + `"`); n != 1 {
				t.Errorf("%s: the cause is in the log %d times:\n%s", name, n, w.log)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSharedSentinelErrorIsNotChanged(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		sentinel := fault.New(fault.NotFound, "there is no such vessel")
		before := *sentinel
		ep, _ := w.serve(&echo{call: func(context.Context, *echopb.Message, *echopb.Message) error { return sentinel }})
		c := stub(w.dial(ep))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					_, err := c.Call(within(t, 5*time.Second), &echopb.Message{})
					var got *fault.Error
					if !errors.As(err, &got) || got == sentinel {
						t.Errorf("got %p, the handler's own is %p", got, sentinel)
						return
					}
					got.Message = "changed by a caller"
				}
			})
		}
		wg.Wait()
		if !reflect.DeepEqual(before, *sentinel) {
			t.Errorf("it became %+v", sentinel)
		}
	})
}

func TestTooLargeMessagesAreRefused(t *testing.T) {
	big := &echopb.Message{Payload: make([]byte, rpc.MaxMessage+1)}
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{
			call: func(_ context.Context, in, out *echopb.Message) error {
				if in.GetText() == "answer big" {
					out.Payload = big.GetPayload()
				}
				return nil
			},
			count: func(_ context.Context, _ *echopb.CountRequest, s echopb.Echo_CountStream) error { return s.Send(big) },
		})
		c := stub(w.dial(ep))
		if _, err := c.Call(within(t, 5*time.Second), big); !errors.Is(err, fault.TooLarge) {
			t.Errorf("request: %v", err)
		}
		if _, err := c.Call(within(t, 5*time.Second), &echopb.Message{Text: "answer big"}); !errors.Is(err, fault.TooLarge) {
			t.Errorf("answer: %v", err)
		}
		s, err := c.Count(within(t, 5*time.Second), &echopb.CountRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, fault.TooLarge) {
			t.Errorf("streamed: %v", err)
		}
		chat, err := c.Chat(within(t, 5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := chat.Send(big); !errors.Is(err, fault.TooLarge) {
			t.Errorf("streamed by the caller: %v", err)
		}
	})
}

func TestEventsAreNotCarried(t *testing.T) {
	w := newWorld(t)
	_, s := w.serve(&echo{})
	c := w.client(nil)
	if err := c.Publish(t.Context(), c.NewMessage("topic", nil)); !errors.Is(err, fault.Unimplemented) {
		t.Errorf("Publish: %v", err)
	}
	if err := s.Subscribe(s.NewSubscriber("topic", nil)); !errors.Is(err, fault.Unimplemented) {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestBodiesThatAreNoMessagesAreRefused(t *testing.T) {
	w := newWorld(t)
	c := w.client(nil)
	if err := c.Call(t.Context(), c.NewRequest("echo", "Echo.Call", map[string]string{}), &echopb.Message{}); !errors.Is(err, fault.Internal) {
		t.Errorf("request: %v", err)
	}
	var none *echopb.Message
	if err := c.Call(t.Context(), c.NewRequest("echo", "Echo.Call", &echopb.Message{}), none); !errors.Is(err, fault.Internal) {
		t.Errorf("response: %v", err)
	}
}

func TestUnknownMethodIsUnimplemented(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{})
		c := w.dial(ep)
		err := c.Call(within(t, 5*time.Second), c.NewRequest("echo", "Echo.Sing", &echopb.Message{}), &echopb.Message{})
		if !errors.Is(err, fault.Unimplemented) {
			t.Errorf("got %v", err)
		}
	})
}
