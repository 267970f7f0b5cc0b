package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/cli/serve"
	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// BenchmarkBrokerOutage shows what shippers notice when the broker stops for 30 s under load, and what it does to the log.
// The load is half of the most that 128 bookers reach in this run, over HTTP; every second booking is for one hot voyage, the
// others go round 16 more. It is an open loop: requests start on schedule whether or not earlier ones were answered, and
// latency counts from the scheduled start. It goes on without a pause before, while and after the broker is stopped.
//
// A failed request, and an event that is missing from the log or twice in it, fail the benchmark. The latencies while stopped
// are to be at most 1.2 times those before; as all timings of a shared machine they are reported and never asserted. "never"
// is the same run without an outage: what its ratios differ from 1 is the machine's doing. Processor time per booking, of
// services and load together, tells a machine that was busy with other things from an outage that costs something.
//
// b.N is ignored, as one run is one outage; there are no ns/op.
func BenchmarkBrokerOutage(b *testing.B) {
	for _, o := range []struct {
		name string
		stop func(*stoppable)
	}{
		{"never", func(*stoppable) {}},
		{"refuses", func(s *stoppable) { s.state.Store(refusing) }},
		{"hangs", func(s *stoppable) { s.state.Store(hanging) }},
	} {
		b.Run(o.name, func(b *testing.B) { benchOutage(b, o.stop) })
	}
}

func benchOutage(b *testing.B, stop func(*stoppable)) {
	peak, before, stopped, after := 5*time.Second, 15*time.Second, 30*time.Second, 15*time.Second
	if testing.Short() {
		peak, before, stopped, after = 2*time.Second, 5*time.Second, 5*time.Second, 5*time.Second
	}
	s := &stoppable{}
	var consignments store.DB
	var entries logpb.LogService
	h := openWatched(b, func(service *app.Service) {
		s.Broker = service.Broker // all services of a process share one
		service.Broker = s
		switch service.Name {
		case "consignment":
			consignments = service.DB
		case "api":
			entries = logpb.NewLogService("log", service.Client)
		}
	})
	outbox := openOutbox(b, consignments)
	l := newLoad(b, h)

	l.most(time.Second) // so that the first connections and pages are not what is measured
	most := l.most(peak)
	awaitEmpty(b, outbox)
	rate := most / 2
	phases := []*phase{
		{lasts: before},
		{lasts: stopped, begin: func() { stop(s) }},
		{lasts: after, begin: s.comeBack},
	}
	l.open(rate, phases)
	awaitEmpty(b, outbox)

	for _, err := range l.causes {
		b.Error(err)
	}
	missing, twice := compare(readLog(b, h, entries), l.booked)
	if l.failed > 0 || missing > 0 || twice > 0 {
		b.Errorf("%d of %d requests failed, %d of them before, %d while the broker was stopped and %d after; %d events are missing, %d are there twice",
			l.failed, l.failed+len(l.booked), phases[0].failed.Load(), phases[1].failed.Load(), phases[2].failed.Load(), missing, twice)
	}
	b.ReportMetric(0, "ns/op") // there is no op
	b.ReportMetric(most, "max/s")
	b.ReportMetric(rate, "rate/s")
	for i, name := range []string{"before", "stopped", "after"} {
		b.ReportMetric(float64(phases[i].spent.Microseconds())/float64(len(phases[i].latencies)), "cpu-µs-"+name)
		b.ReportMetric(float64(phases[i].failed.Load()), "failed-"+name)
	}
	b.ReportMetric(float64(missing), "missing")
	b.ReportMetric(float64(twice), "twice")
	b.ReportMetric(float64(s.failed.Load()), "publishes-failed")
	b.ReportMetric(s.arrival().Seconds(), "s-to-arrive")
	b.ReportMetric(float64(l.mostOpen.Load()), "most-in-flight")
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		calm, hit := quantile(phases[0].latencies, p.share), quantile(phases[1].latencies, p.share)
		b.ReportMetric(calm*1000, p.name+"-ms-before")
		b.ReportMetric(hit*1000, p.name+"-ms-stopped")
		b.ReportMetric(quantile(phases[2].latencies, p.share)*1000, p.name+"-ms-after")
		b.ReportMetric(hit/calm, p.name+"-stopped/before(max-1.2)")
	}
}

