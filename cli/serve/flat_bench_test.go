package serve_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

const (
	// settledBefore is how many allocations are settled on the full voyage before anything is measured there.
	settledBefore = 10_000
	// sample is how many bookings are measured at a time, and atOnce how many of them are under way at once.
	sample = 100
	atOnce = 16
)

// BenchmarkFlatCost compares what a booking costs on a voyage with 10,000 settled allocations, on a fresh voyage of the same
// Fairway, and on a fresh voyage of a Fairway that has no other bookings: wall time per booking until 100 of them are answered,
// 16 at once, through the RPC handlers in process, and processor time per booking until all 100 are settled as well and their
// events are in the log. The three are measured in turns, so that whatever else the machine does hits all alike; medians are
// reported. The full voyage is to cost at most 1.5 times what a fresh one does.
//
// b.N is ignored, as a booking on the full voyage cannot be had alone; there are no ns/op.
func BenchmarkFlatCost(b *testing.B) {
	rounds, most := 25, settledBefore
	if testing.Short() {
		rounds, most = 7, 2_000
	}
	old, young := openDesk(b), openDesk(b)
	full := old.sail()
	old.book(full, most, 4*atOnce)
	for range 2 { // so that the first connections and pages are not what is measured
		young.measure(young.sail())
		old.measure(old.sail())
	}
	var onFull, onFresh, onEmpty costs
	for range rounds {
		onEmpty.add(young.measure(young.sail()))
		onFull.add(old.measure(full))
		onFresh.add(old.measure(old.sail()))
	}
	b.ReportMetric(0, "ns/op") // there is no op
	for _, c := range []struct {
		name string
		of   func(*costs) []float64
	}{
		{"wall", func(c *costs) []float64 { return c.wall }},
		{"cpu", func(c *costs) []float64 { return c.cpu }},
	} {
		first, fresh, last := quantile(c.of(&onEmpty), 0.5), quantile(c.of(&onFresh), 0.5), quantile(c.of(&onFull), 0.5)
		b.ReportMetric(first, c.name+"-µs-first-100")
		b.ReportMetric(fresh, c.name+"-µs-fresh-voyage")
		b.ReportMetric(last, c.name+"-µs-full-voyage")
		b.ReportMetric(last/first, c.name+"-full/first(max-1.5)")
		b.ReportMetric(last/fresh, c.name+"-full/fresh(max-1.5)")
	}
}

// costs are measurements, in µs a booking.
type costs struct{ wall, cpu []float64 }

func (c *costs) add(wall, cpu time.Duration) {
	c.wall = append(c.wall, float64(wall.Microseconds())/sample)
	c.cpu = append(c.cpu, float64(cpu.Microseconds())/sample)
}

// desk books on voyages of a whole Fairway of its own and sees when bookings are settled.
type desk struct {
	bench
	b       *testing.B
	ledgers *store.Collection[ledger]
	outbox  store.Outbox
}

// ledger is what is read of a voyage's.
type ledger struct {
	VoyageID string         `json:"voyage_id"`
	Pending  map[string]any `json:"pending"`
}

func openDesk(b *testing.B) *desk {
	b.Helper()
	d := &desk{b: b}
	var vessels, consignments store.DB
	d.house = openWatched(b, func(s *app.Service) {
		switch s.Name {
		case "vessel":
			vessels = s.DB
		case "consignment":
			consignments = s.DB
		case "api":
			d.bookings = consignmentpb.NewShippingService("consignment", s.Client)
		}
	})
	d.outbox = openOutbox(b, consignments)
	var err error
	d.ledgers, err = store.Open(b.Context(), vessels, store.Spec[ledger]{
		Name:    "ledgers",
		ID:      func(l *ledger) string { return l.VoyageID },
		Indexes: []store.Index[ledger]{{Name: "sailing"}, {Name: "pending"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	_, d.token = d.person("ada@example.com")
	d.ctx = rpc.WithMetadata(b.Context(), rpc.KeyAuthorization, auth.Bearer(d.token))
	return d
}

// sail offers a fresh voyage and returns its id.
func (d *desk) sail() string { return d.vessel(d.token, 1_000_000, 2_000_000_000) }

// book makes n bookings, some at once, and returns how long it took until all were answered. It returns when they are settled
// and their events are in the log.
func (d *desk) book(voyage string, n, together int) time.Duration {
	d.b.Helper()
	d.voyage = voyage
	var wait sync.WaitGroup
	var next atomic.Int64
	start := time.Now()
	for range together {
		wait.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := d.overRPC(); err != nil {
					d.b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	d.awaitSettled()
	awaitEmpty(d.b, d.outbox)
	return took
}

// measure makes a sample of bookings.
func (d *desk) measure(voyage string) (wall, spent time.Duration) {
	d.b.Helper()
	before := cpu()
	wall = d.book(voyage, sample, atOnce)
	return wall, cpu() - before
}

// awaitSettled waits until the voyage's ledger has no booking pending.
func (d *desk) awaitSettled() {
	d.b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		l, err := d.ledgers.Get(d.b.Context(), d.voyage)
		if err != nil {
			d.b.Fatal(err)
		}
		if len(l.Value.Pending) == 0 {
			return
		}
		if time.Now().After(deadline) {
			d.b.Fatalf("%d bookings are still not settled", len(l.Value.Pending))
		}
	}
}
