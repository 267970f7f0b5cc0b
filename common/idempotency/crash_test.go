package idempotency_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

const lease = 10 * time.Second

func TestOneOfManyWorks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begun bool // a worker has begun before and died
	}{{"first requests", false}, {"takeover", true}} {
		t.Run(tt.name, func(t *testing.T) {
			const callers = 50
			w := newWorld(t)
			replicas := []*idempotency.Keeper{w.replica(), w.replica()}
			a := ask{key: "k", name: "Tern"}
			if tt.begun {
				dead := newHung(t)
				dead.start(w.replica(), a, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { dead.here(); return errDisk })
				w.advance(lease)
			}
			outcomes, start := make(chan outcome, callers), make(chan struct{})
			for i := range callers {
				go func() {
					<-start
					outcomes <- call(t.Context(), replicas[i%2], a, w.build)
				}()
			}
			close(start)
			worked := 0
			for range callers {
				o := <-outcomes
				switch {
				case o.err == nil && !o.replayed:
					worked++
				case o.err == nil, errors.Is(o.err, fault.Conflict) && fault.From(o.err).RetryAfter >= time.Second:
				default:
					t.Errorf("%+v", o)
				}
			}
			if worked != 1 || len(w.fleet()) != 1 {
				t.Errorf("%d did the work, %d ships", worked, len(w.fleet()))
			}
		})
	}
}

func TestARequestInFlightIsAConflictUntilItsLeaseIsOver(t *testing.T) {
	w := newWorld(t)
	slow := newHung(t)
	slow.start(w.replica(), ask{key: "k", name: "Tern"}, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		slow.here()
		return w.build(ctx, in, out)
	})
	other := w.replica()
	for _, passed := range []time.Duration{0, 4 * time.Second, lease - time.Millisecond} {
		w.advance(passed)
		o := call(t.Context(), other, ask{key: "k", name: "Tern"}, w.build)
		if !errors.Is(o.err, fault.Conflict) || o.replayed || fault.From(o.err).RetryAfter != time.Second {
			t.Errorf("after %v: %+v, retry after %v", passed, o, fault.From(o.err).RetryAfter)
		}
		w.advance(-passed)
	}
	if o := call(t.Context(), other, ask{key: "k", name: "Teal"}, w.build); o.code() != fault.KeyReused {
		t.Errorf("another body meanwhile: %+v", o)
	}
	slow.release()
	first := <-slow.done
	if o := call(t.Context(), other, ask{key: "k", name: "Tern"}, w.build); first.err != nil || !o.replayed || o.id != first.id {
		t.Errorf("first %+v, then %+v", first, o)
	}
}

// A keeper that is alone on its documents knows that whoever else had a lease is dead.
func TestWhereNobodyElseCanBeALeaseOfOthersIsOver(t *testing.T) {
	w := newWorld(t)
	alone := func() *idempotency.Keeper {
		k, err := idempotency.New(t.Context(), w.db, true, w.now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a := ask{key: "k", name: "Tern"}
	first := alone()
	dead := newHung(t)
	dead.start(first, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		err := w.build(ctx, in, out)
		dead.here()
		return err
	})
	if o := call(t.Context(), first, a, w.build); !errors.Is(o.err, fault.Conflict) {
		t.Errorf("in the same process: %+v", o)
	}
	if o := call(t.Context(), alone(), a, w.build); o.err != nil || len(w.fleet()) != 1 || o.id != w.fleet()[0] {
		t.Errorf("after its death: %+v, ships %v", o, w.fleet())
	}
}

func TestADeadWorkersRequestIsResumedUnderTheSameID(t *testing.T) {
	for _, tt := range []struct {
		name  string
		built bool // before it died
	}{{"between intent and work", false}, {"between work and answer", true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := ask{key: "k", name: "Tern"}
			dead, id := newHung(t), ""
			dead.start(w.replica(), a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) (err error) {
				if id, err = idempotency.NewID(ctx); err != nil {
					return err
				}
				if tt.built {
					err = w.build(ctx, in, out)
				}
				dead.here()
				return err
			})
			w.advance(lease)
			k := w.replica()
			resumed := false
			o := call(t.Context(), k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
				resumed = idempotency.Resumed(ctx)
				return w.build(ctx, in, out)
			})
			if o.err != nil || o.replayed || o.id != id || !resumed || len(w.fleet()) != 1 {
				t.Errorf("%+v, resumed %v, id %s, ships %v", o, resumed, id, w.fleet())
			}
			if again := call(t.Context(), k, a, w.build); !again.replayed || again.id != id {
				t.Errorf("again %+v", again)
			}
		})
	}
}

