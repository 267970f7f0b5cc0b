package prove

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// writer is one client. It books, cancels, looks and repeats at random until the load is over, and finishes what it began.
type writer struct {
	*run
	number int
	me     *person
	rng    *rand.Rand
	// open are bookings of its own that were confirmed and not cancelled, by number. At most maxOpen, so that picking is cheap.
	open []int
	// owed is how many of its requests are being repeated beside its work, ended takes what to do when one is answered.
	owed  int
	ended chan func()
}

// maxOwed is how many requests without an answer a writer leaves behind before it waits for one. It goes on without them, as
// other clients would: so there is load on a Fairway that has just come back.
const maxOwed = 8

// maxOpen is how many bookings a writer remembers to cancel or to look at.
const maxOpen = 256

func newWriter(r *run, number int) *writer {
	return &writer{run: r, number: number, me: r.fleet.shipper(number), rng: rand.New(rand.NewPCG(r.o.seed, uint64(number))), ended: make(chan func())}
}

// work goes on until load ends. What was begun is repeated until it is answered or until ctx ends.
func (w *writer) work(ctx, load context.Context) {
	for load.Err() == nil && ctx.Err() == nil {
		w.collect(maxOwed)
		switch p := w.rng.IntN(100); {
		case p < 52:
			w.book(ctx)
		case p < 55:
			w.bookTwice(ctx)
		case p < 75:
			w.cancel(ctx)
		case p < 85:
			w.replay(ctx)
		case p < 89:
			w.reuse(ctx)
		case p < 96:
			w.look(ctx)
		case p < 98:
			w.list(ctx)
		default:
			w.intrude(ctx)
		}
	}
	w.collect(0)
}

// send makes a request and has then called with its final answer and with how often it was sent: at once where it is answered
// at once, else when that comes. ctx ends it with whatever came last.
func (w *writer) send(ctx context.Context, r request, then func(a answer, attempts int)) {
	a := w.do(ctx, r)
	if a.final() || ctx.Err() != nil {
		then(a, 1)
		return
	}
	w.owed++
	go func() {
		sleep(ctx, max(firstPause, a.retryAfter))
		a, attempts := w.persist(ctx, r)
		w.ended <- func() { then(a, 1+attempts) }
	}()
}

// collect takes in the answers that have come, and waits for some while more than most are owed.
func (w *writer) collect(most int) {
	for w.owed > most {
		(<-w.ended)()
		w.owed--
	}
	for w.owed > 0 {
		select {
		case then := <-w.ended:
			then()
			w.owed--
		default:
			return
		}
	}
}

func (w *writer) records() []record { return w.ledger.columns[w.number] }

func (w *writer) key(n int) string {
	return w.fleet.key(serial{w.number, n})
}

// booking is the request for the booking of a number, the same whenever it is made.
func (w *writer) booking(n int, a ask) request {
	body := encode(w.fleet.wish(serial{w.number, n}, a))
	return request{method: http.MethodPost, path: "/consignments", token: w.me.token, key: w.key(n), body: body}
}

func (w *writer) cancellation(n int, id string) request {
	return request{method: http.MethodPost, path: "/consignments/" + url.PathEscape(id) + "/cancel", token: w.me.token, key: w.key(n) + "-cancel"}
}

// next chooses a booking and enters it into the ledger.
func (w *writer) next() (n int, r request) {
	index := w.rng.IntN(len(w.fleet.voyages))
	if w.fleet.hot > 0 && w.rng.IntN(2) == 0 {
		index = w.rng.IntN(w.fleet.hot)
	}
	n = len(w.records())
	a := randomAsk(w.rng, index, w.fleet.voyages[index])
	w.ledger.columns[w.number] = append(w.records(), record{ask: a})
	return n, w.booking(n, a)
}

func (w *writer) book(ctx context.Context) {
	n, r := w.next()
	asked := time.Now()
	w.send(ctx, r, func(a answer, attempts int) {
		w.tally.repeats.Add(int64(attempts - 1))
		w.booked(n, r, a, asked, attempts)
	})
}

