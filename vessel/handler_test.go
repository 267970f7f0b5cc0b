package vessel

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func (w *world) handler() *handler { return &handler{fleet: w.fleet, rooms: w.registrar} }

func carrier(ctx context.Context) context.Context {
	return auth.NewContext(ctx, auth.Identity{UserID: "carrier", Roles: []string{auth.RoleCarrier}})
}

func (w *world) create(t *testing.T, v *vesselpb.Vessel) *vesselpb.Response {
	t.Helper()
	var rsp vesselpb.Response
	if err := w.handler().Create(carrier(t.Context()), v, &rsp); err != nil {
		t.Fatal(err)
	}
	return &rsp
}

func (w *world) voyage(t *testing.T, vessel, number string, calls ...*vesselpb.PortCall) *vesselpb.Voyage {
	t.Helper()
	var rsp vesselpb.VoyageResponse
	if err := w.handler().CreateVoyage(carrier(t.Context()), &vesselpb.Voyage{VesselId: vessel, Number: number, Calls: calls}, &rsp); err != nil {
		t.Fatal(err)
	}
	return rsp.GetVoyage()
}

// calls makes port calls a day apart, the first departing on the given day of March.
func calls(day int, ports ...string) []*vesselpb.PortCall {
	var list []*vesselpb.PortCall
	for i, port := range ports {
		c := &vesselpb.PortCall{Port: port}
		at := time.Date(2026, 3, day+i, 6, 0, 0, 0, time.UTC)
		if i > 0 {
			c.Arrival = timestamppb.New(at)
		}
		if i < len(ports)-1 {
			c.Departure = timestamppb.New(at.Add(6 * time.Hour))
		}
		list = append(list, c)
	}
	return list
}

func (w *world) reserveRPC(t *testing.T, r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
	t.Helper()
	var rsp vesselpb.Allocation
	err := w.handler().Reserve(t.Context(), r, &rsp)
	return &rsp, err
}

func TestAVesselBelongsToItsCallerAndOpensASailing(t *testing.T) {
	w := newWorld(t)
	rsp := w.create(t, &vesselpb.Vessel{Id: "mine", OwerId: "somebody else", Name: "Meridian", Capacity: 100, MaxWeight: 5000, Imo: "IMO 9074729"})
	v := rsp.GetVessel()
	if !rsp.GetCreated() || v.GetId() == "mine" || v.GetOwerId() != "carrier" || !v.GetAvailable() || v.GetImo() != "9074729" {
		t.Errorf("got %v", v)
	}
	legs := rsp.GetVoyage().GetLegs()
	if len(legs) != 1 || legs[0].GetCapacity() != 100 || legs[0].GetMaxWeight() != 5000 || legs[0].GetUsedQuarters() != 0 {
		t.Errorf("sailing %v", rsp.GetVoyage())
	}
	no := false
	if without := w.create(t, &vesselpb.Vessel{Name: "Laid up", Capacity: 1, MaxWeight: 1, OpenSailing: &no}); without.GetVoyage() != nil || without.GetVessel().GetAvailable() {
		t.Errorf("opened a sailing unasked: %v", without)
	}
	var got vesselpb.Response
	if err := w.handler().Get(t.Context(), &vesselpb.VesselRef{Id: v.GetId()}, &got); err != nil || got.GetVessel().GetId() != v.GetId() {
		t.Errorf("the id is lost: %v, %v", got.GetVessel(), err)
	}
	if err := w.handler().Get(t.Context(), &vesselpb.VesselRef{Id: "nope"}, &got); !errors.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAVoyageIsTheOwnersAndNeverLargerThanItsVessel(t *testing.T) {
	w := newWorld(t)
	id := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 100, MaxWeight: 5000}).GetVessel().GetId()
	h := w.handler()
	request := func() *vesselpb.Voyage {
		return &vesselpb.Voyage{VesselId: id, Number: "V1", Calls: calls(2, "CNSHA", "SGSIN", "NLRTM"), Capacity: 40}
	}
	var rsp vesselpb.VoyageResponse
	if err := h.CreateVoyage(carrier(t.Context()), request(), &rsp); err != nil {
		t.Fatal(err)
	}
	legs := rsp.GetVoyage().GetLegs()
	if len(legs) != 2 || legs[0].GetFrom() != "CNSHA" || legs[1].GetTo() != "NLRTM" || legs[1].GetCapacity() != 40 || legs[1].GetMaxWeight() != 5000 {
		t.Errorf("got %v", rsp.GetVoyage())
	}
	stranger := auth.NewContext(t.Context(), auth.Identity{UserID: "stranger", Roles: []string{auth.RoleCarrier}})
	if err := h.CreateVoyage(stranger, request(), &rsp); !errors.Is(err, fault.NotFound) {
		t.Errorf("a stranger: %v", err)
	}
	larger := request()
	larger.Capacity, larger.MaxWeight = 101, 5001
	if err := h.CreateVoyage(carrier(t.Context()), larger, &rsp); !errors.Is(err, fault.Invalid) || len(fault.From(err).Fields) != 2 {
		t.Errorf("larger than the vessel: %v", err)
	}
}