func TestOfTwoWorkersTheFirstToAnswerCounts(t *testing.T) {
	w := newWorld(t)
	a := ask{key: "k", name: "Tern"}
	slow := newHung(t)
	slow.start(w.replica(), a, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error {
		slow.here()
		return fault.New(fault.NoCapacity, "too late to matter")
	})
	w.advance(lease)
	k := w.replica()
	second := call(t.Context(), k, a, w.build)
	slow.release()
	if first := <-slow.done; second.err != nil || first.err != nil || !first.replayed || first.id != second.id {
		t.Errorf("the slow one %+v, the other %+v", first, second)
	}
	if again := call(t.Context(), k, a, w.build); !again.replayed || again.id != second.id {
		t.Errorf("again %+v", again)
	}
}

func TestWhoWasTooSlowEndsNobodysLease(t *testing.T) {
	w := newWorld(t)
	a := ask{key: "k", name: "Tern"}
	slow, second := newHung(t), newHung(t)
	slow.start(w.replica(), a, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { slow.here(); return errDisk })
	w.advance(lease)
	second.start(w.replica(), a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		second.here()
		return w.build(ctx, in, out)
	})
	slow.release()
	<-slow.done
	if o := call(t.Context(), w.replica(), a, w.build); o.code() != fault.Conflict {
		t.Errorf("%+v", o)
	}
	second.release()
	if o := <-second.done; o.err != nil || len(w.fleet()) != 1 {
		t.Errorf("%+v, %d ships", o, len(w.fleet()))
	}
}

func TestAnAnswerThatCannotBeKeptIsGivenAndAskingAgainFindsTheEntity(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	a := ask{key: "k", name: "Tern"}
	first := call(t.Context(), k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		defer w.db.failing.Store(true)
		return w.build(ctx, in, out)
	})
	w.db.failing.Store(false)
	if first.err != nil || first.id == "" {
		t.Fatalf("first %+v", first)
	}
	if o := call(t.Context(), k, a, w.build); o.code() != fault.Conflict {
		t.Errorf("while the lease lasts: %+v", o)
	}
	w.advance(lease)
	if o := call(t.Context(), k, a, w.build); o.err != nil || o.replayed || o.id != first.id || len(w.fleet()) != 1 {
		t.Errorf("%+v, %d ships", o, len(w.fleet()))
	}
}

func TestNothingIsDoneWithoutAnIntent(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	w.db.failing.Store(true)
	if o := call(t.Context(), k, ask{key: "k", name: "Tern"}, w.build); o.code() != fault.Internal {
		t.Errorf("%+v", o)
	}
	if n := len(w.fleet()); n != 0 {
		t.Errorf("%d ships", n)
	}
}

func TestAPanicEndsTheLeaseAtOnce(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	a := ask{key: "k", name: "Tern"}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		call(t.Context(), k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
			_ = w.build(ctx, in, out)
			panic("boom")
		})
	}()
	if o := call(t.Context(), k, a, w.build); o.err != nil || o.replayed || len(w.fleet()) != 1 {
		t.Errorf("%+v, %d ships", o, len(w.fleet()))
	}
}

// never is a handler that must not be called.
func never(t *testing.T) handler {
	return func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error {
		t.Error("the handler was called")
		return nil
	}
}

