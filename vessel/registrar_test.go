package vessel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

var oneTEU = Need{Quarters: 4, Weight: 1000}

func TestABookingTakesRoomAndACancellationGivesItBack(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	need := Need{Quarters: 9, Weight: 12_345}
	if err := w.book(t, v, "b1", need); err != nil {
		t.Fatal(err)
	}
	if got := w.used(t, v); got != need {
		t.Errorf("used %+v", got)
	}
	w.truth.say("b1", consignmentpb.State_CONFIRMED, v)
	w.settle(t)
	if a := w.allocation(t, v, "b1"); a.State != StateFirm {
		t.Errorf("the allocation is %s", a.State)
	}
	w.quiet(t, v)
	for range 3 { // repeating is harmless
		if err := w.release(t.Context(), "b1", v); err != nil {
			t.Fatal(err)
		}
		if got := w.used(t, v); got != (Need{}) {
			t.Errorf("used %+v after the release", got)
		}
	}
	w.settle(t)
	w.quiet(t, v)
	if err := w.book(t, v, "b1", need); !errors.Is(err, fault.WrongState) {
		t.Errorf("a released booking took room again: %v", err)
	}
}

func TestRepeatingAReservationTakesNothingTwice(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	for range 3 {
		if err := w.book(t, v, "b1", oneTEU); err != nil {
			t.Fatal(err)
		}
	}
	w.truth.say("b1", consignmentpb.State_CONFIRMED, v)
	w.settle(t)
	if err := w.book(t, v, "b1", oneTEU); err != nil { // now firm and forgotten by the ledger
		t.Fatal(err)
	}
	if got := w.used(t, v); got != oneTEU {
		t.Errorf("used %+v", got)
	}
}

