package prove

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// watchEvery is how often the room on all voyages is looked at while the load runs.
const watchEvery = time.Second

// watch looks at every voyage again and again until ctx ends: at no moment may a leg carry more than it can.
func (r *run) watch(ctx context.Context) {
	for sleep(ctx, watchEvery) {
		for _, v := range r.fleet.voyages {
			a := r.do(ctx, request{method: http.MethodGet, path: "/voyages/" + url.PathEscape(v.id), token: v.carrier.token})
			if a.final() {
				r.fleet.room(a, v, r.found)
			}
		}
	}
}

// room reads the room on a voyage's legs from the answer to a GET, and looks at its form, its limits and whether a voyage that
// was closed still is. It is nil where it cannot be read.
func (f *fleet) room(a answer, v *voyage, found *findings) []leg {
	var shown struct {
		Voyage sailing `json:"voyage"`
	}
	if a.status != http.StatusOK || a.decode(&shown) != nil || shown.Voyage.ID != v.id || len(shown.Voyage.Legs) != v.legs() {
		found.add(wrongAnswer, "voyage %s: status %d, want 200 and %d legs (trace %s): %s", v.id, a.status, v.legs(), a.trace, a.text())
		return nil
	}
	for i, l := range shown.Voyage.Legs {
		if l.Used > l.Capacity || l.UsedWeight > l.MaxWeight || l.Used < 0 || l.UsedWeight < 0 {
			found.add(oversold, "voyage %s leg %d: %v of %v TEU and %d of %d kg are taken (trace %s)", v.id, i, l.Used, l.Capacity, l.UsedWeight, l.MaxWeight, a.trace)
		}
		if l.Free != l.Capacity-l.Used {
			found.add(wrongAnswer, "voyage %s leg %d: %v TEU less %v are not %v (trace %s)", v.id, i, l.Capacity, l.Used, l.Free, a.trace)
		}
	}
	if v.closed(a.started) && shown.Voyage.State != "CLOSED" {
		found.add(lost, "voyage %s is %s; it was answered to be closed (trace %s)", v.id, shown.Voyage.State, a.trace)
	}
	return shown.Voyage.Legs
}

// closeSome has carriers close a quarter of the voyages that are not hot, near the end of the load. What is booked after
// that was answered must be refused.
func (r *run) closeSome(ctx, load context.Context) {
	start := time.Now()
	others := r.fleet.voyages[r.fleet.hot:]
	count := (len(others) + 3) / 4
	for i, which := range r.closing.Perm(len(others))[:count] {
		at := 0.7 + 0.2*float64(i)/float64(count)
		if !sleep(load, time.Until(start.Add(time.Duration(at*float64(r.o.load))))) {
			return
		}
		v := others[which]
		v.closing.Store(true)
		ask := request{method: http.MethodPost, path: "/voyages/" + url.PathEscape(v.id) + "/close", token: v.carrier.token, key: r.fleet.run + "-close-" + v.id}
		a, _ := r.persist(ctx, ask)
		answered := time.Now()
		var closed struct {
			Voyage sailing `json:"voyage"`
		}
		if a.status != http.StatusOK || a.decode(&closed) != nil || closed.Voyage.ID != v.id || closed.Voyage.State != "CLOSED" {
			r.found.add(wrongAnswer, "%s: status %d %s, want 200 and CLOSED (trace %s): %s", ask, a.status, a.code, a.trace, a.text())
			continue
		}
		v.closedAt.Store(&answered)
	}
}
