package event_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
)

func TestARedrivenEventIsHandledOnBehalfOfNobody(t *testing.T) {
	var cured atomic.Bool
	b := newBench(t, openDB(t), func(ctx context.Context, e event.Envelope) error {
		if !cured.Load() {
			return fault.New(fault.Invalid, "not yet")
		}
		if i, ok := auth.FromContext(ctx); ok {
			t.Errorf("handled for %+v", i)
		}
		if _, bounded := ctx.Deadline(); !bounded || e.EntityID != "x" {
			t.Errorf("handled %+v, bounded %v", e, bounded)
		}
		return nil
	})
	r := record(t, "x", "a", 1)
	b.must(messageOf(r, "x"))
	admin := auth.NewContext(t.Context(), auth.Identity{UserID: "root", Roles: []string{auth.RoleAdmin}})

	b.now = b.now.Add(time.Minute)
	err := b.Redrive(admin, r.ID)
	if !errors.Is(err, fault.WrongState) || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("got %v", err)
	}
	if letter := b.get(r.ID); letter.Attempts != 2 || !letter.FailedAt.Equal(b.now) || letter.Since.Equal(b.now) || string(letter.Payload) != string(r.Body) {
		t.Errorf("%+v", letter)
	}
	cured.Store(true)
	if err := b.Redrive(admin, r.ID); err != nil {
		t.Fatal(err)
	}
	if list := b.list(); len(list) != 0 {
		t.Errorf("letters %+v", list)
	}
	if err := b.Redrive(admin, r.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("redriven again: %v", err)
	}
}

func TestWhatIsNoEventFailsEveryRedrive(t *testing.T) {
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error { return nil })
	b.must(broker.Message{Topic: topic, Body: []byte("garbage")})
	id := b.list()[0].ID
	if err := b.Redrive(t.Context(), id); !errors.Is(err, fault.WrongState) {
		t.Errorf("got %v", err)
	}
	if letter := b.get(id); letter.Attempts != 2 {
		t.Errorf("%+v", letter)
	}
}

func TestARedriveThatItsCallerLeftIsNotCounted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := true
	b := newBench(t, openDB(t), func(ctx context.Context, _ event.Envelope) error {
		if first {
			first = false
			return fault.New(fault.Invalid, "no")
		}
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	r := record(t, "x", "a", 1)
	b.must(messageOf(r, "x"))
	if err := b.Redrive(ctx, r.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if letter := b.get(r.ID); letter.Attempts != 1 || letter.Reason != "invalid: no" {
		t.Errorf("%+v", letter)
	}
}

func TestALetterThatIsTakenAwayDuringItsRedrive(t *testing.T) {
	for name, test := range map[string]struct{ outcome, want error }{
		"handled": {nil, nil},
		"failed":  {fault.New(fault.Invalid, "no"), fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			var b *bench
			first := true
			b = newBench(t, openDB(t), func(ctx context.Context, e event.Envelope) error {
				if first {
					first = false
					return fault.New(fault.Invalid, "no")
				}
				if err := b.letters.Drop(ctx, e.ID); err != nil {
					t.Error(err)
				}
				return test.outcome
			})
			r := record(t, "x", "a", 1)
			b.must(messageOf(r, "x"))
			if err := b.Redrive(t.Context(), r.ID); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if list := b.list(); len(list) != 0 {
				t.Errorf("letters %+v", list)
			}
		})
	}
}

func TestRedrivesAndDropsAtTheSameTime(t *testing.T) {
	var cured, handled atomic.Int32
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
		if cured.Load() == 0 || handled.Add(1)%3 == 0 {
			return fault.New(fault.Invalid, "no")
		}
		return nil
	})
	for range 20 {
		cured.Store(0)
		r := record(t, "x", "a", 1)
		b.must(messageOf(r, "x"))
		cured.Store(1)
		var wait sync.WaitGroup
		for i := range 6 {
			wait.Go(func() {
				var err error
				if i == 5 {
					err = b.letters.Drop(t.Context(), r.ID)
				} else {
					err = b.Redrive(t.Context(), r.ID)
				}
				if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.WrongState) {
					t.Errorf("got %v", err)
				}
			})
		}
		wait.Wait()
		if list := b.list(); len(list) != 0 {
			t.Fatalf("letters %+v", list)
		}
	}
}