func TestBookingsWithoutPortsTakeTheOldestSailingWithRoom(t *testing.T) {
	w := newWorld(t)
	first := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 2, MaxWeight: 100_000}).GetVoyage().GetId()
	second := w.create(t, &vesselpb.Vessel{Name: "B", Capacity: 5, MaxWeight: 100_000}).GetVoyage().GetId()
	vessel := w.create(t, &vesselpb.Vessel{Name: "C", Capacity: 500, MaxWeight: 100_000}).GetVessel().GetId()
	w.voyage(t, vessel, "with ports", calls(5, "CNSHA", "NLRTM")...)
	for i, tc := range []struct {
		quarters int64
		want     string
	}{{12, second}, {4, first}, {4, first}, {4, second}, {4, second}} {
		got, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: fmt.Sprint("b", i), Quarters: tc.quarters, Weight: 10})
		if err != nil || got.GetVoyageId() != tc.want || got.GetCarrierId() != "carrier" || got.GetVesselId() == "" {
			t.Errorf("booking %d: on %s, %v, want %s", i, got.GetVoyageId(), err, tc.want)
		}
	}
}

func TestFindAvailableComparesTheRightWayAndPromisesNothing(t *testing.T) {
	w := newWorld(t)
	want := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 1000})
	find := func(teu, kg int32) (*vesselpb.Response, error) {
		var rsp vesselpb.Response
		err := w.handler().FindAvailable(t.Context(), &vesselpb.Specification{Capacity: teu, MaxWeight: kg}, &rsp)
		return &rsp, err
	}
	got, err := find(10, 1000)
	if err != nil || got.GetVessel().GetId() != want.GetVessel().GetId() || got.GetVoyage().GetId() != want.GetVoyage().GetId() {
		t.Errorf("got %v, %v", got, err)
	}
	for _, spec := range [][2]int32{{11, 1}, {1, 1001}} {
		if _, err := find(spec[0], spec[1]); !errors.Is(err, fault.NoCapacity) {
			t.Errorf("%v: %v", spec, err)
		}
	}
	if w.used(t, want.GetVoyage().GetId()) != (Need{}) {
		t.Error("finding took room")
	}
}

func TestBookingsBetweenPortsTakeTheFirstDeparture(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 100_000}).GetVessel().GetId()
	late := w.voyage(t, vessel, "late", calls(20, "CNSHA", "SGSIN", "NLRTM")...).GetId()
	early := w.voyage(t, vessel, "early", calls(10, "CNSHA", "SGSIN", "NLRTM")...).GetId()
	back := w.voyage(t, vessel, "back", calls(5, "NLRTM", "SGSIN", "CNSHA")...).GetId()
	on := func(day int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC))
	}
	for i, tc := range []struct {
		from, to  string
		notBefore *timestamppb.Timestamp
		want      string
		code      fault.Code
	}{
		{"CNSHA", "NLRTM", nil, early, ""},
		{"SGSIN", "NLRTM", nil, early, ""},
		{"CNSHG", "NLRTM", nil, early, ""}, // another code of Shanghai
		{"CNSHA", "NLRTM", on(15), late, ""},
		{"NLRTM", "CNSHA", nil, back, ""},
		{"NLRTM", "CNSHA", on(6), "", fault.NoCapacity},
		{"CNSHA", "USLAX", nil, "", fault.NoCapacity},
	} {
		got, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: fmt.Sprint("b", i), Quarters: 4, Weight: 10, From: tc.from, To: tc.to, NotBefore: tc.notBefore})
		if fault.CodeOf(err) != tc.code || got.GetVoyageId() != tc.want {
			t.Errorf("%s to %s: on %s, %v, want %s", tc.from, tc.to, got.GetVoyageId(), err, tc.want)
		}
	}
	w.clock.advance(15 * 24 * time.Hour)
	got, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: "later", Quarters: 4, Weight: 10, From: "CNSHA", To: "NLRTM"})
	if err != nil || got.GetVoyageId() != late {
		t.Errorf("after the early one has sailed: on %s, %v", got.GetVoyageId(), err)
	}
}

