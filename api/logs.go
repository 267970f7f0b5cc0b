package api

import (
	"net/http"

	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

func (g *Gateway) logs(r *request) (reply, error) {
	in := &logpb.ListRequest{
		Limit:    r.limit(),
		Cursor:   r.cursor(),
		EntityId: r.filter("entity_id"),
		ActorId:  r.filter("actor_id"),
		TraceId:  r.filter("trace_id"),
		Action:   r.filter("action"),
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Logs.List(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: entriesAnswer{each(out.GetEntries(), viewEntry), out.GetNextCursor()}}, nil
}