func TestLimitsInTEUAndInKilogramsBothHold(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 2, 10_000)
	for name, n := range map[string]Need{"TEU": {Quarters: 9, Weight: 1}, "kg": {Quarters: 1, Weight: 10_001}} {
		if err := w.book(t, v, "too-much-"+name, n); !errors.Is(err, fault.NoCapacity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.book(t, v, "exact", Need{Quarters: 8, Weight: 10_000}); err != nil {
		t.Errorf("a booking that fills the voyage exactly: %v", err)
	}
	if err := w.book(t, v, "one more", Need{Quarters: 1, Weight: 1}); !errors.Is(err, fault.NoCapacity) {
		t.Errorf("on a full voyage: %v", err)
	}
}

func TestConcurrentBookingsFillAVoyageExactly(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 100, 10_000_000)
	var booked, refused atomic.Int32
	var wait sync.WaitGroup
	for i := range 300 {
		wait.Go(func() {
			err := w.book(t, v, fmt.Sprint("b", i), oneTEU)
			switch {
			case err == nil:
				booked.Add(1)
				w.truth.say(fmt.Sprint("b", i), consignmentpb.State_CONFIRMED, v)
			case errors.Is(err, fault.NoCapacity):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if booked.Load() != 100 || refused.Load() != 200 || w.used(t, v).Quarters != 400 {
		t.Errorf("%d booked, %d refused, %d quarters used", booked.Load(), refused.Load(), w.used(t, v).Quarters)
	}
	w.settle(t)
	w.quiet(t, v)
	if w.used(t, v).Quarters != 400 {
		t.Errorf("%d quarters used after settling", w.used(t, v).Quarters)
	}
}

// Two replicas of the service have books of their own on the same documents.
func TestTwoReplicasOnOneVoyageStayExact(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 50, 10_000_000)
	other := *w.registrar
	other.books = newBooks(w.ledgers, w.allocations, w.clock.now)
	replicas := []*registrar{w.registrar, &other}
	var booked atomic.Int32
	var wait sync.WaitGroup
	for i := range 120 {
		wait.Go(func() {
			_, err := replicas[i%2].reserve(t.Context(), v, fmt.Sprint("b", i), wish{need: oneTEU})
			if err == nil {
				booked.Add(1)
			} else if !errors.Is(err, fault.NoCapacity) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if booked.Load() != 50 || w.used(t, v).Quarters != 200 {
		t.Errorf("%d booked, %d quarters used", booked.Load(), w.used(t, v).Quarters)
	}
	// And they give back exactly, both at once.
	for i := range 120 {
		for _, r := range replicas {
			wait.Go(func() {
				if err := r.release(t.Context(), fmt.Sprint("b", i), v); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	if got := w.used(t, v); got != (Need{}) {
		t.Errorf("used %+v after all were released", got)
	}
}

func TestReserveAndReleaseOfOneBookingAtOnceLeaveNothingBehind(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 1000, 100_000_000)
	var wait sync.WaitGroup
	for i := range 100 {
		booking := fmt.Sprint("b", i)
		wait.Go(func() {
			if err := w.book(t, v, booking, oneTEU); err != nil && !errors.Is(err, fault.WrongState) {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if err := w.release(t.Context(), booking, v); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	w.settle(t) // the truth says that none of them was confirmed
	w.clock.advance(abandoned + time.Second)
	w.settle(t)
	w.quiet(t, v)
	if got := w.used(t, v); got != (Need{}) {
		t.Errorf("used %+v", got)
	}
}

func TestAFullLedgerMakesBookingsWait(t *testing.T) {
	l := &Ledger{Legs: []Room{{Quarters: 1 << 40, Weight: 1 << 40}}}
	for i := range maxPending {
		if _, err := l.enter(fmt.Sprint(i), wish{need: oneTEU}, nil, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.enter("one more", wish{need: oneTEU}, nil, time.Time{})
	if !errors.Is(err, fault.Unavailable) || fault.From(err).RetryAfter == 0 {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, errFull) {
		t.Errorf("nobody would wait for a turn after %v", err)
	}
	if _, err := l.strike("a cancellation", &Allocation{State: StateReleasing, WasFirm: true, Need: oneTEU, Span: l.whole()}); err != nil {
		t.Errorf("giving room back is kept waiting: %v", err)
	}
}

func TestABookingWaitsForItsTurnInAFullLedger(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10_000, 100_000_000)
	for i := range maxPending {
		id := fmt.Sprint("b", i)
		w.truth.say(id, consignmentpb.State_CONFIRMED, v)
	}
	if _, err := w.ledgers.Update(t.Context(), v, func(doc *store.Document[Ledger]) ([]store.Event, error) {
		for i := range maxPending {
			if _, err := doc.Value.enter(fmt.Sprint("b", i), wish{need: oneTEU}, nil, time.Time{}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	w.truth.say("one more", consignmentpb.State_RECEIVED, "") // its request is under way
	done := make(chan error, 1)
	go func() { done <- w.book(t, v, "one more", oneTEU) }()
	for waiting := true; waiting; {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("got %v", err)
			}
			waiting = false
		default:
			w.settle(t)
		}
	}
	if got := w.used(t, v).Quarters; got != 4*(maxPending+1) {
		t.Errorf("%d quarters used", got)
	}
}

// TestEveryCut stops a booking's way after each of its writes, as a crash would, restarts, and settles with each truth.
func TestEveryCut(t *testing.T) {
	ctx := t.Context()
	counted := func(w *world, v string) {
		if _, err := w.books.enter(ctx, v, "b", wish{need: oneTEU}); err != nil {
			t.Fatal(err)
		}
	}
	firm := func(w *world, v string) {
		if err := w.registrar.firm(ctx, v, []string{"b"}, w.ledger(t, v).Pending); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(w *world, v string) {
		if err := w.books.forget(ctx, v, []string{"b"}); err != nil {
			t.Fatal(err)
		}
	}
	releasing := func(w *world, v string) {
		if err := w.registrar.releasing(ctx, v, "b"); err != nil {
			t.Fatal(err)
		}
	}
	uncounted := func(w *world, v string) {
		if err := w.books.strike(ctx, v, "b"); err != nil {
			t.Fatal(err)
		}
	}
	released := func(w *world, v string) {
		if err := w.registrar.released(ctx, v, "b"); err != nil {
			t.Fatal(err)
		}
	}
	type step = func(*world, string)
	const confirmed, rejected, cancelled = consignmentpb.State_CONFIRMED, consignmentpb.State_REJECTED, consignmentpb.State_CANCELLED
	for name, tc := range map[string]struct {
		steps []step
		truth consignmentpb.State
		used  Need
	}{
		"counted, rejected":                   {[]step{counted}, rejected, Need{}},
		"counted, confirmed":                  {[]step{counted}, confirmed, oneTEU},
		"counted, cancelled":                  {[]step{counted}, cancelled, Need{}},
		"firm, confirmed":                     {[]step{counted, firm}, confirmed, oneTEU},
		"forgotten, confirmed":                {[]step{counted, firm, forget}, confirmed, oneTEU},
		"never counted, releasing":            {[]step{releasing}, rejected, Need{}},
		"counted, releasing":                  {[]step{counted, releasing}, rejected, Need{}},
		"firm, releasing":                     {[]step{counted, firm, releasing}, cancelled, Need{}},
		"releasing, firm too late":            {[]step{counted, releasing, firm}, cancelled, Need{}},
		"out of the count, firm too late":     {[]step{counted, releasing, uncounted, firm}, cancelled, Need{}},
		"forgotten, releasing":                {[]step{counted, firm, forget, releasing}, cancelled, Need{}},
		"forgotten, out of the count":         {[]step{counted, firm, forget, releasing, uncounted}, cancelled, Need{}},
		"never counted, barred":               {[]step{releasing, uncounted}, rejected, Need{}},
		"released, not forgotten":             {[]step{counted, firm, forget, releasing, uncounted, released}, cancelled, Need{}},
		"released and forgotten":              {[]step{counted, releasing, uncounted, released, forget}, cancelled, Need{}},
		"every step of the release twice":     {[]step{counted, firm, releasing, releasing, uncounted, uncounted, released, released, forget, forget}, cancelled, Need{}},
		"uncounted again after being dropped": {[]step{counted, firm, releasing, uncounted, released, forget, uncounted}, cancelled, Need{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v := w.sailing(t, 10, 100_000)
			for _, step := range tc.steps {
				step(w, v)
			}
			w.truth.say("b", tc.truth, v)
			if err := w.db.Close(); err != nil {
				t.Fatal(err)
			}
			w.open(t)
			w.clock.advance(abandoned + time.Second)
			for range 3 { // more often than needed
				w.settle(t)
			}
			if got := w.used(t, v); got != tc.used {
				t.Errorf("used %+v, want %+v", got, tc.used)
			}
			w.quiet(t, v)
			if tc.truth != confirmed {
				if err := w.book(t, v, "b", oneTEU); !errors.Is(err, fault.WrongState) {
					t.Errorf("a late reservation: %v", err)
				}
				if got := w.used(t, v); got != (Need{}) {
					t.Errorf("a late reservation took %+v", got)
				}
			}
		})
	}
}

func TestABookingWhoseRequestIsUnderWayIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	if err := w.book(t, v, "b", oneTEU); err != nil {
		t.Fatal(err)
	}
	w.truth.say("b", consignmentpb.State_RECEIVED, "")
	w.clock.advance(time.Hour)
	w.settle(t)
	if l := w.ledger(t, v); len(l.Pending) != 1 || w.used(t, v) != oneTEU {
		t.Errorf("pending %+v, used %+v", l.Pending, w.used(t, v))
	}
}

func TestRoomOnAVoyageThatTheBookingDidNotTakeIsGivenBack(t *testing.T) {
	w := newWorld(t)
	tried, taken := w.sailing(t, 10, 100_000), w.sailing(t, 10, 100_000)
	for _, v := range []string{tried, taken} {
		if err := w.book(t, v, "b", oneTEU); err != nil {
			t.Fatal(err)
		}
	}
	w.truth.say("b", consignmentpb.State_CONFIRMED, taken)
	w.settle(t)
	w.settle(t)
	if w.used(t, tried) != (Need{}) || w.used(t, taken) != oneTEU {
		t.Errorf("used %+v and %+v", w.used(t, tried), w.used(t, taken))
	}
	w.quiet(t, tried)
	w.quiet(t, taken)
}

func TestWhileTheTruthCannotBeAskedNothingIsReleased(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	if err := w.book(t, v, "b", oneTEU); err != nil {
		t.Fatal(err)
	}
	w.truth.err = fault.New(fault.Unavailable, "away")
	w.clock.advance(time.Hour)
	if err := w.settler.settle(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if w.used(t, v) != oneTEU {
		t.Errorf("used %+v", w.used(t, v))
	}
}

func TestAHalfMadeVoyageIsOpenedOrRemoved(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	vessel := Vessel{ID: "ship", OwnerID: "carrier", Capacity: 10, MaxWeight: 1000}
	if _, err := w.fleet.vessels.Insert(ctx, vessel); err != nil {
		t.Fatal(err)
	}
	orphan, err := w.fleet.plan(ctx, Voyage{VesselID: "never made", OwnerID: "carrier", Capacity: 10, MaxWeight: 1000})
	if err != nil {
		t.Fatal(err)
	}
	half, err := w.fleet.plan(ctx, Voyage{VesselID: "ship", OwnerID: "carrier", Capacity: 10, MaxWeight: 1000})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t) // too young: a request may be at work
	if doc, _ := w.fleet.voyages.Get(ctx, half.Value.ID); doc.Value.State != Planned {
		t.Errorf("the voyage is %s while its request may be at work", doc.Value.State)
	}
	w.clock.advance(abandoned + time.Second)
	w.settle(t)
	if doc, err := w.fleet.voyages.Get(ctx, half.Value.ID); err != nil || doc.Value.State != Open {
		t.Errorf("the voyage is %s, %v", doc.Value.State, err)
	}
	if err := w.book(t, half.Value.ID, "b", oneTEU); err != nil {
		t.Errorf("it takes no booking: %v", err)
	}
	if _, err := w.fleet.voyages.Get(ctx, orphan.Value.ID); err == nil {
		t.Error("the voyage of a vessel that was never made is still there")
	}
}

func TestAVoyageThatWasRemovedUnderItsRequestComesBack(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	planned, err := w.fleet.plan(ctx, Voyage{VesselID: "ship", OwnerID: "carrier", Capacity: 10, MaxWeight: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(abandoned + time.Second) // the request sleeps that long
	w.settle(t)
	if _, err := w.fleet.vessels.Insert(ctx, Vessel{ID: "ship", OwnerID: "carrier", Capacity: 10, MaxWeight: 100_000}); err != nil {
		t.Fatal(err)
	}
	if opened, err := w.fleet.open(ctx, planned); err != nil || opened.Value.State != Open {
		t.Errorf("got %+v, %v", opened, err)
	}
	if err := w.book(t, planned.Value.ID, "b", oneTEU); err != nil {
		t.Errorf("it takes no booking: %v", err)
	}
	if doc, err := w.fleet.voyages.Get(ctx, planned.Value.ID); err != nil || doc.Value.State != Open {
		t.Errorf("the voyage is %+v, %v", doc, err)
	}
}

// A booking may have asked for a voyage that there is not.
func TestReleasingOnNoVoyageLeavesNothingOpen(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if err := w.release(t.Context(), "b", "no such voyage"); err != nil {
			t.Fatal(err)
		}
	}
	if a := w.allocation(t, "no such voyage", "b"); a.State != StateReleased {
		t.Errorf("the allocation is %s", a.State)
	}
	// What a crash cut off is finished too.
	if err := w.releasing(t.Context(), "no such voyage", "c"); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(abandoned + time.Second)
	w.settle(t)
	if a := w.allocation(t, "no such voyage", "c"); a.State != StateReleased {
		t.Errorf("the allocation is %s", a.State)
	}
}

// A crash between the two leaves many allocations whose bookings the ledger still has pending.
func TestAllocationsThatAreThereAreNotInTheWayOfOthers(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 100, 1_000_000)
	var all, there []string
	for i := range 50 {
		id := fmt.Sprint("b", i)
		if err := w.book(t, v, id, oneTEU); err != nil {
			t.Fatal(err)
		}
		w.truth.say(id, consignmentpb.State_CONFIRMED, v)
		if all = append(all, id); i%3 == 1 || i > 40 {
			there = append(there, id)
		}
	}
	pending := w.ledger(t, v).Pending
	if err := w.registrar.firm(t.Context(), v, there, pending); err != nil {
		t.Fatal(err)
	}
	if err := w.registrar.firm(t.Context(), v, all, pending); err != nil {
		t.Fatal(err)
	}
	for _, id := range all {
		if a := w.allocation(t, v, id); a.State != StateFirm || a.Need != oneTEU {
			t.Errorf("%s: %+v", id, a)
		}
	}
	w.settle(t)
	if left := w.ledger(t, v).Pending; len(left) != 0 {
		t.Errorf("still pending: %v", left)
	}
}

// What is decided already needs no word from the consignment service.
func TestWithoutTheConsignmentServiceWhatACrashCutOffIsSettled(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 100, 1_000_000)
	for _, id := range []string{"firm", "leaving", "open"} {
		if err := w.book(t, v, id, oneTEU); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.registrar.firm(t.Context(), v, []string{"firm"}, w.ledger(t, v).Pending); err != nil {
		t.Fatal(err)
	}
	if err := w.releasing(t.Context(), v, "leaving"); err != nil {
		t.Fatal(err)
	}
	away := errors.New("away")
	w.settler.consignments = unreachable{away}
	if err := w.settler.settle(t.Context()); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	l := w.ledger(t, v)
	if _, open := l.Pending["open"]; !open || len(l.Pending) != 1 || l.Legs[0].UsedQuarters != 2*oneTEU.Quarters {
		t.Errorf("pending %v, %d quarters used", l.Pending, l.Legs[0].UsedQuarters)
	}
}

type unreachable struct{ err error }

func (u unreachable) Settle(context.Context, []string) ([]*consignmentpb.Outcome, error) {
	return nil, u.err
}

func TestWhatAnotherReplicaSettledIsNotLookedAtAgain(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	if err := w.book(t, v, "b", oneTEU); err != nil {
		t.Fatal(err)
	}
	w.truth.say("b", consignmentpb.State_CONFIRMED, v)
	other := *w.registrar
	other.books = newBooks(w.ledgers, w.allocations, w.clock.now)
	if err := (&settler{rooms: &other, fleet: w.fleet, consignments: w.truth}).settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settler.swept = w.clock.now() // not the time to go over everything
	if open := w.books.pending(); len(open) != 1 {
		t.Fatalf("open before the look: %v", open)
	}
	if err := w.settler.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The books note it once they have answered the settler.
	for deadline := time.Now().Add(10 * time.Second); len(w.books.pending()) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("open after the look: %v", w.books.pending())
		}
	}
}

func TestWhereTheServiceChoosesAFullLedgerIsPassedOver(t *testing.T) {
	w := newWorld(t)
	hot, other := w.sailing(t, 10_000, 100_000_000), w.sailing(t, 10, 100_000)
	if _, err := w.ledgers.Update(t.Context(), hot, func(doc *store.Document[Ledger]) ([]store.Event, error) {
		for i := range maxPending {
			doc.Value.note(fmt.Sprint("b", i), Hold{Quarters: 4, Weight: 1, End: 1})
		}
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	taken, err := w.handler().take(t.Context(), "", "one more", wish{need: oneTEU, now: w.clock.now()})
	if err != nil || taken.voyage != other {
		t.Errorf("on %s, %v", taken.voyage, err)
	}
}
