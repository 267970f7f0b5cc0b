package api

import (
	"net/http"

	"github.com/fairwayfreight/fairway/common/rule"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

func (g *Gateway) createConsignment(r *request) (reply, error) {
	body, err := r.object()
	if err != nil {
		return reply{}, err
	}
	booking := &consignmentpb.Consignment{
		Description: body.text("description"),
		Weight:      body.count("weight"),
		From:        body.text("from"),
		To:          body.text("to"),
		NotBefore:   body.moment("not_before"),
		VoyageId:    body.text("voyage_id"),
	}
	for _, box := range body.objects("containers", rule.MaxContainers) {
		booking.Containers = append(booking.Containers, &consignmentpb.Container{
			Number:     box.text("number"),
			Type:       box.text("type"),
			CustomerId: box.text("customer_id"),
			Origin:     box.text("origin"),
		})
	}
	rule.NormalizeConsignment(booking)
	if err := r.check(rule.Consignment(booking)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Consignments.CreateConsignment(r.ctx, booking)
	if err != nil {
		return reply{}, err
	}
	made := createdConsignment{Created: out.GetCreated(), Consignment: viewConsignment(out.GetConsignment())}
	return reply{http.StatusCreated, "/consignments/" + made.Consignment.ID, made}, nil
}

func (g *Gateway) consignment(r *request) (reply, error) {
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Consignments.GetConsignment(r.ctx, &consignmentpb.ConsignmentRef{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: consignmentAnswer{viewConsignment(out.GetConsignment())}}, nil
}

func (g *Gateway) consignments(r *request) (reply, error) {
	in := &consignmentpb.GetRequest{
		Limit:    r.limit(),
		Cursor:   r.cursor(),
		State:    r.state(),
		VoyageId: r.filter("voyage_id"),
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Consignments.GetConsignments(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: consignmentsAnswer{
		each(out.GetConsignments(), viewConsignment), out.GetNextCursor(),
	}}, nil
}

func (g *Gateway) cancelConsignment(r *request) (reply, error) {
	if err := r.noBody(); err != nil {
		return reply{}, err
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Consignments.CancelConsignment(r.ctx, &consignmentpb.ConsignmentRef{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: consignmentAnswer{viewConsignment(out.GetConsignment())}}, nil
}
