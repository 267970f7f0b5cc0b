package api

import (
	"context"
	"net/http"

	"go-micro.dev/v4/client"

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
		CutOff:    body.moment("cut_off"),
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
	in := &vesselpb.VoyageQuery{
		Limit:  r.limit(),
		Cursor: r.cursor(),
		From:   r.port("from"),
		To:     r.port("to"),
		After:  r.moment("after"),
		Teu:    r.count("teu", rule.MaxCapacity),
		Weight: r.count("weight", rule.MaxWeight),
		Open:   r.flag("open"),
	}
	rule.NormalizeVoyageQuery(in)
	if err := r.check(rule.VoyageQuery(in)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.ListVoyages(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: voyagesAnswer{each(out.GetVoyages(), viewVoyage), out.GetNextCursor()}}, nil
}

func (g *Gateway) closeVoyage(r *request) (reply, error) {
	return advanceVoyage(r, g.deps.Vessels.CloseVoyage)
}

func (g *Gateway) departVoyage(r *request) (reply, error) {
	return advanceVoyage(r, g.deps.Vessels.DepartVoyage)
}

func (g *Gateway) completeVoyage(r *request) (reply, error) {
	return advanceVoyage(r, g.deps.Vessels.CompleteVoyage)
}

// advanceVoyage takes a voyage a step further in its life.
func advanceVoyage(r *request, step func(context.Context, *vesselpb.VoyageRef, ...client.CallOption) (*vesselpb.VoyageResponse, error)) (reply, error) {
	if err := r.noBody(); err != nil {
		return reply{}, err
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := step(r.ctx, &vesselpb.VoyageRef{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: voyageAnswer{viewVoyage(out.GetVoyage())}}, nil
}
