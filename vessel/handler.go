package vessel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// handler answers the RPCs of vesselpb.VesselService. Those that make and find vessels and make voyages are in this file, the
// others about voyages in voyages.go, those for the consignment service in reserve.go.
type handler struct {
	fleet *fleet
	rooms *registrar
}

// Create offers a vessel. Its owner is the caller; ids and owners sent by clients are ignored.
func (h *handler) Create(ctx context.Context, req *vesselpb.Vessel, rsp *vesselpb.Response) error {
	rule.NormalizeVessel(req)
	if err := fault.InvalidFields(rule.Vessel(req)); err != nil {
		return err
	}
	id, err := idempotency.NewID(ctx)
	if err != nil {
		return err
	}
	caller, _ := auth.FromContext(ctx)
	vessel, sailing, err := h.fleet.commission(ctx, Vessel{
		ID:          id,
		Name:        req.GetName(),
		IMO:         req.GetImo(),
		Capacity:    req.GetCapacity(),
		MaxWeight:   req.GetMaxWeight(),
		OwnerID:     caller.UserID,
		OpenSailing: req.OpenSailing == nil || req.GetOpenSailing(),
		CreatedAt:   h.fleet.now().UTC(),
	})
	if err != nil {
		return err
	}
	rsp.Created = true
	rsp.Vessel = vessel.Value.message(vessel.Version)
	if vessel.Value.OpenSailing {
		ledger := newLedger(&sailing.Value)
		rsp.Voyage = sailing.Value.message(sailing.Version, ledger.Legs)
	}
	return nil
}

// Get finds a vessel.
func (h *handler) Get(ctx context.Context, req *vesselpb.VesselRef, rsp *vesselpb.Response) error {
	doc, err := h.fleet.vessels.Get(ctx, req.GetId())
	if errors.Is(err, store.ErrNotFound) {
		return errNoVessel()
	}
	if err != nil {
		return err
	}
	rsp.Vessel = doc.Value.message(doc.Version)
	return nil
}

// List lists vessels, newest first.
func (h *handler) List(ctx context.Context, req *vesselpb.ListRequest, rsp *vesselpb.Response) error {
	page, err := list(ctx, h.fleet.vessels, req, nil)
	if err != nil {
		return err
	}
	for _, doc := range page.Items {
		rsp.Vessels = append(rsp.Vessels, doc.Value.message(doc.Version))
	}
	rsp.NextCursor = page.Next
	return nil
}

// CreateVoyage adds a sailing to a vessel of the caller's.
func (h *handler) CreateVoyage(ctx context.Context, req *vesselpb.Voyage, rsp *vesselpb.VoyageResponse) error {
	rule.NormalizeVoyage(req)
	if err := fault.InvalidFields(rule.Voyage(req)); err != nil {
		return err
	}
	caller, _ := auth.FromContext(ctx)
	vessel, err := h.fleet.vessels.Get(ctx, req.GetVesselId())
	if errors.Is(err, store.ErrNotFound) || err == nil && vessel.Value.OwnerID != caller.UserID {
		return errNoVessel()
	}
	if err != nil {
		return err
	}
	planned, err := h.planned(ctx, &vessel.Value, req)
	if err != nil {
		return err
	}
	opened, err := h.fleet.open(ctx, planned)
	if err != nil {
		return err
	}
	ledger := newLedger(&opened.Value)
	rsp.Voyage = opened.Value.message(opened.Version, ledger.Legs)
	return nil
}

// planned is the voyage that a request asks for, stored and not yet open: that of an earlier attempt where one got so far, of
// which is not asked again whether it still lies in the future. Errors: invalid.
func (h *handler) planned(ctx context.Context, v *Vessel, req *vesselpb.Voyage) (store.Document[Voyage], error) {
	if idempotency.Resumed(ctx) {
		id, err := idempotency.NewID(ctx)
		if err != nil {
			return store.Document[Voyage]{}, err
		}
		if doc, err := h.fleet.voyages.Get(ctx, id); !errors.Is(err, store.ErrNotFound) {
			return doc, err
		}
	}
	voyage, err := voyageOf(v, req, h.fleet.now())
	if err != nil {
		return store.Document[Voyage]{}, err
	}
	return h.fleet.plan(ctx, voyage)
}

