package consignment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/common/trace"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// world is the consignment service's inside on a real store, with a vessel service whose answers the test decides.
type world struct {
	*handler
	sweeper *sweeper
	vessels *yard
	at      time.Time
}

// yard plays the vessel service.
type yard struct {
	mu       sync.Mutex
	reserve  func(*vesselpb.Reservation) (*vesselpb.Allocation, error)
	release  func(booking string) error
	released []string
	sailed   map[string]bool
}

func (y *yard) Reserve(_ context.Context, r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
	if y.reserve != nil {
		return y.reserve(r)
	}
	return &vesselpb.Allocation{BookingId: r.GetBookingId(), VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
}

func (y *yard) Sailed(_ context.Context, voyage string) (bool, error) { return y.sailed[voyage], nil }

func (y *yard) Release(_ context.Context, booking, _ string) error {
	if y.release != nil {
		if err := y.release(booking); err != nil {
			return err
		}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.released = append(y.released, booking)
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w, _ := newWorldOn(t)
	return w
}

// newWorldOn tells on which database it is, for documents of other collections.
func newWorldOn(t *testing.T) (*world, store.DB) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "consignment.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	consignments, err := openConsignments(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{vessels: &yard{}, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d := &desk{consignments: consignments, vessels: w.vessels, now: func() time.Time { return w.at }}
	w.handler = &handler{desk: d}
	w.sweeper = &sweeper{desk: d}
	return w, db
}

func as(ctx context.Context, user string, roles ...string) context.Context {
	return auth.NewContext(ctx, auth.Identity{UserID: user, Roles: roles})
}

func request() *consignmentpb.Consignment {
	return &consignmentpb.Consignment{Description: "Tea", Weight: 1000, Containers: []*consignmentpb.Container{{}}}
}

// book books as the shipper and returns the consignment.
func (w *world) book(t *testing.T) *consignmentpb.Consignment {
	t.Helper()
	var rsp consignmentpb.Response
	if err := w.CreateConsignment(as(t.Context(), "shipper"), request(), &rsp); err != nil {
		t.Fatal(err)
	}
	return rsp.GetConsignment()
}

// only is the one consignment that there is.
func (w *world) only(t *testing.T) store.Document[Consignment] {
	t.Helper()
	page, err := w.consignments.Find(t.Context(), store.List[Consignment]{Limit: 2})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d consignments, %v", len(page.Items), err)
	}
	return page.Items[0]
}

// events takes the waiting events of all consignments, in order.
func (w *world) events(t *testing.T) []event.Envelope {
	t.Helper()
	var list []event.Envelope
	for {
		waiting, err := w.consignments.Outbox().Claim(t.Context(), 1000, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) == 0 {
			return list
		}
		for _, doc := range waiting {
			for _, e := range doc.Events {
				var env event.Envelope
				if err := json.Unmarshal(e.Body, &env); err != nil {
					t.Fatal(err)
				}
				list = append(list, env)
			}
		}
		if err := w.consignments.Outbox().Settle(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
	}
}

func actions(list []event.Envelope) string {
	var names []string
	for _, e := range list {
		names = append(names, fmt.Sprintf("%s/%d", e.Action, e.Version))
	}
	return strings.Join(names, " ")
}

func TestABookingIsConfirmedOnTheVoyageItWasGiven(t *testing.T) {
	w := newWorld(t)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	req := request()
	req.Id, req.UserId, req.VesselId, req.State = "mine", "somebody else", "another", consignmentpb.State_COMPLETED
	req.Containers = []*consignmentpb.Container{{Type: "22G1"}, {Type: "45G1"}, {UserId: "ignored", Number: "csqu 305438-3"}}
	var asked *vesselpb.Reservation
	w.vessels.reserve = func(r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
		asked = r
		return &vesselpb.Allocation{VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	var rsp consignmentpb.Response
	if err := w.CreateConsignment(trace.Continue(as(t.Context(), "shipper"), parent), req, &rsp); err != nil {
		t.Fatal(err)
	}
	c := rsp.GetConsignment()
	if !rsp.GetCreated() || c.GetId() == "mine" || c.GetUserId() != "shipper" || c.GetVesselId() != "vessel" ||
		c.GetVoyageId() != "voyage" || c.GetCarrierId() != "carrier" || c.GetState() != consignmentpb.State_CONFIRMED || c.GetVersion() != 2 {
		t.Errorf("got %v", c)
	}
	if asked.GetBookingId() != c.GetId() || asked.GetQuarters() != 4+8+4 || asked.GetWeight() != 1000 {
		t.Errorf("asked for %v", asked)
	}
	if c.GetContainers()[2].GetNumber() != "CSQU3054383" || c.GetContainers()[2].GetUserId() != "" {
		t.Errorf("containers %v", c.GetContainers())
	}
	list := w.events(t)
	if actions(list) != "received/1 confirmed/2" {
		t.Errorf("events %s", actions(list))
	}
	for _, e := range list {
		if e.ActorID != "shipper" || e.TraceParent != parent || e.EntityID != c.GetId() || e.EntityType != "consignment" {
			t.Errorf("event %+v", e)
		}
	}
	if !slices.Equal(list[1].Audience, []string{"carrier", "shipper"}) {
		t.Errorf("the confirmation is for %v", list[1].Audience)
	}
}

func TestARefusedBookingIsKeptAsRejected(t *testing.T) {
	for _, code := range []fault.Code{fault.NoCapacity, fault.NotFound, fault.WrongState, fault.Invalid} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) { return nil, fault.New(code, "no") }
			err := w.CreateConsignment(as(t.Context(), "shipper"), request(), &consignmentpb.Response{})
			if !errors.Is(err, code) {
				t.Errorf("got %v", err)
			}
			doc := w.only(t)
			if doc.Value.State != Rejected || doc.Value.Reason != string(code) {
				t.Errorf("kept as %+v", doc.Value)
			}
			if got := actions(w.events(t)); got != "received/1 rejected/2" {
				t.Errorf("events %s", got)
			}
		})
	}
}

