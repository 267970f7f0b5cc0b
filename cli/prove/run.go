package prove

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// run is one attempt to make Fairway break its word.
type run struct {
	*client
	o      options
	fleet  *fleet
	ledger *ledger
	// rng is the killer's, closing that of the carriers who close voyages.
	rng, closing *rand.Rand

	// The killer's account, to be read when it has ended.
	kills       int
	lastKill    time.Time
	killProblem string
	// unavailable is the longest time within the load in which nothing was served.
	unavailable time.Duration
}

// prepare makes what a run needs. Its error says why it cannot be tried.
func prepare(ctx context.Context, o options) (*run, error) {
	found := &findings{}
	starting := &outages{}
	starting.killing() // until it first answers, Fairway may be coming up
	starting.killed(true)
	c := newClient(o, found, &tally{}, starting)
	f, err := build(ctx, c, o)
	if err != nil {
		c.http.CloseIdleConnections()
		return nil, fmt.Errorf("prepare the run: %w", err)
	}
	c.tally, c.outages = &tally{}, &outages{} // what it took to prepare is not part of the load
	return &run{
		client: c, o: o, fleet: f, ledger: newLedger(o.writers),
		rng: rand.New(rand.NewPCG(o.seed, 1<<32)), closing: rand.New(rand.NewPCG(o.seed, 2<<32)),
	}, nil
}

func (r *run) close() { r.http.CloseIdleConnections() }

// prove loads, kills and audits. How it goes is told on progress.
func (r *run) prove(ctx context.Context, progress io.Writer) (*report, error) {
	began := time.Now()
	took := r.loadUp(ctx, progress)
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	rep := r.sum(took)
	ended := began.Add(took)
	if r.lastKill.After(ended) {
		ended = r.lastKill
	}
	fmt.Fprintf(progress, "the load is over: comparing what was answered with what is there\n")
	a, settled, err := r.settle(ctx, ended.Add(r.o.settle))
	if err != nil {
		return nil, err
	}
	rep.Settled = max(0, settled.Sub(ended).Seconds())
	if !r.lastKill.IsZero() {
		rep.SettledAfterKill = max(0, settled.Sub(r.lastKill).Seconds())
	}
	rep.GivenUp = a.givenUp
	r.found.merge(a.now)
	rep.conclude(r.found)
	return rep, nil
}

// loadUp lets all writers work, with kills and a watch on the room, and returns how long the load lasted. What the writers
// began is answered when it returns, or has had the time to settle.
func (r *run) loadUp(ctx context.Context, progress io.Writer) time.Duration {
	began := time.Now()
	work, cut := context.WithCancel(ctx)
	defer cut()
	load, end := context.WithTimeout(work, 2*r.o.load)
	defer end()

	var writers, others sync.WaitGroup
	for i := range r.o.writers {
		writers.Go(func() { newWriter(r, i).work(work, load) })
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		r.kill(load)
	}()
	watch, unwatch := context.WithCancel(work)
	others.Go(func() { r.watch(watch) })
	others.Go(func() { r.tell(watch, progress) })
	others.Go(func() { r.closeSome(work, load) })

	sleep(load, r.o.load)
	<-killed // at the latest when load ends
	end()
	took := time.Since(began)
	r.unavailable = r.outages.worst()
	patience := time.AfterFunc(r.o.settle, cut)
	defer patience.Stop()
	writers.Wait()
	unwatch()
	others.Wait()
	return took
}

// tell says every few seconds how far the load is.
func (r *run) tell(ctx context.Context, progress io.Writer) {
	const every = 5 * time.Second
	for began := time.Now(); sleep(ctx, every); {
		fmt.Fprintf(progress, "%4.0f s: %d bookings confirmed, %d cancelled\n", time.Since(began).Seconds(), r.tally.confirmed.Load(), r.tally.cancelled.Load())
	}
}