func TestABookingOnACertainVoyage(t *testing.T) {
	w := newWorld(t)
	rsp := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 100_000})
	v := w.voyage(t, rsp.GetVessel().GetId(), "V1", calls(10, "CNSHA", "NLRTM")...).GetId()
	for name, tc := range map[string]struct {
		r    *vesselpb.Reservation
		code fault.Code
	}{
		"taken":         {&vesselpb.Reservation{VoyageId: v}, ""},
		"with-its-way":  {&vesselpb.Reservation{VoyageId: v, From: "CNSHA", To: "NLRTM"}, ""},
		"another-way":   {&vesselpb.Reservation{VoyageId: v, From: "NLRTM", To: "CNSHA"}, fault.Invalid},
		"unknown":       {&vesselpb.Reservation{VoyageId: "nope"}, fault.NotFound},
		"without-ports": {&vesselpb.Reservation{VoyageId: rsp.GetVoyage().GetId()}, ""},
	} {
		tc.r.BookingId, tc.r.Quarters, tc.r.Weight = name, 4, 10
		if got, err := w.reserveRPC(t, tc.r); fault.CodeOf(err) != tc.code || err == nil && got.GetVoyageId() != tc.r.VoyageId {
			t.Errorf("%s: on %s, %v", name, got.GetVoyageId(), err)
		}
	}
	// A repeat finds the room it has.
	if got, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: "taken", VoyageId: v, Quarters: 4, Weight: 10}); err != nil || got.GetVoyageId() != v {
		t.Errorf("repeated: on %s, %v", got.GetVoyageId(), err)
	}
	if err := w.handler().Release(t.Context(), &vesselpb.ReleaseRequest{BookingId: "taken", VoyageId: v}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: "taken", VoyageId: v, Quarters: 4, Weight: 10}); !errors.Is(err, fault.WrongState) {
		t.Errorf("after its release: %v", err)
	}
	if err := w.handler().Release(t.Context(), &vesselpb.ReleaseRequest{}, nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("released nothing: %v", err)
	}
	if err := w.handler().Release(t.Context(), &vesselpb.ReleaseRequest{BookingId: "never-heard-of"}, nil); err != nil {
		t.Errorf("a booking without room: %v", err)
	}
}

func TestListsShowWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.create(t, &vesselpb.Vessel{Name: fmt.Sprint(i), Capacity: 10, MaxWeight: 1000})
	}
	if _, err := w.fleet.plan(t.Context(), Voyage{VesselID: "half made"}); err != nil {
		t.Fatal(err)
	}
	var vessels vesselpb.Response
	if err := w.handler().List(t.Context(), &vesselpb.ListRequest{Limit: 2}, &vessels); err != nil || len(vessels.GetVessels()) != 2 || vessels.GetVessels()[0].GetName() != "2" || vessels.GetNextCursor() == "" {
		t.Errorf("vessels %v, %v", &vessels, err)
	}
	var voyages vesselpb.VoyageResponse
	if err := w.handler().ListVoyages(t.Context(), &vesselpb.VoyageQuery{}, &voyages); err != nil || len(voyages.GetVoyages()) != 3 || len(voyages.GetVoyages()[0].GetLegs()) != 1 || voyages.GetNextCursor() != "" {
		t.Errorf("voyages %v, %v", &voyages, err)
	}
	for _, bad := range []*vesselpb.VoyageQuery{{Cursor: "garbage"}, {Cursor: vessels.GetNextCursor()}, {Limit: 201}} {
		if err := w.handler().ListVoyages(t.Context(), bad, &voyages); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	var one vesselpb.VoyageResponse
	if err := w.handler().GetVoyage(t.Context(), &vesselpb.VoyageRef{Id: voyages.GetVoyages()[0].GetId()}, &one); err != nil || one.GetVoyage().GetState() != vesselpb.VoyageState_OPEN {
		t.Errorf("voyage %v, %v", one.GetVoyage(), err)
	}
	if err := w.handler().GetVoyage(t.Context(), &vesselpb.VoyageRef{Id: "nope"}, &one); !errors.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestABookingTakesRoomOnlyOnTheLegsItTravels(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 1000}).GetVessel().GetId()
	v := w.voyage(t, vessel, "V1", calls(10, "CNSHA", "SGSIN", "NLRTM")...).GetId()
	book := func(id, from, to string, quarters, kg int64) error {
		_, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: id, Quarters: quarters, Weight: kg, From: from, To: to})
		return err
	}
	expect := func(when string, first, second Need) {
		t.Helper()
		for i, want := range []Need{first, second} {
			leg := w.ledger(t, v).Legs[i]
			if got := (Need{Quarters: leg.UsedQuarters, Weight: leg.UsedWeight}); got != want {
				t.Errorf("%s: leg %d has %+v, want %+v", when, i, got, want)
			}
		}
	}
	if err := book("all", "CNSHA", "NLRTM", 16, 100); err != nil {
		t.Fatal(err)
	}
	if err := book("first", "CNSHA", "SGSIN", 24, 100); err != nil {
		t.Fatal(err)
	}
	expect("after two bookings", Need{40, 200}, Need{16, 100})
	if err := book("first-leg-is-full", "CNSHA", "SGSIN", 1, 1); !errors.Is(err, fault.NoCapacity) {
		t.Errorf("got %v", err)
	}
	if err := book("second", "SGSIN", "NLRTM", 24, 900); err != nil {
		t.Errorf("the place freed at Singapore is not found: %v", err)
	}
	if err := book("second-leg-is-full", "SGSIN", "NLRTM", 1, 1); !errors.Is(err, fault.NoCapacity) {
		t.Errorf("got %v", err)
	}
	expect("after three", Need{40, 200}, Need{40, 1000})
	for _, id := range []string{"first", "all"} {
		if err := w.release(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
	}
	expect("after releasing two", Need{}, Need{24, 900})
}

