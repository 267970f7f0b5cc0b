package api

import (
	"net/http"

	"github.com/fairwayfreight/fairway/common/rule"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func (g *Gateway) createVessel(r *request) (reply, error) {
	body, err := r.object()
	if err != nil {
		return reply{}, err
	}
	v := &vesselpb.Vessel{
		Name:        body.text("name"),
		Capacity:    body.count("capacity"),
		MaxWeight:   body.count("max_weight"),
		Imo:         body.text("imo"),
		OpenSailing: body.flag("open_sailing"),
	}
	rule.NormalizeVessel(v)
	if err := r.check(rule.Vessel(v)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.Create(r.ctx, v)
	if err != nil {
		return reply{}, err
	}
	made := createdVessel{Created: out.GetCreated(), Vessel: viewVessel(out.GetVessel())}
	if out.GetVoyage() != nil {
		sailing := viewVoyage(out.GetVoyage())
		made.Voyage = &sailing
	}
	return reply{http.StatusCreated, "/vessels/" + made.Vessel.ID, made}, nil
}

func (g *Gateway) vessel(r *request) (reply, error) {
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.Get(r.ctx, &vesselpb.VesselRef{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: vesselAnswer{viewVessel(out.GetVessel())}}, nil
}

func (g *Gateway) vessels(r *request) (reply, error) {
	in := &vesselpb.ListRequest{Limit: r.limit(), Cursor: r.cursor()}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Vessels.List(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: vesselsAnswer{each(out.GetVessels(), viewVessel), out.GetNextCursor()}}, nil
}
