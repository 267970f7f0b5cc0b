package serve_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// bookers is how many book at once, each waiting for its answer before it books again.
const bookers = 128

// BenchmarkHotVoyage measures durable bookings of 128 bookers on one voyage, through the RPC handlers and over HTTP, beside
// what the bare store does for 128 writers with documents as large as a booking's: without an index, and as a booking is stored
// first and last. The store is measured right before and right after, and the mean counts: on a machine that others use too, what
// was measured a minute ago was measured on another machine. Load generator and services share it.
//
// The time of the bookings counts until all events but those of one second have been relayed and logged, and the benchmark ends
// when all have. Give it -benchtime 40000x or more.
func BenchmarkHotVoyage(b *testing.B) {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 2 * bookers // else connections, not bookings, are measured
	debug.SetGCPercent(400)                                                   // as fairway serve does
	for _, f := range forms {
		b.Run("store/"+f.name, func(b *testing.B) { benchStore(b, f) })
	}
	for _, way := range []string{"rpc", "http"} {
		b.Run(way, func(b *testing.B) {
			before := bareStore(b)
			w := openBench(b)
			book := w.overHTTP
			if way == "rpc" {
				book = w.overRPC
			}
			rate := w.run(b, book)
			b.StopTimer()
			after := bareStore(b)
			for i, f := range forms {
				b.ReportMetric(rate/((before[i]+after[i])/2), "of-"+f.name)
			}
		})
	}
}

// bareStore measures the store with each form of document.
func bareStore(b *testing.B) (rates []float64) {
	for _, f := range forms {
		rates = append(rates, inserts(b, f, min(b.N, 20_000)))
	}
	return rates
}

// parallel calls do n times from 128 goroutines.
func parallel(b *testing.B, n int, do func() error) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range bookers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// booked is what a stored booking looks like: about 500 bytes.
type booked struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// form is what a document of the store's benchmark has besides its body.
type form struct {
	name    string
	indexes []store.Index[booked]
	event   bool
}

var forms = []form{
	{name: "plain"},
	// What a booking is stored as first: with entries for its shipper and for being unfinished, and its first event.
	{name: "received", event: true, indexes: []store.Index[booked]{
		{Name: "party", Keys: func(*booked) []store.Key { return store.Matches("shipper") }},
		{Name: "open_end", Keys: func(x *booked) []store.Key { return []store.Key{{Match: "yes", Order: x.ID}} }},
	}},
	// What it becomes: with entries for shipper and carrier, for the state and the voyage of each, and an event.
	{name: "confirmed", event: true, indexes: []store.Index[booked]{
		{Name: "party", Keys: both},
		{Name: "party_state", Keys: both},
		{Name: "voyage", Keys: both},
	}},
}

func both(*booked) []store.Key {
	return store.Matches("0193e7d2-0000-7000-8000-000000000001", "0193e7d2-0000-7000-8000-000000000002")
}

func benchStore(b *testing.B, f form) {
	before, wrote := cpu(), written()
	rate := inserts(b, f, b.N)
	b.ReportMetric(rate, "inserts/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/insert")
	b.ReportMetric(float64(written()-wrote)/1024/float64(b.N), "kB-written/insert")
}

// inserts tells how many documents of a form 128 writers insert in a second, when they insert n.
func inserts(b *testing.B, f form, n int) float64 {
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bare.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c, err := store.Open(b.Context(), db, store.Spec[booked]{Name: "bookings", ID: func(x *booked) string { return x.ID }, Indexes: f.indexes})
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat("x", 440)
	begun := time.Now()
	parallel(b, n, func() error {
		x := booked{ID: uuid.Must(uuid.NewV7()).String(), Text: text}
		var events []store.Event
		if f.event {
			events = []store.Event{{ID: uuid.Must(uuid.NewV7()).String(), Body: []byte(text)}}
		}
		_, err := c.Insert(b.Context(), x, events...)
		return err
	})
	return float64(n) / time.Since(begun).Seconds()
}

// bench is a whole Fairway with a hot voyage, and its insides.
type bench struct {
	*house
	token    string
	voyage   string
	outbox   store.Outbox // of the bookings
	stores   []*sqlite.DB
	bookings consignmentpb.ShippingService
	ctx      context.Context
}

func openBench(b *testing.B) *bench {
	w := &bench{}
	var consignments store.DB
	w.house = openWatched(b, func(s *app.Service) {
		if db, ok := s.DB.(*sqlite.DB); ok {
			w.stores = append(w.stores, db)
		}
		switch s.Name {
		case "consignment":
			consignments = s.DB
		case "api":
			w.bookings = consignmentpb.NewShippingService("consignment", s.Client)
		}
	})
	_, w.token = w.person("ada@example.com")
	w.voyage = w.vessel(w.token, 1_000_000, 2_000_000_000)
	w.ctx = rpc.WithMetadata(b.Context(), rpc.KeyAuthorization, auth.Bearer(w.token))
	w.outbox = openOutbox(b, consignments)
	return w
}

func (w *bench) run(b *testing.B, book func() error) float64 {
	before, wrote, stats := cpu(), written(), w.stats()
	b.ResetTimer()
	parallel(b, b.N, book)
	// The events of one second may still be on their way: in steady state some always are.
	second := 2 * float64(b.N) / b.Elapsed().Seconds() // received and confirmed
	for w.depth(b) > int(second) {
		time.Sleep(time.Millisecond)
	}
	counted := b.Elapsed()
	rate := float64(b.N) / counted.Seconds()
	for w.depth(b) > 0 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(rate, "bookings/s")
	b.ReportMetric((b.Elapsed()-counted).Seconds()*1000, "ms-behind")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/booking")
	b.ReportMetric(float64(written()-wrote)/1024/float64(b.N), "kB-written/booking")
	b.ReportMetric(float64(w.stats().Documents-stats.Documents)/float64(b.N), "documents/booking")
	b.ReportMetric(float64(w.stats().Commits-stats.Commits)/float64(b.N), "commits/booking")
	return rate
}

// depth is how many events of bookings wait.
func (w *bench) depth(b *testing.B) int {
	n, err := w.outbox.Depth(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// stats sums up what all services have written.
func (w *bench) stats() (all sqlite.Stats) {
	for _, db := range w.stores {
		all.Documents += db.Stats().Documents
		all.Commits += db.Stats().Commits
	}
	return all
}

func (w *bench) overRPC() error {
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	_, err := w.bookings.CreateConsignment(ctx, &consignmentpb.Consignment{
		Description: "Tea", Weight: 1, VoyageId: w.voyage, Containers: []*consignmentpb.Container{{}},
	})
	return err
}

func (w *bench) overHTTP() error {
	body := booking(1)
	body["voyage_id"] = w.voyage
	body["weight"] = 1
	a, err := send(w.house.t.Context(), "POST", w.base+"/consignments", w.token, body)
	if err == nil && a.status != http.StatusCreated {
		err = fmt.Errorf("status %d: %s", a.status, a.raw)
	}
	return err
}

// cpu is the time that this process has spent on processors.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// written is how many bytes this process has written, where the system tells.
func written() (bytes int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	_, _ = fmt.Sscan(rest, &bytes)
	return bytes
}
