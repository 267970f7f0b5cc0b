package vessel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func TestEveryVoyageTransition(t *testing.T) {
	all := []VoyageState{Planned, Open, Closed, Departed, Completed}
	allowed := map[[2]VoyageState]bool{
		{Planned, Open}: true, {Open, Closed}: true, {Closed, Departed}: true, {Departed, Completed}: true,
	}
	for _, from := range all {
		for _, to := range all {
			v := Voyage{State: from}
			err := v.move(to)
			switch {
			case allowed[[2]VoyageState{from, to}] && (err != nil || v.State != to):
				t.Errorf("%s to %s: %v", from, to, err)
			case !allowed[[2]VoyageState{from, to}] && (!errors.Is(err, fault.WrongState) || v.State != from):
				t.Errorf("%s to %s: %v, now %s", from, to, err, v.State)
			}
		}
		if from.message() == vesselpb.VoyageState_VOYAGE_STATE_UNSPECIFIED {
			t.Errorf("%s has no place in the contract", from)
		}
	}
}

// step is what a carrier does to a voyage.
type step func(*handler, context.Context, *vesselpb.VoyageRef, *vesselpb.VoyageResponse) error

var steps = map[string]step{
	"close": (*handler).CloseVoyage, "depart": (*handler).DepartVoyage, "complete": (*handler).CompleteVoyage,
}

// do takes a step as the carrier and returns the voyage as it is then.
func (w *world) do(t *testing.T, name, voyage string) (*vesselpb.Voyage, error) {
	t.Helper()
	var rsp vesselpb.VoyageResponse
	err := steps[name](w.handler(), carrier(t.Context()), &vesselpb.VoyageRef{Id: voyage}, &rsp)
	return rsp.GetVoyage(), err
}

// sailingFrom offers a vessel with one voyage from Shanghai to Rotterdam by way of Singapore, that departs on 10 March.
func (w *world) sailingFrom(t *testing.T) string {
	t.Helper()
	no := false
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 100, MaxWeight: 100_000, OpenSailing: &no}).GetVessel().GetId()
	return w.voyage(t, vessel, "V1", calls(10, "CNSHA", "SGSIN", "NLRTM")...).GetId()
}