func TestAPortThatIsCalledAtTwice(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 100_000}).GetVessel().GetId()
	v := w.voyage(t, vessel, "round trip", calls(10, "CNSHA", "SGSIN", "CNSHA", "NLRTM")...).GetId()
	after := timestamppb.New(time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)) // the first call has been left by then
	for i, tc := range []struct {
		to        string
		notBefore *timestamppb.Timestamp
		want      Span
		code      fault.Code
	}{
		{"SGSIN", nil, Span{0, 1}, ""},
		{"SGSIN", after, Span{}, fault.NoCapacity},
		{"NLRTM", nil, Span{2, 3}, ""}, // both calls arrive alike, and the second leaves room on two more legs
		{"NLRTM", after, Span{2, 3}, ""},
	} {
		id := fmt.Sprint("b", i)
		_, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: id, Quarters: 4, Weight: 10, From: "CNSHA", To: tc.to, NotBefore: tc.notBefore})
		if fault.CodeOf(err) != tc.code {
			t.Errorf("to %s not before %v: %v", tc.to, tc.notBefore, err)
		}
		if hold := w.ledger(t, v).Pending[id]; err == nil && hold.span() != tc.want {
			t.Errorf("to %s not before %v: on legs %+v", tc.to, tc.notBefore, hold.span())
		}
	}
}

func TestNobodyIsBookedOnWhatHasSailed(t *testing.T) {
	w := newWorld(t)
	vessel := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 100_000}).GetVessel().GetId()
	v := w.voyage(t, vessel, "V1", calls(10, "CNSHA", "SGSIN", "NLRTM")...).GetId()
	w.clock.advance(10 * 24 * time.Hour) // Shanghai has been left, Singapore not yet
	for i, tc := range []struct {
		r    *vesselpb.Reservation
		code fault.Code
	}{
		{&vesselpb.Reservation{VoyageId: v}, fault.WrongState},
		{&vesselpb.Reservation{VoyageId: v, From: "CNSHA", To: "NLRTM"}, fault.WrongState},
		// Booking ends for all ports when the ship leaves the first.
		{&vesselpb.Reservation{VoyageId: v, From: "SGSIN", To: "NLRTM"}, fault.WrongState},
		{&vesselpb.Reservation{From: "CNSHA", To: "NLRTM"}, fault.NoCapacity},
		{&vesselpb.Reservation{From: "SGSIN", To: "NLRTM"}, fault.NoCapacity},
	} {
		tc.r.BookingId, tc.r.Quarters, tc.r.Weight = fmt.Sprint("b", i), 4, 10
		if _, err := w.reserveRPC(t, tc.r); fault.CodeOf(err) != tc.code {
			t.Errorf("%v: %v", tc.r, err)
		}
	}
	var rsp vesselpb.VoyageResponse
	late := &vesselpb.Voyage{VesselId: vessel, Number: "V2", Calls: calls(5, "CNSHA", "NLRTM")}
	if err := w.handler().CreateVoyage(carrier(t.Context()), late, &rsp); !errors.Is(err, fault.Invalid) || fault.From(err).Fields[0].Name != "calls[0].departure" {
		t.Errorf("a voyage of the past: %v", err)
	}
}