// openWatched starts a whole Fairway and shows each service to look before it is assembled.
func openWatched(b *testing.B, look func(*app.Service)) *house {
	b.Helper()
	cfg := testConfig(b)
	cfg.Log.Level = "warn"
	f, err := serve.StartWith(b.Context(), cfg, slog.New(slog.DiscardHandler), look)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Stop(); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
	return &house{t: b, Fairway: f, cfg: cfg, base: "http://" + f.HTTP() + "/api/v1"}
}

// openOutbox is the outbox of the bookings in the consignment service's database.
func openOutbox(b *testing.B, db store.DB) store.Outbox {
	b.Helper()
	table, err := db.Table(b.Context(), store.Schema{Name: "consignments", Indexes: []store.IndexSchema{
		{Name: "party"}, {Name: "party_state"}, {Name: "voyage"}, {Name: "open_end"},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return table
}

// awaitEmpty waits until every event of an outbox has been relayed and marked.
func awaitEmpty(b *testing.B, o store.Outbox) {
	b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		depth, err := o.Depth(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if depth == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d events still wait to be published", depth)
		}
	}
}

// stoppable is a broker that can be stopped and come back.
type stoppable struct {
	broker.Broker
	state atomic.Int32
	// failed counts the publishes that a stopped broker has failed.
	failed atomic.Int64

	mu sync.Mutex
	// back is when the broker came back, last when the last event from before that arrived.
	back, last time.Time
}

// The states of a stoppable broker. A refusing one fails at once; of a hanging one nothing is heard.
const (
	working int32 = iota
	refusing
	hanging
)

// unanswered is how many messages a broker that stops still delivers without telling their publisher. They are published
// again when it is back, and must not be in the log twice.
const unanswered = 100

var errStopped = errors.New("the broker is stopped")

func (s *stoppable) Publish(ctx context.Context, m broker.Message) error {
	state := s.state.Load()
	if state == working {
		err := s.Broker.Publish(ctx, m)
		if err == nil {
			s.arrived(m)
		}
		return err
	}
	if s.failed.Add(1) <= unanswered {
		if err := s.Broker.Publish(ctx, m); err != nil {
			return err
		}
	}
	if state == hanging { // also after the broker has come back: this connection is dead
		<-ctx.Done()
		return ctx.Err()
	}
	return errStopped
}

func (s *stoppable) comeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back = time.Now()
	s.last = s.back
	s.state.Store(working)
}

// arrived notes when an event arrives that is older than the broker's return. An event's id tells its time.
func (s *stoppable) arrived(m broker.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.back.IsZero() {
		return
	}
	id, err := uuid.Parse(m.ID)
	if err == nil && !time.Unix(id.Time().UnixTime()).After(s.back) {
		s.last = time.Now()
	}
}

// arrival is how long after the return all events had arrived that are older than it.
func (s *stoppable) arrival() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Sub(s.back)
}

// maxOpen is how many requests of an open loop may be under way. It is less than a service works on at once: while the machine
// stands still, requests wait here, and their latency counts, instead of being refused. Half the maximum fills it only when
// nothing has been answered for a good part of a second; most-in-flight tells whether that happened.
const maxOpen = 768

// load books over HTTP.
type load struct {
	client http.Client
	url    string
	token  string
	bodies [][]byte // in turns

	mostOpen atomic.Int64

	mu     sync.Mutex
	booked []string // ids
	failed int
	causes []error // of the first failures
}

func newLoad(b *testing.B, h *house) *load {
	b.Helper()
	_, token := h.person("ada@example.com")
	l := &load{
		client: http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: maxOpen}, // else connections, not bookings, are measured
			Timeout:   15 * time.Second,
		},
		url:   h.base + "/consignments",
		token: token,
	}
	b.Cleanup(l.client.CloseIdleConnections)
	add := func(voyage string) {
		body, err := json.Marshal(object{"description": "Tea", "weight": 1, "containers": []object{{}}, "voyage_id": voyage})
		if err != nil {
			b.Fatal(err)
		}
		l.bodies = append(l.bodies, body)
	}
	hot := h.vessel(token, 1_000_000, 2_000_000_000)
	for range 16 {
		add(hot)
		add(h.vessel(token, 1_000_000, 2_000_000_000))
	}
	return l
}

