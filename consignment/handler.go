package consignment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// handler answers the RPCs of consignmentpb.ShippingService.
type handler struct {
	*desk
}

// CreateConsignment books freight for the caller. Ids and owners sent by clients are ignored.
func (h *handler) CreateConsignment(ctx context.Context, req *consignmentpb.Consignment, rsp *consignmentpb.Response) error {
	rule.NormalizeConsignment(req)
	if err := fault.InvalidFields(rule.Consignment(req)); err != nil {
		return err
	}
	caller, _ := auth.FromContext(ctx)
	c := Consignment{
		UserID:      caller.UserID,
		Description: req.GetDescription(),
		Weight:      req.GetWeight(),
		From:        req.GetFrom(),
		To:          req.GetTo(),
		VoyageID:    req.GetVoyageId(),
	}
	if at := req.GetNotBefore(); at != nil {
		c.NotBefore = at.AsTime()
	}
	for _, box := range req.GetContainers() {
		c.Containers = append(c.Containers, Container{
			Number:     box.GetNumber(),
			Type:       box.GetType(),
			CustomerID: box.GetCustomerId(),
			Origin:     box.GetOrigin(),
		})
	}
	doc, err := h.bookOnce(ctx, c, rule.ConsignmentQuarters(req))
	if err != nil {
		return err
	}
	rsp.Created = true
	rsp.Consignment = doc.Value.message(doc.Version)
	return nil
}

// GetConsignment finds a booking; one that is not the caller's to see is not found.
func (h *handler) GetConsignment(ctx context.Context, req *consignmentpb.ConsignmentRef, rsp *consignmentpb.Response) error {
	caller, _ := auth.FromContext(ctx)
	doc, err := h.find(ctx, req.GetId(), func(c *Consignment) bool { return visible(c, caller) })
	if err != nil {
		return err
	}
	rsp.Consignment = doc.Value.message(doc.Version)
	return nil
}

// CancelConsignment cancels a booking of the caller's, or any for an admin.
func (h *handler) CancelConsignment(ctx context.Context, req *consignmentpb.ConsignmentRef, rsp *consignmentpb.Response) error {
	caller, _ := auth.FromContext(ctx)
	doc, err := h.find(ctx, req.GetId(), func(c *Consignment) bool { return visible(c, caller) })
	if err != nil {
		return err
	}
	if doc.Value.UserID != caller.UserID && !caller.Has(auth.RoleAdmin) {
		return fault.New(fault.PermissionDenied, "only its shipper can cancel a consignment")
	}
	doc, err = h.cancel(ctx, doc.Value)
	if err != nil {
		return err
	}
	rsp.Consignment = doc.Value.message(doc.Version)
	return nil
}

// GetConsignments lists what the caller may see, newest first.
func (h *handler) GetConsignments(ctx context.Context, req *consignmentpb.GetRequest, rsp *consignmentpb.Response) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	caller, _ := auth.FromContext(ctx)
	page, err := h.consignments.Find(ctx, query(req, caller))
	if errors.Is(err, store.ErrCursor) {
		return fault.InvalidFields(rule.Cursor())
	}
	if err != nil {
		return err
	}
	for _, doc := range page.Items {
		rsp.Consignments = append(rsp.Consignments, doc.Value.message(doc.Version))
	}
	rsp.NextCursor = page.Next
	return nil
}

// query chooses the narrowest index that helps; Where does the rest.
func query(req *consignmentpb.GetRequest, caller auth.Identity) store.List[Consignment] {
	state := State(req.GetState().String())
	if req.GetState() == consignmentpb.State_STATE_UNSPECIFIED {
		state = ""
	}
	list := store.List[Consignment]{
		Descending: true,
		Limit:      rule.PageLimit(req.GetLimit()),
		Cursor:     req.GetCursor(),
		Where: func(c *Consignment) bool {
			return visible(c, caller) && (state == "" || c.State == state) &&
				(req.GetVoyageId() == "" || c.VoyageID == req.GetVoyageId())
		},
	}
	switch {
	case caller.Has(auth.RoleAdmin): // sees everybody's
	case req.GetVoyageId() != "":
		list.Index, list.Match = byVoyage, voyageParty(req.GetVoyageId(), caller.UserID)
	case state != "" && state != Received:
		list.Index, list.Match = byPartyState, partyState(caller.UserID, state)
	default:
		list.Index, list.Match = byParty, caller.UserID
	}
	return list
}

// maxSettled is how many bookings may be asked after at once. Each may take a write.
const maxSettled = 500

// Settle tells the vessel service how bookings ended, and ends those that no request can be working on any more.
func (h *handler) Settle(ctx context.Context, req *consignmentpb.SettleRequest, rsp *consignmentpb.SettleResponse) error {
	if len(req.GetBookingIds()) > maxSettled {
		return fault.InvalidFields([]fault.Field{{
			Name: "booking_ids", Rule: rule.Length, Message: fmt.Sprintf("must hold at most %d ids", maxSettled),
		}})
	}
	outcomes, err := h.outcomes(ctx, req.GetBookingIds())
	rsp.Outcomes = outcomes
	return err
}

func (h *handler) find(ctx context.Context, id string, may func(*Consignment) bool) (store.Document[Consignment], error) {
	doc, err := h.consignments.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !may(&doc.Value) {
		return doc, fault.New(fault.NotFound, "there is no such consignment")
	}
	return doc, err
}

func visible(c *Consignment, caller auth.Identity) bool {
	return caller.Has(auth.RoleAdmin) || slices.Contains(c.parties(), caller.UserID)
}