// events are the waiting events of all voyages, in order.
func (w *world) events(t *testing.T) []event.Envelope {
	t.Helper()
	waiting, err := w.fleet.voyages.Outbox().Claim(t.Context(), 1000, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var list []event.Envelope
	for _, doc := range waiting {
		for _, e := range doc.Events {
			var env event.Envelope
			if err := json.Unmarshal(e.Body, &env); err != nil {
				t.Fatal(err)
			}
			list = append(list, env)
		}
	}
	return list
}

func actions(list []event.Envelope) string {
	var names []string
	for _, e := range list {
		names = append(names, e.Action)
	}
	return strings.Join(names, " ")
}

func TestAVoyagesLife(t *testing.T) {
	w := newWorld(t)
	v := w.sailingFrom(t)
	for i, tc := range []struct {
		step string
		code fault.Code
		is   VoyageState
	}{
		{"complete", fault.WrongState, Open},
		{"close", "", Closed},
		{"close", "", Closed},
		{"complete", fault.WrongState, Closed},
		{"depart", "", Departed},
		{"depart", "", Departed},
		{"close", fault.WrongState, Departed},
		{"complete", "", Completed},
		{"complete", "", Completed},
		{"close", fault.WrongState, Completed},
		{"depart", fault.WrongState, Completed},
	} {
		got, err := w.do(t, tc.step, v)
		if fault.CodeOf(err) != tc.code || err == nil && (got.GetState() != tc.is.message() || len(got.GetLegs()) != 2) {
			t.Errorf("%d: %s: %v, %v", i, tc.step, got, err)
		}
		if doc, err := w.fleet.voyages.Get(t.Context(), v); err != nil || doc.Value.State != tc.is {
			t.Errorf("%d: after %s it is %s, %v", i, tc.step, doc.Value.State, err)
		}
	}
	list := w.events(t)
	if actions(list) != "opened closed departed completed" {
		t.Errorf("events %s", actions(list))
	}
	for i, e := range list {
		if e.EntityID != v || e.EntityType != "voyage" || e.ActorID != "carrier" || e.Via != "" || i > 0 && e.Version <= list[i-1].Version {
			t.Errorf("event %+v", e)
		}
	}
}

func TestOnlyItsOwnerTakesAVoyageFurther(t *testing.T) {
	w := newWorld(t)
	v := w.sailingFrom(t)
	half, err := w.fleet.plan(t.Context(), Voyage{VesselID: "half made", OwnerID: "carrier"})
	if err != nil {
		t.Fatal(err)
	}
	stranger := auth.NewContext(t.Context(), auth.Identity{UserID: "stranger", Roles: []string{auth.RoleCarrier}})
	for name, do := range steps {
		var rsp vesselpb.VoyageResponse
		if err := do(w.handler(), stranger, &vesselpb.VoyageRef{Id: v}, &rsp); !errors.Is(err, fault.PermissionDenied) || rsp.GetVoyage() != nil {
			t.Errorf("a stranger may %s: %v", name, err)
		}
		for _, id := range []string{"nope", "", half.Value.ID} {
			if _, err := w.do(t, name, id); !errors.Is(err, fault.NotFound) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
	if doc, _ := w.fleet.voyages.Get(t.Context(), v); doc.Value.State != Open || !doc.Value.EndedAt.IsZero() {
		t.Errorf("it is %+v", doc.Value)
	}
}

func TestDepartingClosesWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{w.sailingFrom(t), w.sailing(t, 10, 1000)} {
		if got, err := w.do(t, "depart", v); err != nil || got.GetState() != vesselpb.VoyageState_DEPARTED {
			t.Errorf("got %v, %v", got, err)
		}
		if !w.ledger(t, v).Closed {
			t.Error("its ledger is open")
		}
	}
	if got := actions(w.events(t)); got != "opened closed departed opened closed departed" {
		t.Errorf("events %s", got)
	}
}

// Once a closing was answered no booking comes in, and what came in before it is counted.
func TestAfterAClosingNoBookingComesIn(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 100_000, 2_000_000_000)
	var closed atomic.Bool
	var booked, late atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := 0; late.Load() < 20; n++ {
				after := closed.Load()
				_, err := w.reserve(t.Context(), v, fmt.Sprint("b", i, "-", n), wish{need: oneTEU})
				switch {
				case after && !errors.Is(err, fault.WrongState):
					t.Errorf("after the closing: %v", err)
					return
				case after:
					late.Add(1)
				case err == nil:
					booked.Add(1)
				case !errors.Is(err, fault.WrongState):
					t.Error(err)
					return
				}
			}
		})
	}
	for deadline := time.Now().Add(30 * time.Second); booked.Load() < 50 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	_, err := w.do(t, "close", v)
	closed.Store(true)
	wait.Wait()
	if err != nil || booked.Load() < 50 {
		t.Fatalf("after %d bookings: %v", booked.Load(), err)
	}
	if got := w.used(t, v).Quarters; got != 4*booked.Load() {
		t.Errorf("%d quarters used by %d bookings", got, booked.Load())
	}
	if _, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: "by-id", VoyageId: v, Quarters: 4, Weight: 10}); !errors.Is(err, fault.WrongState) {
		t.Errorf("on the voyage by name: %v", err)
	}
	if _, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: "any", Quarters: 4, Weight: 10}); !errors.Is(err, fault.NoCapacity) {
		t.Errorf("on any voyage: %v", err)
	}
}

func TestAClosingThatACrashCutOffIsFinished(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for name, ledgerClosed := range map[string]bool{"before the ledger was closed": false, "after the ledger was closed": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v := w.sailing(t, 10, 100_000)
			doc, err := w.fleet.voyages.Get(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			doc.Value.EndedAt, doc.Value.TraceParent = w.clock.now(), parent
			if _, err := w.fleet.voyages.Replace(t.Context(), doc.Value, doc.Version); err != nil {
				t.Fatal(err)
			}
			if ledgerClosed {
				if err := w.books.close(t.Context(), v); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.db.Close(); err != nil {
				t.Fatal(err)
			}
			w.open(t)
			w.clock.advance(abandoned)
			w.closeDue(t)
			if doc, _ := w.fleet.voyages.Get(t.Context(), v); doc.Value.State != Open {
				t.Errorf("it is %s while a request may be at work", doc.Value.State)
			}
			w.clock.advance(time.Second)
			for range 2 {
				w.closeDue(t)
			}
			if doc, _ := w.fleet.voyages.Get(t.Context(), v); doc.Value.State != Closed || !w.ledger(t, v).Closed {
				t.Errorf("it is %s, its ledger closed: %v", doc.Value.State, w.ledger(t, v).Closed)
			}
			list := w.events(t)
			if actions(list) != "opened closed" || list[1].ActorID != "carrier" || list[1].Via != Name || list[1].TraceParent != parent {
				t.Errorf("events %s, the last %+v", actions(list), list[len(list)-1])
			}
		})
	}
}

