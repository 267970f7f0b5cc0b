package consignment

import (
	"context"
	"errors"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"log/slog"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// keyed is a CreateConsignment call with an Idempotency-Key.
type keyed struct {
	server.Request
	body *consignmentpb.Consignment
}

func (k *keyed) Service() string           { return Name }
func (k *keyed) Endpoint() string          { return "ShippingService.CreateConsignment" }
func (k *keyed) Stream() bool              { return false }
func (k *keyed) Body() any                 { return k.body }
func (k *keyed) Header() map[string]string { return map[string]string{rpc.KeyIdempotency: "key"} }

// once makes the world's CreateConsignment keep keys.
func once(t *testing.T) (*world, func() (*consignmentpb.Consignment, error)) {
	t.Helper()
	w, db := newWorldOn(t)
	keeper, err := idempotency.New(t.Context(), db, false, func() time.Time { return w.at }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	call := keeper.Wrap(func(ctx context.Context, req server.Request, rsp any) error {
		return w.CreateConsignment(ctx, req.Body().(*consignmentpb.Consignment), rsp.(*consignmentpb.Response))
	})
	return w, func() (*consignmentpb.Consignment, error) {
		var rsp consignmentpb.Response
		err := call(as(t.Context(), "shipper"), &keyed{body: request()}, &rsp)
		return rsp.GetConsignment(), err
	}
}

func away(*vesselpb.Reservation) (*vesselpb.Allocation, error) {
	return nil, fault.New(fault.Unavailable, "away")
}

func TestABookingThatFailedBecauseOfUsIsMadeAnewUnderItsKey(t *testing.T) {
	w, book := once(t)
	w.vessels.reserve = away
	if _, err := book(); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	given := w.only(t)
	if given.Value.State != Rejected {
		t.Fatalf("it is %s", given.Value.State)
	}
	w.vessels.reserve = nil
	first, err := book()
	if err != nil || first.GetState() != consignmentpb.State_CONFIRMED || first.GetId() == given.Value.ID {
		t.Fatalf("got %v, %v", first, err)
	}
	again, err := book()
	if err != nil || again.GetId() != first.GetId() {
		t.Errorf("repeated: %v, %v", again, err)
	}
}

func TestARefusalOfItsOwnIsTheAnswerForGood(t *testing.T) {
	w, book := once(t)
	w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) {
		return nil, fault.New(fault.NoCapacity, "full")
	}
	if _, err := book(); !errors.Is(err, fault.NoCapacity) {
		t.Fatalf("got %v", err)
	}
	w.vessels.reserve = nil
	if _, err := book(); !errors.Is(err, fault.NoCapacity) {
		t.Errorf("repeated: %v", err)
	}
	w.only(t)
}

// TestARequestThatDiedIsFinishedUnderItsKey cuts the first request off at every step, as the death of its process does, and asks
// again when nobody can be working on it any more.
func TestARequestThatDiedIsFinishedUnderItsKey(t *testing.T) {
	type cut func(*world, *vesselpb.Reservation) (*vesselpb.Allocation, error)
	kept := func(state State, reason fault.Code) cut {
		return func(w *world, r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
			if _, err := w.consignments.Update(context.Background(), r.GetBookingId(), func(doc *store.Document[Consignment]) ([]store.Event, error) {
				doc.Value.State, doc.Value.Reason = state, string(reason)
				return nil, nil
			}); err != nil {
				t.Error(err)
			}
			panic("killed")
		}
	}
	for name, tc := range map[string]struct {
		cut   cut
		state consignmentpb.State
		code  fault.Code
		same  bool // it is the booking that the first request began
	}{
		"while room was being found":      {func(*world, *vesselpb.Reservation) (*vesselpb.Allocation, error) { panic("killed") }, consignmentpb.State_CONFIRMED, "", true},
		"after it was confirmed":          {kept(Confirmed, ""), consignmentpb.State_CONFIRMED, "", true},
		"and it was cancelled meanwhile":  {kept(Cancelled, ""), consignmentpb.State_CANCELLED, "", true},
		"after it was refused":            {kept(Rejected, fault.NoCapacity), 0, fault.NoCapacity, true},
		"after a voyage was not found":    {kept(Rejected, fault.NotFound), 0, fault.NotFound, true},
		"after it was not on the way":     {kept(Rejected, fault.Invalid), 0, fault.Invalid, true},
		"after a voyage was closed":       {kept(Rejected, fault.WrongState), 0, fault.WrongState, true},
		"and the sweeper gave it up":      {kept(Rejected, fault.Unavailable), consignmentpb.State_CONFIRMED, "", false},
		"after it was rejected by defect": {kept(Rejected, fault.Internal), consignmentpb.State_CONFIRMED, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w, book := once(t)
			w.vessels.reserve = func(r *vesselpb.Reservation) (*vesselpb.Allocation, error) { return tc.cut(w, r) }
			func() {
				defer func() { _ = recover() }()
				_, _ = book()
			}()
			begun := w.only(t).Value.ID
			w.vessels.reserve = nil
			w.at = w.at.Add(time.Minute)
			got, err := book()
			if fault.CodeOf(err) != tc.code || got.GetState() != tc.state {
				t.Fatalf("got %v, %v", got, err)
			}
			if err == nil && (got.GetId() == begun) != tc.same {
				t.Errorf("got %s, begun was %s", got.GetId(), begun)
			}
			again, repeated := book()
			if again.GetId() != got.GetId() || fault.CodeOf(repeated) != tc.code {
				t.Errorf("repeated: %v, %v", again, repeated)
			}
		})
	}
}

func TestABookingThatIsGoneOnWithIsNotGivenUpMeanwhile(t *testing.T) {
	w, book := once(t)
	w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = book()
	}()
	w.at = w.at.Add(time.Minute)
	w.vessels.reserve = func(r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
		if err := w.sweeper.sweep(context.Background()); err != nil {
			t.Error(err)
		}
		if o, err := w.outcomes(context.Background(), []string{r.GetBookingId()}); err != nil || o[0].GetState() != consignmentpb.State_RECEIVED {
			t.Errorf("the vessel service is told %v, %v", o, err)
		}
		return &vesselpb.Allocation{VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	if got, err := book(); err != nil || got.GetState() != consignmentpb.State_CONFIRMED {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestABookingOnAShipThatHasSailedCannotBeCancelled(t *testing.T) {
	w := newWorld(t)
	c := w.book(t)
	w.vessels.sailed = map[string]bool{c.GetVoyageId(): true}
	if err := w.CancelConsignment(as(t.Context(), "shipper"), &consignmentpb.ConsignmentRef{Id: c.GetId()}, &consignmentpb.Response{}); !errors.Is(err, fault.WrongState) {
		t.Errorf("got %v", err)
	}
	if doc := w.only(t); doc.Value.State != Confirmed || len(w.vessels.released) != 0 {
		t.Errorf("it is %s, released %v", doc.Value.State, w.vessels.released)
	}
}