// book makes booking number n and tells whether it was confirmed.
func (l *load) book(n int64) bool {
	id, err := l.post(l.bodies[n%int64(len(l.bodies))])
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.booked = append(l.booked, id)
		return true
	}
	l.failed++
	if len(l.causes) < 10 {
		l.causes = append(l.causes, fmt.Errorf("booking %d: %w", n, err))
	}
	return false
}

func (l *load) post(body []byte) (id string, err error) {
	req, err := http.NewRequest(http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+l.token)
	rsp, err := l.client.Do(req)
	if err != nil {
		return "", err
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Consignment struct{ ID, State string }
	}
	if err := json.Unmarshal(text, &answer); err != nil || rsp.StatusCode != http.StatusCreated || answer.Consignment.State != "CONFIRMED" {
		return "", fmt.Errorf("status %d: %s", rsp.StatusCode, text)
	}
	return answer.Consignment.ID, nil
}

// most is how many bookings a second are answered when 128 bookers make the next as soon as the last is answered.
func (l *load) most(lasts time.Duration) float64 {
	var wait sync.WaitGroup
	var next, done atomic.Int64
	start := time.Now()
	for range bookers {
		wait.Go(func() {
			for time.Since(start) < lasts {
				if l.book(next.Add(1)) {
					done.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

// phase is a part of an open loop.
type phase struct {
	lasts time.Duration
	begin func() // nil for nothing
	// What came of it: latencies of the requests that were to start in it, in seconds; how many of them failed; the
	// processor time that this process spent while it lasted.
	latencies []float64
	failed    atomic.Int64
	spent     time.Duration
}

// open books at a fixed rate through all phases and fills in what came of it.
func (l *load) open(rate float64, phases []*phase) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxOpen)
	start := time.Now()
	n := 0
	var end time.Duration
	for _, p := range phases {
		end += p.lasts
		first := n
		n = int(end.Seconds() * rate)
		before := cpu()
		p.latencies = make([]float64, n-first)
		for k := range p.latencies {
			number := first + k
			scheduled := start.Add(time.Duration(float64(number) / rate * float64(time.Second)))
			time.Sleep(time.Until(scheduled))
			if k == 0 && p.begin != nil {
				p.begin()
			}
			slots <- struct{}{}
			if open := int64(len(slots)); open > l.mostOpen.Load() {
				l.mostOpen.Store(open)
			}
			wait.Go(func() {
				if !l.book(int64(number)) {
					p.failed.Add(1)
				}
				p.latencies[k] = time.Since(scheduled).Seconds()
				<-slots
			})
		}
		p.spent = cpu() - before
	}
	wait.Wait()
}

// quantile is the value that the given share does not exceed.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[int(math.Ceil(share*float64(len(values))))-1]
}

// logged is what the log has of a consignment: how often it was received, and how often confirmed.
type logged struct{ received, confirmed int }

// readLog reads the whole log, as an admin.
func readLog(b *testing.B, h *house, entries logpb.LogService) map[string]logged {
	b.Helper()
	ctx := rpc.WithMetadata(b.Context(), rpc.KeyAuthorization, auth.Bearer(h.admin("boss@example.com")))
	found := map[string]logged{}
	for cursor := ""; ; {
		page, err := entries.List(ctx, &logpb.ListRequest{Limit: 200, Cursor: cursor})
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range page.GetEntries() {
			c := found[e.GetEntityId()]
			switch e.GetAction() {
			case "received":
				c.received++
			case "confirmed":
				c.confirmed++
			}
			found[e.GetEntityId()] = c
		}
		if cursor = page.GetNextCursor(); cursor == "" {
			return found
		}
	}
}

// compare counts the events of bookings that the log has not, and those that it has more than once.
func compare(log map[string]logged, booked []string) (missing, twice int) {
	for _, id := range booked {
		c := log[id]
		for _, times := range []int{c.received, c.confirmed} {
			missing += max(0, 1-times)
			twice += max(0, times-1)
		}
	}
	return missing, twice
}
