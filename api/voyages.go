package api

import (
	"net/http"

	"github.com/fairwayfreight/fairway/common/rule"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func (g *Gateway) createVoyage(r *request) (reply, error) {
	body, err := r.object()
	if err != nil {
		return reply{}, err
	}
	v := &vesselpb.Voyage{
		VesselId:  r.id,
		Number:    body.text("number"),
		Capacity:  body.countOrNone("capacity"),
		MaxWeight: body.countOrNone("max_weight"),
	}
	for _, call := range body.objects("calls", rule.MaxCalls) {
		v.Calls = append(v.Calls, &vesselpb.PortCall{
			Port:      call.text("port"),
			Arrival:   call.moment("arrival"),
			Departure: call.moment("departure"),
		})
	}
	rule.NormalizeVoyage(v)
	if err := r.check(rule.Voyage(v)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.CreateVoyage(r.ctx, v)
	if err != nil {
		return reply{}, err
	}
	voyage := viewVoyage(out.GetVoyage())
	return reply{http.StatusCreated, "/voyages/" + voyage.ID, voyageAnswer{voyage}}, nil
}

func (g *Gateway) voyage(r *request) (reply, error) {
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.GetVoyage(r.ctx, &vesselpb.VoyageRef{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: voyageAnswer{viewVoyage(out.GetVoyage())}}, nil
}

func (g *Gateway) voyages(r *request) (reply, error) {
	in := &vesselpb.VoyageQuery{Limit: r.limit(), Cursor: r.cursor()}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.ListVoyages(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: voyagesAnswer{each(out.GetVoyages(), viewVoyage), out.GetNextCursor()}}, nil
}