func TestABookingWhoseRoomCannotBeFoundOutIsRejectedAtOnce(t *testing.T) {
	for _, code := range []fault.Code{fault.Unavailable, fault.DeadlineExceeded, fault.Internal, fault.Overloaded, fault.Canceled} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) { return nil, fault.New(code, "?") }
			if err := w.CreateConsignment(as(t.Context(), "shipper"), request(), &consignmentpb.Response{}); !errors.Is(err, code) {
				t.Errorf("got %v", err)
			}
			if doc := w.only(t); doc.Value.State != Rejected || doc.Value.Reason != string(code) {
				t.Errorf("kept as %+v", doc.Value)
			}
			if got := actions(w.events(t)); got != "received/1 rejected/2" {
				t.Errorf("events %s", got)
			}
		})
	}
}

func TestABookingIsFinishedWhenItsCallerGoesAway(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(as(t.Context(), "shipper"))
	w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) {
		cancel()
		return &vesselpb.Allocation{VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	if err := w.CreateConsignment(ctx, request(), &consignmentpb.Response{}); err != nil {
		t.Error(err)
	}
	if s := w.only(t).Value.State; s != Confirmed {
		t.Errorf("it is %s", s)
	}
}

// crash leaves a booking as a process leaves it that dies while it asks for room.
func (w *world) crash(t *testing.T) (id string) {
	t.Helper()
	c := Consignment{ID: fmt.Sprint("crashed-", w.at.UnixNano()), UserID: "shipper", State: Received, CreatedAt: w.at}
	if _, err := w.consignments.Insert(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func TestABookingThatACrashLeftReceivedIsRejectedOnceNobodyCanBeWorkingOnIt(t *testing.T) {
	ways := map[string]func(t *testing.T, w *world, id string) State{
		"when the sweeper finds it": func(t *testing.T, w *world, id string) State {
			if err := w.sweeper.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return w.only(t).Value.State
		},
		"when the vessel service asks": func(t *testing.T, w *world, id string) State {
			var rsp consignmentpb.SettleResponse
			if err := w.Settle(t.Context(), &consignmentpb.SettleRequest{BookingIds: []string{id}}, &rsp); err != nil {
				t.Fatal(err)
			}
			return State(rsp.GetOutcomes()[0].GetState().String())
		},
	}
	for name, look := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.crash(t)
			w.at = w.at.Add(bookingTimeout + rejectTimeout)
			if got := look(t, w, id); got != Received {
				t.Errorf("while a request may be at work: %s", got)
			}
			w.at = w.at.Add(time.Second)
			for range 2 {
				if got := look(t, w, id); got != Rejected {
					t.Errorf("after that: %s", got)
				}
			}
			list := w.events(t)
			if actions(list) != "rejected/2" || list[0].ActorID != "shipper" || list[0].Via != Name {
				t.Errorf("events %s, the last by %s via %q", actions(list), list[0].ActorID, list[0].Via)
			}
		})
	}
}