func TestACallerWhoGoesAway(t *testing.T) {
	a := ask{key: "k", name: "Tern"}
	t.Run("before the work", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if o := call(ctx, k, a, never(t)); o.code() != fault.Canceled {
			t.Errorf("%+v", o)
		}
		if o := call(t.Context(), k, a, w.build); o.err != nil {
			t.Errorf("at once after that: %+v", o)
		}
	})
	t.Run("while the intent is written", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		ctx, leave := context.WithCancel(t.Context())
		w.db.cutOff = leave
		if o := call(ctx, k, a, never(t)); o.code() != fault.Canceled {
			t.Errorf("%+v", o)
		}
		w.db.cutOff = nil
		if o := call(t.Context(), k, a, w.build); o.err != nil {
			t.Errorf("at once after that: %+v", o)
		}
	})
	t.Run("during the work, which is done all the same", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		ctx, leave := context.WithCancel(t.Context())
		first := call(ctx, k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
			defer leave()
			return w.build(ctx, in, out)
		})
		if o := call(t.Context(), k, a, w.build); !o.replayed || o.id != first.id {
			t.Errorf("%+v, then %+v", first, o)
		}
	})
	t.Run("during the work, which is cut off", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		ctx, leave := context.WithCancel(t.Context())
		call(ctx, k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
			if err := w.build(ctx, in, out); err != nil {
				return err
			}
			leave()
			return ctx.Err()
		})
		if o := call(t.Context(), k, a, w.build); o.err != nil || o.replayed || len(w.fleet()) != 1 {
			t.Errorf("%+v, %d ships", o, len(w.fleet()))
		}
	})
}

func TestAHandlerHasLessTimeThanItsLease(t *testing.T) {
	w := newWorld(t)
	call(t.Context(), w.replica(), ask{key: "k"}, func(ctx context.Context, _ *vesselpb.Vessel, _ *vesselpb.Response) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > lease-time.Second {
			t.Errorf("until %v, %v", end, ok)
		}
		return nil
	})
}

func TestARenewedIDIsTheOneFromThenOn(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	a := ask{key: "k", name: "Tern"}
	var old, renewed string
	call(t.Context(), k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		old, _ = idempotency.NewID(ctx)
		return fault.New(fault.Unavailable, "a service was away")
	})
	call(t.Context(), k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) (err error) {
		if id, _ := idempotency.NewID(ctx); id != old || !idempotency.Resumed(ctx) {
			t.Errorf("%s, resumed %v", id, idempotency.Resumed(ctx))
		}
		if renewed, err = idempotency.Renew(ctx); err != nil || renewed == old || idempotency.Resumed(ctx) {
			t.Errorf("%s, %v, resumed %v", renewed, err, idempotency.Resumed(ctx))
		}
		return errDisk
	})
	o := call(t.Context(), k, a, w.build)
	if o.err != nil || o.id != renewed {
		t.Errorf("%+v, want %s", o, renewed)
	}
}

func TestWhoLostTheLeaseCannotRenew(t *testing.T) {
	w := newWorld(t)
	a := ask{key: "k", name: "Tern"}
	slow := newHung(t)
	slow.start(w.replica(), a, func(ctx context.Context, _ *vesselpb.Vessel, _ *vesselpb.Response) error {
		slow.here()
		_, err := idempotency.Renew(ctx)
		return err
	})
	w.advance(lease)
	second := call(t.Context(), w.replica(), a, w.build)
	slow.release()
	if o := <-slow.done; !errors.Is(o.err, fault.Conflict) {
		t.Errorf("%+v", o)
	}
	if o := call(t.Context(), w.replica(), a, w.build); !o.replayed || o.id != second.id {
		t.Errorf("%+v", o)
	}
}

func TestAClockThatWasWrongLocksNobodyOut(t *testing.T) {
	w := newWorld(t)
	a := ask{key: "k", name: "Tern"}
	w.advance(48 * time.Hour)
	dead := newHung(t)
	dead.start(w.replica(), a, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { dead.here(); return errDisk })
	w.advance(-48 * time.Hour)
	if o := call(t.Context(), w.replica(), a, w.build); o.err != nil {
		t.Errorf("%+v", o)
	}
}

func TestAnIntentThatIsWorkedOnDoesNotExpire(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	a := ask{key: "k", name: "Tern"}
	call(t.Context(), k, a, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { return errDisk })
	w.advance(24*time.Hour - time.Second)
	late := newHung(t)
	late.start(k, a, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		late.here()
		return w.build(ctx, in, out)
	})
	w.advance(2 * time.Second)
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := call(t.Context(), k, a, never(t)); o.code() != fault.Conflict {
		t.Errorf("%+v", o)
	}
	late.release()
	if o := <-late.done; o.err != nil || len(w.fleet()) != 1 {
		t.Errorf("%+v, %d ships", o, len(w.fleet()))
	}
	if err := k.Sweep(t.Context()); err != nil || w.intents() != 0 {
		t.Errorf("%d intents, %v", w.intents(), err)
	}
}