func TestAClosingIsRepeatableWhereverItWasCutOff(t *testing.T) {
	w := newWorld(t)
	v := w.sailing(t, 10, 100_000)
	if err := w.books.close(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := w.do(t, "close", v); err != nil || got.GetState() != vesselpb.VoyageState_CLOSED {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if got := actions(w.events(t)); got != "opened closed" {
		t.Errorf("events %s", got)
	}
}

func (w *world) closeDue(t *testing.T) {
	t.Helper()
	if err := w.fleet.closeDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAtItsCutOffAVoyageClosesByItself(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 100, MaxWeight: 100_000}) // with a sailing without ports
	cutOff := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	request := &vesselpb.Voyage{VesselId: vessel.GetVessel().GetId(), Number: "V1", Calls: calls(10, "CNSHA", "NLRTM"), CutOff: timestamppb.New(cutOff)}
	var rsp vesselpb.VoyageResponse
	if err := w.handler().CreateVoyage(carrier(trace.Continue(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")), request, &rsp); err != nil {
		t.Fatal(err)
	}
	v := rsp.GetVoyage().GetId()
	byDefault := w.voyage(t, vessel.GetVessel().GetId(), "V2", calls(10, "CNSHA", "NLRTM")...)
	if at := byDefault.GetCutOff().AsTime(); !rsp.GetVoyage().GetCutOff().AsTime().Equal(cutOff) || !at.Equal(byDefault.GetCalls()[0].GetDeparture().AsTime()) {
		t.Errorf("cut-off at %s and %s", rsp.GetVoyage().GetCutOff().AsTime(), at)
	}
	book := func(id, voyage string) fault.Code {
		_, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: id, VoyageId: voyage, Quarters: 4, Weight: 10})
		return fault.CodeOf(err)
	}
	state := func(voyage string) VoyageState {
		doc, err := w.fleet.voyages.Get(t.Context(), voyage)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Value.State
	}
	w.clock.advance(cutOff.Sub(w.clock.now()) - time.Nanosecond)
	w.closeDue(t)
	if code := book("in-time", v); code != "" || state(v) != Open {
		t.Errorf("a moment before: %s, %s", code, state(v))
	}
	w.clock.advance(time.Nanosecond)
	if code := book("too-late", v); code != fault.WrongState {
		t.Errorf("at the cut-off: %q", code)
	}
	w.clock.advance(time.Nanosecond)
	for range 2 {
		w.closeDue(t)
	}
	if state(v) != Closed || !w.ledger(t, v).Closed || state(byDefault.GetId()) != Open || book("another", byDefault.GetId()) != "" {
		t.Errorf("after the cut-off of the first: %s and %s", state(v), state(byDefault.GetId()))
	}
	w.clock.advance(365 * 24 * time.Hour)
	w.closeDue(t)
	if state(byDefault.GetId()) != Closed || state(vessel.GetVoyage().GetId()) != Open || book("ever", vessel.GetVoyage().GetId()) != "" {
		t.Errorf("a year later: %s, without ports %s", state(byDefault.GetId()), state(vessel.GetVoyage().GetId()))
	}
	list := slices.DeleteFunc(w.events(t), func(e event.Envelope) bool { return e.EntityID != v })
	if actions(list) != "opened closed" {
		t.Fatalf("events %s", actions(list))
	}
	if e := list[1]; e.ActorID != "carrier" || e.Via != Name || e.TraceParent != list[0].TraceParent || !strings.Contains(string(e.Data), "2026-03-08T00:00:00Z") {
		t.Errorf("event %+v", e)
	}
	if page, err := w.fleet.voyages.Find(t.Context(), store.List[Voyage]{Index: byState, Match: string(Open), Limit: 10}); err != nil || len(page.Items) != 0 {
		t.Errorf("%d voyages are still looked at, %v", len(page.Items), err)
	}
}

func TestACutOffIsInTheFutureAndNotAfterTheFirstDeparture(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 100, MaxWeight: 100_000}).GetVessel().GetId()
	departure := calls(10, "CNSHA", "NLRTM")[0].GetDeparture().AsTime()
	for name, tc := range map[string]struct {
		at time.Time
		ok bool
	}{
		"at the departure":      {departure, true},
		"after the departure":   {departure.Add(time.Nanosecond), false},
		"now":                   {w.clock.now(), false},
		"in a moment":           {w.clock.now().Add(time.Nanosecond), true},
		"of all times the last": {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), false},
	} {
		var rsp vesselpb.VoyageResponse
		err := w.handler().CreateVoyage(carrier(t.Context()), &vesselpb.Voyage{
			VesselId: vessel, Number: name, Calls: calls(10, "CNSHA", "NLRTM"), CutOff: timestamppb.New(tc.at),
		}, &rsp)
		if tc.ok != (err == nil) || err != nil && fault.From(err).Fields[0].Name != "cut_off" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
