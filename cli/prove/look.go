package prove

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// look reads one of the writer's bookings: it must be as was told.
func (w *writer) look(ctx context.Context) {
	n, ok := w.answered()
	if !ok || w.records()[n].booking != success {
		return
	}
	rec := w.records()[n]
	r := request{method: http.MethodGet, path: "/consignments/" + url.PathEscape(rec.id), token: w.me.token}
	a := w.do(ctx, r)
	if !a.final() {
		return // looking again is the audit's part
	}
	var shown struct {
		Consignment consignment `json:"consignment"`
	}
	switch {
	case a.status == http.StatusNotFound:
		w.found.add(lost, "consignment %s (key %s) is not there; it was answered with success (trace %s)", rec.id, w.key(n), a.trace)
	case a.status != http.StatusOK || a.decode(&shown) != nil || shown.Consignment.ID != rec.id:
		w.found.add(wrongAnswer, "%s: status %d %s (trace %s): %s", r, a.status, a.code, a.trace, a.text())
	default:
		if want := rec.wants(); !want.has(shown.Consignment.State) {
			w.found.add(lost, "consignment %s (key %s) is %s, want %s (trace %s)", rec.id, w.key(n), shown.Consignment.State, want, a.trace)
		}
	}
}

// list reads a page of the account's bookings: none may be another's.
func (w *writer) list(ctx context.Context) {
	query := url.Values{"limit": {"20"}}
	if states := []string{"", "CONFIRMED", "REJECTED", "CANCELLED"}; w.rng.IntN(2) == 0 {
		query.Set("state", states[1+w.rng.IntN(3)])
	}
	r := request{method: http.MethodGet, path: "/consignments?" + query.Encode(), token: w.me.token}
	a := w.do(ctx, r)
	if !a.final() {
		return
	}
	items, _, err := page[consignment](a, "consignments")
	if a.status != http.StatusOK || err != nil {
		w.found.add(wrongAnswer, "%s: status %d %s (trace %s): %s", r, a.status, a.code, a.trace, a.text())
		return
	}
	for _, c := range items {
		rest, own := strings.CutPrefix(c.Description, w.fleet.run+" ")
		id, ok := parseSerial(rest)
		if !own || !ok || id.writer < 0 || w.fleet.shipper(id.writer) != w.me {
			w.found.add(strangerSaw, "%s: %s was shown consignment %s of another, %q (trace %s)", r, w.me.name, c.ID, c.Description, a.trace)
		}
		if state := query.Get("state"); state != "" && c.State != state {
			w.found.add(wrongAnswer, "%s: consignment %s is %s (trace %s)", r, c.ID, c.State, a.trace)
		}
	}
}