func TestABookingFromBeforeTheClockWasPutBackIsRejectedToo(t *testing.T) {
	w := newWorld(t)
	w.crash(t)
	w.at = w.at.Add(-time.Hour)
	if err := w.sweeper.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := w.only(t).Value.State; s != Rejected {
		t.Errorf("it is %s", s)
	}
}

func TestALateRequestCannotConfirmWhatWasGivenUp(t *testing.T) {
	w := newWorld(t)
	w.vessels.reserve = func(r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
		w.at = w.at.Add(abandoned) // the vessel service takes that long, and meanwhile
		if err := w.sweeper.sweep(context.Background()); err != nil {
			t.Error(err)
		}
		return &vesselpb.Allocation{VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	err := w.CreateConsignment(as(t.Context(), "shipper"), request(), &consignmentpb.Response{})
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if doc := w.only(t); doc.Value.State != Rejected || doc.Value.VesselID != "" {
		t.Errorf("got %+v", doc.Value)
	}
}

func TestSettleTellsTheVoyageAndKnowsNothingOfStrangers(t *testing.T) {
	w := newWorld(t)
	c := w.book(t)
	var rsp consignmentpb.SettleResponse
	if err := w.Settle(t.Context(), &consignmentpb.SettleRequest{BookingIds: []string{"unknown", c.GetId()}}, &rsp); err != nil {
		t.Fatal(err)
	}
	o := rsp.GetOutcomes()
	if o[0].GetBookingId() != "unknown" || o[0].GetState() != consignmentpb.State_REJECTED {
		t.Errorf("an unknown booking: %v", o[0])
	}
	if o[1].GetState() != consignmentpb.State_CONFIRMED || o[1].GetVoyageId() != "voyage" {
		t.Errorf("a confirmed one: %v", o[1])
	}
	if err := w.Settle(t.Context(), &consignmentpb.SettleRequest{BookingIds: make([]string, 501)}, &rsp); !errors.Is(err, fault.Invalid) {
		t.Errorf("501 at once: %v", err)
	}
}

func (w *world) cancelAs(t *testing.T, id, user string, roles ...string) (*consignmentpb.Consignment, error) {
	t.Helper()
	var rsp consignmentpb.Response
	err := w.CancelConsignment(as(t.Context(), user, roles...), &consignmentpb.ConsignmentRef{Id: id}, &rsp)
	return rsp.GetConsignment(), err
}

func TestACancellationReleasesBeforeItAnswersAndTwiceIsTheSame(t *testing.T) {
	w := newWorld(t)
	id := w.book(t).GetId()
	first, err := w.cancelAs(t, id, "shipper")
	if err != nil || first.GetState() != consignmentpb.State_CANCELLED || !slices.Equal(w.vessels.released, []string{id}) {
		t.Fatalf("got %v, %v, released %v", first, err, w.vessels.released)
	}
	second, err := w.cancelAs(t, id, "shipper")
	if err != nil || second.GetVersion() != first.GetVersion() || len(w.vessels.released) != 1 {
		t.Errorf("again: %v, %v, released %v", second, err, w.vessels.released)
	}
	if got := actions(w.events(t)); got != "received/1 confirmed/2 cancelled/3" {
		t.Errorf("events %s", got)
	}
}

func TestACancellationThatCouldNotReleaseIsFinishedLater(t *testing.T) {
	w := newWorld(t)
	id := w.book(t).GetId()
	w.vessels.release = func(string) error { return fault.New(fault.Unavailable, "away") }
	if _, err := w.cancelAs(t, id, "shipper"); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	if err := w.sweeper.sweep(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("the sweeper says %v", err)
	}
	w.vessels.release = nil
	if err := w.sweeper.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if doc := w.only(t); doc.Value.Releasing || doc.Value.State != Cancelled || !slices.Equal(w.vessels.released, []string{id}) {
		t.Errorf("got %+v, released %v", doc.Value, w.vessels.released)
	}
}

func TestWhoMayDoWhatToWhichConsignment(t *testing.T) {
	for _, tc := range []struct {
		who          string
		roles        []string
		read, cancel fault.Code
	}{
		{"shipper", nil, "", ""},
		{"carrier", []string{auth.RoleCarrier}, "", fault.PermissionDenied},
		{"stranger", []string{auth.RoleShipper, auth.RoleCarrier}, fault.NotFound, fault.NotFound},
		{"admin", []string{auth.RoleAdmin}, "", ""},
	} {
		t.Run(tc.who, func(t *testing.T) {
			w := newWorld(t)
			id := w.book(t).GetId()
			err := w.GetConsignment(as(t.Context(), tc.who, tc.roles...), &consignmentpb.ConsignmentRef{Id: id}, &consignmentpb.Response{})
			if fault.CodeOf(err) != tc.read {
				t.Errorf("read: %v", err)
			}
			var list consignmentpb.Response
			if err := w.GetConsignments(as(t.Context(), tc.who, tc.roles...), &consignmentpb.GetRequest{}, &list); err != nil {
				t.Fatal(err)
			}
			if got := len(list.GetConsignments()) == 1; got != (tc.read == "") {
				t.Errorf("listed: %v", got)
			}
			if _, err := w.cancelAs(t, id, tc.who, tc.roles...); fault.CodeOf(err) != tc.cancel {
				t.Errorf("cancel: %v", err)
			}
			if s := w.only(t).Value.State; (s == Cancelled) != (tc.cancel == "") {
				t.Errorf("it is %s", s)
			}
		})
	}
}

func TestEveryTransition(t *testing.T) {
	all := []State{Received, Confirmed, Rejected, Cancelled, Completed}
	allowed := map[[2]State]bool{
		{Received, Confirmed}: true, {Received, Rejected}: true, {Received, Cancelled}: true,
		{Confirmed, Cancelled}: true, {Confirmed, Completed}: true,
	}
	for _, from := range all {
		for _, to := range all {
			c := Consignment{State: from}
			err := c.move(to)
			switch {
			case allowed[[2]State{from, to}] && (err != nil || c.State != to):
				t.Errorf("%s to %s: %v", from, to, err)
			case !allowed[[2]State{from, to}] && (!errors.Is(err, fault.WrongState) || c.State != from):
				t.Errorf("%s to %s: %v, now %s", from, to, err, c.State)
			}
		}
		if from.message() == consignmentpb.State_STATE_UNSPECIFIED {
			t.Errorf("%s has no place in the contract", from)
		}
	}
}

func TestListsFilterAndPage(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 7 {
		id := w.book(t).GetId()
		ids = append(ids, id)
		if i%3 == 0 {
			if _, err := w.cancelAs(t, id, "shipper"); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Reverse(ids) // newest first
	list := func(req *consignmentpb.GetRequest) []string {
		t.Helper()
		var got []string
		for {
			var rsp consignmentpb.Response
			if err := w.GetConsignments(as(t.Context(), "shipper"), req, &rsp); err != nil {
				t.Fatal(err)
			}
			for _, c := range rsp.GetConsignments() {
				got = append(got, c.GetId())
			}
			if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
				return got
			}
		}
	}
	if got := list(&consignmentpb.GetRequest{Limit: 2}); !slices.Equal(got, ids) {
		t.Errorf("all: %v, want %v", got, ids)
	}
	if got := list(&consignmentpb.GetRequest{Limit: 2, State: consignmentpb.State_CANCELLED}); !slices.Equal(got, []string{ids[0], ids[3], ids[6]}) {
		t.Errorf("cancelled: %v", got)
	}
	if got := list(&consignmentpb.GetRequest{Limit: 2, VoyageId: "voyage", State: consignmentpb.State_CONFIRMED}); len(got) != 4 {
		t.Errorf("confirmed on the voyage: %v", got)
	}
	if got := list(&consignmentpb.GetRequest{State: consignmentpb.State_RECEIVED}); len(got) != 0 {
		t.Errorf("received: %v", got)
	}
	if got := list(&consignmentpb.GetRequest{VoyageId: "another"}); len(got) != 0 {
		t.Errorf("on another voyage: %v", got)
	}
	for _, bad := range []*consignmentpb.GetRequest{{Cursor: "garbage"}, {Limit: -1}, {Limit: 201}} {
		if err := w.GetConsignments(as(t.Context(), "shipper"), bad, &consignmentpb.Response{}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
