package vessel

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/idempotency/idempotencytest"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// TestAVesselIsFinishedWhereverItsMakingWasCutOff makes a vessel whose making was cut off after each of its writes.
func TestAVesselIsFinishedWhereverItsMakingWasCutOff(t *testing.T) {
	ship := Vessel{ID: "ship", Name: "Tern", OwnerID: "carrier", Capacity: 10, MaxWeight: 1000, OpenSailing: true}
	plan := func(ctx context.Context, w *world) (store.Document[Voyage], error) {
		return w.fleet.plan(ctx, Voyage{ID: idempotency.Part(ship.ID, "sailing"), Number: "OPEN", VesselID: ship.ID, OwnerID: ship.OwnerID, Capacity: 10, MaxWeight: 1000})
	}
	for _, tt := range []struct {
		name string
		done func(ctx context.Context, w *world) error
	}{
		{"before the first", func(context.Context, *world) error { return nil }},
		{"planned", func(ctx context.Context, w *world) error { _, err := plan(ctx, w); return err }},
		{"planned, and taken for abandoned since", func(ctx context.Context, w *world) error {
			_, err := plan(ctx, w)
			w.clock.advance(abandoned + time.Second)
			return errors.Join(err, w.settler.settle(ctx))
		}},
		{"vessel stored", func(ctx context.Context, w *world) error {
			_, err := plan(ctx, w)
			_, failed := w.fleet.vessels.Insert(ctx, ship)
			return errors.Join(err, failed)
		}},
		{"ledger stored", func(ctx context.Context, w *world) error {
			planned, err := plan(ctx, w)
			_, failed := w.fleet.vessels.Insert(ctx, ship)
			_, late := w.fleet.ledgers.Insert(ctx, newLedger(&planned.Value))
			return errors.Join(err, failed, late)
		}},
		{"all done", func(ctx context.Context, w *world) error { _, _, err := w.fleet.commission(ctx, ship); return err }},
		{"all done, and closed since", func(ctx context.Context, w *world) error {
			_, sailing, err := w.fleet.commission(ctx, ship)
			_, failed := w.fleet.close(ctx, sailing.Value.ID)
			return errors.Join(err, failed)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, ctx := newWorld(t), t.Context()
			if err := tt.done(ctx, w); err != nil {
				t.Fatal(err)
			}
			vessel, sailing, err := w.fleet.commission(ctx, ship)
			if err != nil || vessel.Value.ID != ship.ID || sailing.Value.VesselID != ship.ID || sailing.Value.State == Planned {
				t.Fatalf("%+v, %+v, %v", vessel, sailing, err)
			}
			w.clock.advance(abandoned + time.Second)
			if err := w.settler.settle(ctx); err != nil {
				t.Fatal(err)
			}
			page, err := w.fleet.voyages.Find(ctx, store.List[Voyage]{Limit: 10})
			if err != nil || len(page.Items) != 1 || page.Items[0].Value.State == Planned {
				t.Errorf("voyages %+v, %v", page.Items, err)
			}
			if _, err := w.fleet.ledgers.Get(ctx, sailing.Value.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAVoyageWhoseAnswerWasLostIsFoundAgainThoughItsTimesHavePassed(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(ctx context.Context, h *handler, req *vesselpb.Voyage) error
	}{
		{"made", func(ctx context.Context, h *handler, req *vesselpb.Voyage) error {
			return h.CreateVoyage(ctx, req, &vesselpb.VoyageResponse{})
		}},
		{"planned", func(ctx context.Context, h *handler, req *vesselpb.Voyage) error {
			ship, err := h.fleet.vessels.Get(ctx, req.GetVesselId())
			if err != nil {
				return err
			}
			_, err = h.planned(ctx, &ship.Value, req)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			h := &handler{fleet: w.fleet, rooms: w.registrar}
			k := idempotencytest.Keeper(t, w.db, w.clock.now)
			ctx := auth.NewContext(t.Context(), auth.Identity{UserID: "carrier", Roles: []string{auth.RoleCarrier}})
			if _, err := w.fleet.vessels.Insert(ctx, Vessel{ID: "ship", OwnerID: "carrier", Capacity: 10, MaxWeight: 1000}); err != nil {
				t.Fatal(err)
			}
			req := schedule(w.clock.now())
			send := func(handle func(context.Context, *vesselpb.Voyage, *vesselpb.VoyageResponse) error) (*vesselpb.Voyage, bool, error) {
				in, out := proto.CloneOf(req), &vesselpb.VoyageResponse{}
				replayed, err := idempotencytest.Call(ctx, k, "vessel.VesselService.CreateVoyage", "k", in, out, func(ctx context.Context) error { return handle(ctx, in, out) })
				return out.GetVoyage(), replayed, err
			}
			_, _, err := send(func(ctx context.Context, in *vesselpb.Voyage, _ *vesselpb.VoyageResponse) error {
				return errors.Join(tt.lose(ctx, h, in), idempotencytest.ErrLost)
			})
			if !errors.Is(err, idempotencytest.ErrLost) {
				t.Fatal(err)
			}
			w.clock.advance(12 * time.Hour) // past the first departure
			found, replayed, err := send(h.CreateVoyage)
			if err != nil || replayed || found.GetNumber() != "1W" || found.GetState() == vesselpb.VoyageState_PLANNED {
				t.Errorf("%v, replayed %v, %v", found, replayed, err)
			}
			if again, replayed, err := send(h.CreateVoyage); err != nil || !replayed || again.GetId() != found.GetId() {
				t.Errorf("%v, replayed %v, %v", again, replayed, err)
			}
			page, err := w.fleet.voyages.Find(ctx, store.List[Voyage]{Limit: 10})
			if err != nil || len(page.Items) != 1 {
				t.Errorf("%d voyages, %v", len(page.Items), err)
			}
		})
	}
}

// schedule is a request for a voyage of the ship "ship" that leaves an hour from now.
func schedule(now time.Time) *vesselpb.Voyage {
	return &vesselpb.Voyage{VesselId: "ship", Number: "1W", Calls: []*vesselpb.PortCall{
		{Port: "CNSHA", Departure: timestamppb.New(now.Add(time.Hour))},
		{Port: "NLRTM", Arrival: timestamppb.New(now.Add(1000 * time.Hour))},
	}}
}
