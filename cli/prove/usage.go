package prove

import (
	"context"
	"net/http"
	"net/url"
)

// usage is the room that bookings take on a leg.
type usage struct{ quarters, kg int64 }

// take counts the room of a booking on the legs that it travels.
func (a *audit) take(v *voyage, c *consignment) {
	legs := a.usage[v.id]
	if legs == nil {
		legs = make([]usage, v.legs())
		a.usage[v.id] = legs
	}
	first, end, ok := v.span(c.From, c.To)
	if !ok {
		a.now.add(wrongAnswer, "consignment %s is on voyage %s, which does not sail from %s to %s", c.ID, v.id, c.From, c.To)
		return
	}
	for i := first; i < end; i++ {
		legs[i].quarters += c.quarters()
		legs[i].kg += c.Weight
	}
}

// voyages holds the room that is taken against the sum of the bookings.
func (a *audit) voyages(ctx context.Context) error {
	for _, v := range a.fleet.voyages {
		r := request{method: http.MethodGet, path: "/voyages/" + url.PathEscape(v.id), token: v.carrier.token}
		answered := a.patiently(ctx, r)
		legs := a.fleet.room(answered, v, a.now)
		if legs == nil || a.fits(v, legs) {
			continue
		}
		// Others may have booked on it too. Its carrier sees those.
		if err := a.recount(ctx, v); err != nil {
			return err
		}
		for i, l := range legs {
			if u := a.usageOf(v)[i]; l.Used*quartersPerTEU != float64(u.quarters) || l.UsedWeight != u.kg {
				a.now.add(leaked, "voyage %s leg %d: %v TEU and %d kg are taken, its bookings sum up to %v TEU and %d kg (trace %s)",
					v.id, i, l.Used, l.UsedWeight, float64(u.quarters)/quartersPerTEU, u.kg, answered.trace)
			}
		}
	}
	return nil
}

func (a *audit) usageOf(v *voyage) []usage {
	if legs := a.usage[v.id]; legs != nil {
		return legs
	}
	return make([]usage, v.legs())
}

func (a *audit) fits(v *voyage, legs []leg) bool {
	for i, u := range a.usageOf(v) {
		if legs[i].Used*quartersPerTEU != float64(u.quarters) || legs[i].UsedWeight != u.kg {
			return false
		}
	}
	return true
}

// recount counts all bookings on a voyage, as its carrier is shown them.
func (a *audit) recount(ctx context.Context, v *voyage) error {
	delete(a.usage, v.id)
	return walk(ctx, a.client, v.carrier.token, "/consignments", url.Values{"voyage_id": {v.id}}, "consignments", func(c *consignment) (string, error) {
		if c.VoyageID == v.id && c.live() {
			a.take(v, c)
		}
		return c.ID, nil
	}, pagedTwice)
}
