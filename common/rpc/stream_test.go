package rpc_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestServerStreamGivesAllMessagesThenTheEnd(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{})
		s, err := stub(w.dial(ep)).Count(within(t, 10*time.Second), &echopb.CountRequest{Count: 100})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			if _, err = s.Recv(); err != nil {
				break
			}
		}
		if !errors.Is(err, io.EOF) || n != 100 {
			t.Errorf("after %d messages: %v", n, err)
		}
	})
}

func TestMessagesBeforeAnErrorArrive(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{count: func(_ context.Context, _ *echopb.CountRequest, s echopb.Echo_CountStream) error {
			for range 3 {
				if err := s.Send(&echopb.Message{}); err != nil {
					return err
				}
			}
			return fault.New(fault.Conflict, "enough")
		}})
		s, err := stub(w.dial(ep)).Count(within(t, 10*time.Second), &echopb.CountRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Recv(); !errors.Is(err, fault.Conflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBothSidesOfAStreamTalkAtTheSameTime(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{})
		s, err := stub(w.dial(ep)).Chat(within(t, 20*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		const messages = 500
		var wg sync.WaitGroup
		wg.Go(func() {
			for range messages {
				if err := s.Send(&echopb.Message{Text: "x"}); err != nil {
					t.Error(err)
					return
				}
			}
			if err := s.CloseSend(); err != nil {
				t.Error(err)
			}
		})
		for i := range messages {
			if m, err := s.Recv(); err != nil || m.GetText() != "x" {
				t.Fatalf("%d: %v, %v", i, m, err)
			}
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		wg.Wait()
	})
}

func TestSendWaitsForAReaderThatIsSlow(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		var sent atomic.Int64
		payload := make([]byte, 64<<10)
		ep, _ := w.serve(&echo{count: func(_ context.Context, _ *echopb.CountRequest, s echopb.Echo_CountStream) error {
			for {
				if err := s.Send(&echopb.Message{Payload: payload}); err != nil {
					return err
				}
				sent.Add(1)
			}
		}})
		s, err := stub(w.dial(ep)).Count(within(t, 20*time.Second), &echopb.CountRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		// Nobody reads now: the sender comes to a halt.
		last := int64(-1)
		eventually(t, "the sender waits", func() bool {
			now := sent.Load()
			halted := now == last
			last = now
			time.Sleep(50 * time.Millisecond)
			return halted
		})
		if last > 1000 {
			t.Errorf("%d messages were buffered", last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStreamEndsForTheHandlerWhenItsCallerLeaves(t *testing.T) {
	for name, leave := range map[string]func(echopb.Echo_ChatService, context.CancelFunc){
		"cancel": func(_ echopb.Echo_ChatService, cancel context.CancelFunc) { cancel() },
		"close":  func(s echopb.Echo_ChatService, _ context.CancelFunc) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w *world) {
				ended := make(chan error, 1)
				ep, _ := w.serve(&echo{chat: func(_ context.Context, s echopb.Echo_ChatStream) error {
					for {
						if _, err := s.Recv(); err != nil {
							ended <- err
							return err
						}
						if err := s.Send(&echopb.Message{}); err != nil {
							ended <- err
							return err
						}
					}
				}})
				ctx, cancel := context.WithCancel(within(t, 20*time.Second))
				defer cancel()
				s, err := stub(w.dial(ep)).Chat(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Send(&echopb.Message{}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Recv(); err != nil {
					t.Fatal(err)
				}
				leave(s, cancel)
				if _, err := s.Recv(); !errors.Is(err, fault.Canceled) {
					t.Errorf("the caller gets %v", err)
				}
				select {
				case err := <-ended:
					if !errors.Is(err, fault.Canceled) {
						t.Errorf("the handler gets %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Error("the handler was not told")
				}
			})
		})
	}
}

func TestStreamHasADeadline(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{chat: func(ctx context.Context, _ echopb.Echo_ChatStream) error { <-ctx.Done(); return ctx.Err() }})
		start := time.Now()
		s, err := stub(w.dial(ep)).Chat(within(t, 200*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, fault.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestSendAfterTheHandlerReturnedTellsTheEnd(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{chat: func(context.Context, echopb.Echo_ChatStream) error { return fault.New(fault.Conflict, "no") }})
		s, err := stub(w.dial(ep)).Chat(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "Send fails", func() bool {
			err := s.Send(&echopb.Message{})
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("got %v", err)
			}
			return err != nil
		})
		if _, err := s.Recv(); !errors.Is(err, fault.Conflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStreamedMessagesAreCopies(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world) {
		ep, _ := w.serve(&echo{chat: func(_ context.Context, s echopb.Echo_ChatStream) error {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
			m.List[0] = "changed by the handler"
			return nil
		}})
		s, err := stub(w.dial(ep)).Chat(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		m := &echopb.Message{List: []string{"a"}}
		if err := s.Send(m); err != nil {
			t.Fatal(err)
		}
		m.List[0] = "changed by the caller"
		got, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if got.GetList()[0] != "a" || m.GetList()[0] != "changed by the caller" {
			t.Errorf("got %v, sent %v", got, m)
		}
	})
}
