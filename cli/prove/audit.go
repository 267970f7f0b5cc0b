package prove

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"
)

// audit is one comparison of the ledger with what the API shows. Nothing else may be under way.
type audit struct {
	*client
	fleet  *fleet
	ledger *ledger
	// now are the findings of this audit. A later audit may not have them any more, as work that was half done gets settled.
	now *findings

	mu     sync.Mutex
	sights map[string]*sight  // of consignments, by id
	kept   map[serial]*sight  // the one that stands for a booking
	usage  map[string][]usage // the room on the legs of voyages, by voyage
	// givenUp counts attempts that were kept as REJECTED because they could not be finished; their key was free again.
	givenUp int
}

// sight is what the API shows of a consignment.
type sight struct {
	id      string
	of      *record // nil for one that nobody asked for
	key     serial
	state   string
	version int64
	logged  history
}

// settle audits until all is well or the time to settle is over. It returns the last audit, and when that began. An audit
// takes as long as its lists are long, so the one that decides is the first that begins after that time.
func (r *run) settle(ctx context.Context, deadline time.Time) (*audit, time.Time, error) {
	const every = 250 * time.Millisecond
	for {
		began := time.Now()
		a := newAudit(r.client, r.fleet, r.ledger)
		if err := a.all(ctx); err != nil {
			a.now.add(wrongAnswer, "the audit could not read on: %v", err)
		}
		if err := interrupted(ctx); err != nil {
			return nil, began, err
		}
		if a.now.clean() || began.After(deadline) {
			return a, began, nil
		}
		sleep(ctx, every)
	}
}

func newAudit(c *client, f *fleet, l *ledger) *audit {
	return &audit{
		client: c, fleet: f, ledger: l, now: &findings{},
		sights: map[string]*sight{}, kept: map[serial]*sight{}, usage: map[string][]usage{},
	}
}

// all makes every comparison. Its error is a list that could not be read.
func (a *audit) all(ctx context.Context) error {
	for _, part := range []func(context.Context) error{a.consignments, a.refusals, a.logs} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	a.bookings()
	a.histories()
	if err := a.voyages(ctx); err != nil {
		return err
	}
	return a.strangers(ctx)
}

// eachShipper does something for all shippers at once, and returns the first error.
func (a *audit) eachShipper(do func(*person) error) error {
	errs := make([]error, len(a.fleet.shippers))
	var all sync.WaitGroup
	for i, p := range a.fleet.shippers {
		all.Go(func() { errs[i] = do(p) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// consignments reads all of them.
func (a *audit) consignments(ctx context.Context) error {
	return a.eachShipper(func(p *person) error {
		return walk(ctx, a.client, p.token, "/consignments", nil, "consignments", func(c *consignment) (string, error) {
			a.see(p, c)
			return c.ID, nil
		}, pagedTwice)
	})
}

// refusals reads those that were REJECTED, when some that must be kept were not seen: it is with ?state= that they can be
// relied on to be listed.
func (a *audit) refusals(ctx context.Context) error {
	missing := false
	for w := range a.ledger.columns {
		for n := range a.ledger.columns[w] {
			missing = missing || a.ledger.columns[w][n].booking == noCapacity && a.kept[serial{w, n}] == nil
		}
	}
	if !missing {
		return nil
	}
	return a.eachShipper(func(p *person) error {
		return walk(ctx, a.client, p.token, "/consignments", url.Values{"state": {"REJECTED"}}, "consignments", func(c *consignment) (string, error) {
			if a.sights[c.ID] == nil {
				a.see(p, c)
			}
			return c.ID, nil
		}, pagedTwice)
	})
}

// see takes note of a consignment that a shipper is shown.
func (a *audit) see(p *person, c *consignment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sights[c.ID] != nil {
		return // a page that repeats an item is found by the walk
	}
	s := &sight{id: c.ID, state: c.State, version: c.Version}
	a.sights[c.ID] = s
	if v := a.fleet.byID[c.VoyageID]; v != nil && c.live() {
		a.take(v, c)
	}
	rest, own := strings.CutPrefix(c.Description, a.fleet.run+" ")
	var parsed bool
	if s.key, parsed = parseSerial(rest); own && parsed {
		s.of = a.ledger.at(s.key)
	}
	switch {
	case s.of == nil:
		a.now.add(doubled, "consignment %s (%s, %q) of %s was never asked for", c.ID, c.State, c.Description, p.name)
		return
	case a.fleet.shipper(s.key.writer) != p:
		a.now.add(strangerSaw, "%s is shown consignment %s of %s", p.name, c.ID, a.fleet.shipper(s.key.writer).name)
	case c.State == "REJECTED" && !decided(c.Reason):
		a.givenUp++
		return
	case a.kept[s.key] != nil:
		a.now.add(doubled, "consignments %s (%s) and %s (%s) are both of key %s (trace %s)",
			a.kept[s.key].id, a.kept[s.key].state, c.ID, c.State, a.fleet.key(s.key), s.of.trace)
		return
	}
	a.kept[s.key] = s
	if problem := a.fleet.differs(s.key, s.of.ask, c); problem != "" {
		a.now.add(wrongAnswer, "consignment %s (key %s) is not what was asked for %s (trace %s)", c.ID, a.fleet.key(s.key), problem, s.of.trace)
	}
}

// decided tells whether a rejection is an answer, which its key keeps: one for a failure of the moment is not.
func decided(reason string) bool {
	return reason == "no_capacity" || reason == "wrong_state" || reason == "not_found" || reason == "invalid"
}

// bookings holds what was told against what is there.
func (a *audit) bookings() {
	for w := range a.ledger.columns {
		for n := range a.ledger.columns[w] {
			rec, s := &a.ledger.columns[w][n], a.kept[serial{w, n}]
			key := a.fleet.key(serial{w, n})
			switch {
			case rec.booking == refused:
				// It has a finding already, and promises nothing.
			case rec.booking == success && s == nil, rec.booking == success && s.id != rec.id && a.sights[rec.id] == nil:
				a.now.add(lost, "consignment %s (key %s) is not there; it was answered with success (trace %s)", rec.id, key, rec.trace)
			case rec.booking == success && s.id != rec.id:
				a.now.add(doubled, "consignment %s is of key %s, which was answered with consignment %s (trace %s)", s.id, key, rec.id, rec.trace)
			case rec.booking == noCapacity && s == nil:
				a.now.add(wrongAnswer, "key %s was refused with no_capacity, and is not kept as REJECTED (trace %s)", key, rec.trace)
			case s == nil:
			case s.state == "RECEIVED":
				a.now.add(halfDone, "consignment %s (key %s) is RECEIVED; told: %s (trace %s)", s.id, key, rec.booking, rec.trace)
			case !rec.wants().has(s.state) && rec.booking == success:
				a.now.add(lost, "consignment %s (key %s) is %s, want %s (trace %s)", s.id, key, s.state, rec.wants(), rec.trace)
			case !rec.wants().has(s.state):
				a.now.add(wrongAnswer, "consignment %s (key %s) is %s; told: %s (trace %s)", s.id, key, s.state, rec.booking, rec.trace)
			}
		}
	}
}
