package prove

import (
	"context"
	"net/http"
	"net/url"
)

// intrude has the stranger ask for one of the writer's bookings.
func (w *writer) intrude(ctx context.Context) {
	n, ok := w.answered()
	if !ok || w.records()[n].booking != success {
		return
	}
	w.fleet.strangerLooks(ctx, w.client, w.fleet.stranger, w.records()[n].id)
}

// strangerLooks asks for a consignment as somebody whom it does not concern: there must be no such thing.
func (f *fleet) strangerLooks(ctx context.Context, c *client, who *person, id string) {
	r := request{method: http.MethodGet, path: "/consignments/" + url.PathEscape(id), token: who.token}
	if a := c.do(ctx, r); a.final() && a.status != http.StatusNotFound {
		c.found.add(strangerSaw, "%s: %s was answered with status %d, want 404 (trace %s): %s", r, who.name, a.status, a.trace, a.text())
	}
}

// maxIntrusions is how many consignments an audit has strangers ask for.
const maxIntrusions = 40

// strangers asks for what is not theirs: one who has nothing to do with the run's bookings, and shippers for each other's.
func (a *audit) strangers(ctx context.Context) error {
	s := a.fleet.stranger
	err := walk(ctx, a.client, s.token, "/consignments", nil, "consignments", func(c *consignment) (string, error) {
		a.now.add(strangerSaw, "%s is shown consignment %s in its list", s.name, c.ID)
		return c.ID, nil
	}, pagedTwice)
	if err != nil {
		return err
	}
	asked := 0
	for id, seen := range a.sights {
		if seen.of == nil {
			continue
		}
		if asked++; asked > maxIntrusions {
			break
		}
		a.fleet.strangerLooks(ctx, a.client, s, id)
		a.fleet.strangerLooks(ctx, a.client, a.fleet.shipper(seen.key.writer+1), id)
		if err := a.strangerReads(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// strangerReads has the stranger ask the log about a consignment.
func (a *audit) strangerReads(ctx context.Context, id string) error {
	s := a.fleet.stranger
	return walk(ctx, a.client, s.token, "/logs", url.Values{"entity_id": {id}}, "entries", func(e *entry) (string, error) {
		a.now.add(strangerSaw, "%s is shown log entry %s of consignment %s", s.name, e.ID, id)
		return e.ID, nil
	}, repeatedLog)
}
