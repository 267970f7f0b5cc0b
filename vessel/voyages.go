package vessel

import (
	"cmp"
	"context"
	"errors"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// GetVoyage finds a voyage with the room on its legs.
func (h *handler) GetVoyage(ctx context.Context, req *vesselpb.VoyageRef, rsp *vesselpb.VoyageResponse) error {
	doc, err := h.fleet.find(ctx, req.GetId())
	if err != nil {
		return err
	}
	return h.show(ctx, doc, rsp)
}

// show answers with a voyage and the room on its legs.
func (h *handler) show(ctx context.Context, doc store.Document[Voyage], rsp *vesselpb.VoyageResponse) error {
	ledger, err := h.rooms.ledgers.Get(ctx, doc.Value.ID)
	if err != nil {
		return err
	}
	rsp.Voyage = doc.Value.message(doc.Version, ledger.Value.Legs)
	return nil
}

// CloseVoyage ends the booking of a voyage of the caller's.
func (h *handler) CloseVoyage(ctx context.Context, req *vesselpb.VoyageRef, rsp *vesselpb.VoyageResponse) error {
	return h.advance(ctx, req, rsp, h.fleet.close)
}

// DepartVoyage notes that a voyage of the caller's has sailed.
func (h *handler) DepartVoyage(ctx context.Context, req *vesselpb.VoyageRef, rsp *vesselpb.VoyageResponse) error {
	return h.advance(ctx, req, rsp, h.fleet.depart)
}

// CompleteVoyage notes that a voyage of the caller's has ended.
func (h *handler) CompleteVoyage(ctx context.Context, req *vesselpb.VoyageRef, rsp *vesselpb.VoyageResponse) error {
	return h.advance(ctx, req, rsp, h.fleet.complete)
}

// advance takes a voyage of the caller's a step further. Voyages are public, so one of somebody else's is there, but not the
// caller's to change. Errors: not_found, permission_denied, those of step.
func (h *handler) advance(ctx context.Context, req *vesselpb.VoyageRef, rsp *vesselpb.VoyageResponse, step func(context.Context, string) (store.Document[Voyage], error)) error {
	doc, err := h.fleet.find(ctx, req.GetId())
	if err != nil {
		return err
	}
	if caller, _ := auth.FromContext(ctx); doc.Value.OwnerID != caller.UserID {
		return fault.New(fault.PermissionDenied, "only its owner can do this to a voyage")
	}
	if doc, err = step(ctx, doc.Value.ID); err != nil {
		return err
	}
	return h.show(ctx, doc, rsp)
}

// maxRounds bounds how often a list of voyages reads on because those that it had read have no room.
const maxRounds = 10

// ListVoyages lists the voyages that fit, newest first, with the room on their legs. A page can hold fewer than its limit, even
// none, and still have a next one, when many voyages had to be passed over.
func (h *handler) ListVoyages(ctx context.Context, req *vesselpb.VoyageQuery, rsp *vesselpb.VoyageResponse) error {
	rule.NormalizeVoyageQuery(req)
	if err := fault.InvalidFields(rule.VoyageQuery(req)); err != nil {
		return err
	}
	list, w := h.inquiry(req)
	for range maxRounds {
		list.Limit = rule.PageLimit(req.GetLimit()) - len(rsp.GetVoyages())
		page, err := h.fleet.voyages.Find(ctx, list)
		if errors.Is(err, store.ErrCursor) {
			return fault.InvalidFields(rule.Cursor())
		}
		if err != nil {
			return err
		}
		if err := h.showWithRoom(ctx, page.Items, w, rsp); err != nil {
			return err
		}
		// Whatever was read is now listed or has no room, so the list goes on behind it.
		list.Cursor, rsp.NextCursor = page.Next, page.Next
		if page.Next == "" || len(rsp.GetVoyages()) == rule.PageLimit(req.GetLimit()) {
			return nil
		}
	}
	return nil
}

// inquiry makes a list of the voyages that sail as a query asks, and the wish that their legs must have room for.
func (h *handler) inquiry(req *vesselpb.VoyageQuery) (store.List[Voyage], wish) {
	now := h.fleet.now()
	w := wish{
		need: Need{Quarters: int64(req.GetTeu()) * rule.QuartersPerTEU, Weight: int64(req.GetWeight())},
		from: req.GetFrom(),
		to:   req.GetTo(),
	}
	if req.GetAfter() != nil {
		w.notBefore = req.GetAfter().AsTime()
	}
	list := store.List[Voyage]{
		Descending: true,
		Cursor:     req.GetCursor(),
		Where: func(v *Voyage) bool {
			switch {
			case v.State == Planned:
				return false
			case req.Open != nil && req.GetOpen() != v.bookable(now):
				return false
			case !w.notBefore.IsZero() && v.sailed() && len(v.Calls) == 0: // nobody knows when
				return false
			}
			return len(w.spans(v.Calls)) > 0
		},
	}
	if port := cmp.Or(w.from, w.to); port != "" {
		list.Index, list.Match = byPort, port
	}
	return list, w
}

// showWithRoom adds to the answer those of the voyages that have room for the wish.
func (h *handler) showWithRoom(ctx context.Context, voyages []store.Document[Voyage], w wish, rsp *vesselpb.VoyageResponse) error {
	ids := make([]string, len(voyages))
	for i, doc := range voyages {
		ids[i] = doc.Value.ID
	}
	ledgers, err := h.rooms.ledgers.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	for _, doc := range voyages {
		ledger, ok := ledgers[doc.Value.ID]
		if !ok {
			continue
		}
		if _, fits := ledger.Value.place(w); fits {
			rsp.Voyages = append(rsp.Voyages, doc.Value.message(doc.Version, ledger.Value.Legs))
		}
	}
	return nil
}
