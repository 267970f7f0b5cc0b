package prove

import (
	"context"
	"net/http"
)

// answered picks a booking that has its final answer, in O(1); ok is false where the first picks have none.
func (w *writer) answered() (n int, ok bool) {
	records := w.records()
	for range 4 {
		if len(records) == 0 {
			return 0, false
		}
		n = w.rng.IntN(len(records))
		if b := records[n].booking; b == success || b == noCapacity || b == wrongState {
			return n, true
		}
	}
	return 0, false
}

// replay repeats a request that was answered: it must be answered the same.
func (w *writer) replay(ctx context.Context) {
	n, ok := w.answered()
	if !ok {
		return
	}
	w.tally.replays.Add(1)
	rec := w.records()[n]
	if rec.cancel == success && w.rng.IntN(2) == 0 {
		w.replayCancel(ctx, n, rec)
		return
	}
	r := w.booking(n, rec.ask)
	if a, _ := w.persist(ctx, r); a.final() {
		w.compare(n, r, a, true)
	}
}

func (w *writer) replayCancel(ctx context.Context, n int, rec record) {
	r := w.cancellation(n, rec.id)
	a, _ := w.persist(ctx, r)
	if !a.final() {
		return
	}
	var same struct {
		Consignment consignment `json:"consignment"`
	}
	if a.status != http.StatusOK || a.decode(&same) != nil || same.Consignment.ID != rec.id || same.Consignment.State != "CANCELLED" || !a.replayed {
		w.found.add(brokenReplay, "%s: status %d %s, replayed %t; first it was 200 and consignment %s CANCELLED (trace %s)", r, a.status, a.code, a.replayed, rec.id, a.trace)
	}
}

// compare holds a further answer to a booking against the first. Marked tells that it must say to be a replay.
func (w *writer) compare(n int, r request, a answer, marked bool) {
	rec := &w.records()[n]
	var made struct {
		Consignment consignment `json:"consignment"`
	}
	if a.status == http.StatusCreated {
		_ = a.decode(&made) // what cannot be read has no id, which is another than the first
	}
	if outcome(a) != rec.booking || made.Consignment.ID != rec.id || marked && !a.replayed {
		w.found.add(brokenReplay, "%s: status %d %s, consignment %q, replayed %t; first it was %s, consignment %q (trace %s)",
			r, a.status, a.code, made.Consignment.ID, a.replayed, rec.booking, rec.id, a.trace)
	}
}

// reuse sends another booking with a key that was answered.
func (w *writer) reuse(ctx context.Context) {
	n, ok := w.answered()
	if !ok {
		return
	}
	other := w.records()[n].ask
	other.weight++
	r := w.booking(n, other)
	a, _ := w.persist(ctx, r)
	if a.final() && a.status != http.StatusUnprocessableEntity {
		w.found.add(brokenReplay, "%s: another body was answered with status %d %s, want 422 (trace %s)", r, a.status, a.code, a.trace)
	}
}