// voyageOf makes a voyage of a request. It can carry less than its vessel, never more, and has not sailed yet.
// Errors: invalid.
func voyageOf(v *Vessel, req *vesselpb.Voyage, now time.Time) (Voyage, error) {
	voyage := Voyage{
		Number:    req.GetNumber(),
		VesselID:  v.ID,
		OwnerID:   v.OwnerID,
		Capacity:  req.GetCapacity(),
		MaxWeight: req.GetMaxWeight(),
		CutOff:    req.GetCalls()[0].GetDeparture().AsTime(),
	}
	var wrong []fault.Field
	limit := func(field string, asked *int32, vessel int32) {
		if *asked == 0 {
			*asked = vessel
		}
		if *asked > vessel {
			wrong = append(wrong, fault.Field{Name: field, Rule: rule.Range, Message: fmt.Sprintf("must not exceed the vessel's %d", vessel)})
		}
	}
	limit("capacity", &voyage.Capacity, v.Capacity)
	limit("max_weight", &voyage.MaxWeight, v.MaxWeight)
	if first := req.GetCalls()[0].GetDeparture().AsTime(); !first.After(now) {
		wrong = append(wrong, fault.Field{Name: "calls[0].departure", Rule: rule.Range, Message: "must be in the future"})
	}
	if req.GetCutOff() != nil {
		if voyage.CutOff = req.GetCutOff().AsTime(); !voyage.CutOff.After(now) {
			wrong = append(wrong, fault.Field{Name: "cut_off", Rule: rule.Range, Message: "must be in the future"})
		}
	}
	for _, c := range req.GetCalls() {
		call := PortCall{Port: c.GetPort()}
		if c.GetArrival() != nil {
			call.Arrival = c.GetArrival().AsTime()
		}
		if c.GetDeparture() != nil {
			call.Departure = c.GetDeparture().AsTime()
		}
		voyage.Calls = append(voyage.Calls, call)
	}
	return voyage, fault.InvalidFields(wrong)
}

// FindAvailable names the oldest open sailing without ports that has room now.
func (h *handler) FindAvailable(ctx context.Context, req *vesselpb.Specification, rsp *vesselpb.Response) error {
	if err := fault.InvalidFields(rule.Specification(req)); err != nil {
		return err
	}
	need := Need{Quarters: int64(req.GetCapacity()) * rule.QuartersPerTEU, Weight: int64(req.GetMaxWeight())}
	var found *Ledger
	err := sailings(ctx, h.rooms.ledgers, wish{need: need, now: h.fleet.now()}, func(l *Ledger, _ Span) (bool, error) {
		found = l
		return true, nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		return errNoCapacity()
	}
	vessel, err := h.fleet.vessels.Get(ctx, found.VesselID)
	if err != nil {
		return err
	}
	voyage, err := h.fleet.voyages.Get(ctx, found.VoyageID)
	if err != nil {
		return err
	}
	rsp.Vessel = vessel.Value.message(vessel.Version)
	rsp.Voyage = voyage.Value.message(voyage.Version, found.Legs)
	return nil
}

// list answers a list request of any collection, newest first. Errors: invalid.
func list[T any](ctx context.Context, c *store.Collection[T], req *vesselpb.ListRequest, where func(*T) bool) (store.Page[T], error) {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return store.Page[T]{}, err
	}
	page, err := c.Find(ctx, store.List[T]{
		Descending: true,
		Where:      where,
		Limit:      rule.PageLimit(req.GetLimit()),
		Cursor:     req.GetCursor(),
	})
	if errors.Is(err, store.ErrCursor) {
		return page, fault.InvalidFields(rule.Cursor())
	}
	return page, err
}

func errNoVessel() error { return fault.New(fault.NotFound, "there is no such vessel") }