// bookTwice sends the same booking twice at once, as an impatient person does.
func (w *writer) bookTwice(ctx context.Context) {
	n, r := w.next()
	asked := time.Now()
	w.owed++
	go func() {
		var answers [2]answer
		var attempts [2]int
		var both sync.WaitGroup
		for i := range answers {
			both.Go(func() { answers[i], attempts[i] = w.persist(ctx, r) })
		}
		both.Wait()
		w.ended <- func() {
			w.tally.repeats.Add(int64(attempts[0] + attempts[1] - len(attempts)))
			one := 0 // of the two, one that was answered
			if !answers[0].final() {
				one = 1
			}
			w.booked(n, r, answers[one], asked, attempts[0]+attempts[1])
			if other := answers[1-one]; other.final() {
				w.compare(n, r, other, false)
			}
		}
	}()
}

// booked enters the first final answer to a booking.
func (w *writer) booked(n int, r request, a answer, asked time.Time, attempts int) {
	rec := &w.records()[n]
	rec.attempts = uint16(min(attempts, 1<<16-1))
	rec.trace.set(a.trace)
	rec.booking = outcome(a)
	v := w.fleet.voyages[rec.voyage]
	switch rec.booking {
	case nothing:
		w.found.add(wrongAnswer, "%s: not answered within %s after the load, last with status %d (trace %s)", r, w.o.settle, a.status, rec.trace)
	case noCapacity:
		w.tally.noCapacity.Add(1)
	case wrongState:
		w.tally.wrongState.Add(1)
		if rec.named && !v.closing.Load() && attempts == 1 {
			w.found.add(wrongAnswer, "%s: refused with wrong_state, but nobody closed voyage %s (trace %s)", r, v.id, rec.trace)
		}
	case refused:
		w.found.add(wrongAnswer, "%s: status %d %s (trace %s): %s", r, a.status, a.code, a.trace, a.text())
	case success:
		w.confirmed(n, r, a, asked)
	}
}

// confirmed enters a booking that was answered with success.
func (w *writer) confirmed(n int, r request, a answer, asked time.Time) {
	w.tally.confirmed.Add(1)
	rec := &w.records()[n]
	var made struct {
		Created     bool        `json:"created"`
		Consignment consignment `json:"consignment"`
	}
	if err := a.decode(&made); err != nil || made.Consignment.ID == "" {
		rec.booking = refused
		w.found.add(wrongAnswer, "%s: status 201 without a consignment (trace %s): %s", r, a.trace, a.text())
		return
	}
	c := &made.Consignment
	rec.id = c.ID
	if problem := w.fleet.differs(serial{w.number, n}, rec.ask, c); problem != "" || c.State != "CONFIRMED" || !made.Created {
		w.found.add(wrongAnswer, "%s: consignment %s is %s, created %t %s (trace %s)", r, c.ID, c.State, made.Created, problem, a.trace)
	}
	if v := w.fleet.byID[c.VoyageID]; v != nil && v.closed(asked) {
		w.found.add(wrongAnswer, "%s: consignment %s was booked on voyage %s after that was answered to be closed (trace %s)", r, c.ID, v.id, a.trace)
	}
	if len(w.open) < maxOpen {
		w.open = append(w.open, n)
	} else {
		w.open[w.rng.IntN(maxOpen)] = n
	}
}

// cancel cancels one of the open bookings.
func (w *writer) cancel(ctx context.Context) {
	if len(w.open) == 0 {
		return
	}
	i := w.rng.IntN(len(w.open))
	n := w.open[i]
	w.open[i] = w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.records()[n].cancelAsked = true
	r := w.cancellation(n, w.records()[n].id)
	w.send(ctx, r, func(a answer, attempts int) {
		w.tally.repeats.Add(int64(attempts - 1))
		w.wasCancelled(n, r, a)
	})
}

// wasCancelled enters the first final answer to a cancellation.
func (w *writer) wasCancelled(n int, r request, a answer) {
	rec := &w.records()[n]
	rec.trace.set(a.trace)
	var changed struct {
		Consignment consignment `json:"consignment"`
	}
	switch {
	case !a.final():
		w.found.add(wrongAnswer, "%s: not answered within %s after the load, last with status %d (trace %s)", r, w.o.settle, a.status, a.trace)
	case a.status != http.StatusOK || a.decode(&changed) != nil || changed.Consignment.ID != rec.id || changed.Consignment.State != "CANCELLED":
		rec.cancel = refused
		w.found.add(wrongAnswer, "%s: status %d %s, want 200 and CANCELLED (trace %s): %s", r, a.status, a.code, a.trace, a.text())
	default:
		rec.cancel = success
		w.tally.cancelled.Add(1)
	}
}
