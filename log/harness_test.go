package log

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	"github.com/fairwayfreight/fairway/log/chain"
)

// testKey signs in all tests.
var testKey = ed25519.NewKeyFromSeed([]byte("the seed of a key for tests only"))

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func newDB(t testing.TB) store.DB {
	t.Helper()
	return openDB(t, filepath.Join(t.TempDir(), "log.db"))
}

func openDB(t testing.TB, path string) store.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// testLog is one replica of the service, without its process.
type testLog struct {
	*handler
	*appender
	*notary
	db    store.DB
	clock *clock
	stop  func()
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openLog starts a replica on a database. It runs until stop is called or the test ends.
func openLog(t testing.TB, db store.DB) *testLog {
	t.Helper()
	l := newLog(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx) })
	l.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

// newLog makes a replica that does not run yet.
func newLog(t testing.TB, db store.DB) *testLog {
	t.Helper()
	blocks, err := openBlocks(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := openHeads(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2026, 11, 21, 12, 0, 30, 0, time.UTC)}
	a := newAppender(blocks, time.Now)
	return &testLog{
		handler:  &handler{blocks: blocks, heads: heads, key: public(testKey)},
		appender: a,
		notary:   &notary{store: heads, blocks: blocks, heads: a.heads, key: testKey, now: c.Now},
		db:       db,
		clock:    c,
	}
}

// numbered gives an event what it has when it comes out of an outbox.
func numbered(t testing.TB, e event.Envelope) event.Envelope {
	t.Helper()
	r, err := e.Record(map[string]any{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	var out event.Envelope
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// booking is the event of a new version of a consignment.
func booking(entity string, version int64) event.Envelope {
	return event.Envelope{
		ID: uuid.Must(uuid.NewV7()).String(), EntityType: "consignment", EntityID: entity, Action: "confirmed", Version: version,
		ActorID: "0193e7d2-0000-7000-8000-000000000001", Audience: []string{"0193e7d2-0000-7000-8000-000000000002"},
		At:          time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC),
		TraceParent: "00-" + traceA + "-b7ad6b7169203331-01",
		Data:        json.RawMessage(`{"voyage_id":"0193e7d2-0000-7000-8000-000000000003","teu":2,"weight":21000}`),
	}
}

// add appends events that must go well.
func (l *testLog) add(t testing.TB, events ...event.Envelope) {
	t.Helper()
	for _, e := range events {
		if err := l.append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// together makes a batch of events. Whoever writes it must not append at the same time.
func together(t testing.TB, events ...event.Envelope) []*waiting {
	t.Helper()
	var batch []*waiting
	for _, e := range events {
		w := &waiting{ctx: t.Context(), entry: fromEvent(e), done: make(chan error, 1)}
		var err error
		if w.content, err = w.entry.content(); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, w)
	}
	return batch
}

// addTogether appends events in one batch.
func (l *testLog) addTogether(t testing.TB, events ...event.Envelope) {
	t.Helper()
	batch := together(t, events...)
	l.write(t.Context(), batch)
	for _, w := range batch {
		if err := <-w.done; err != nil {
			t.Fatal(err)
		}
	}
}

// stored reads all blocks, the youngest first.
func (l *testLog) stored(t testing.TB) (all []block) {
	t.Helper()
	for page, err := range l.handler.blocks.Pages(t.Context(), store.List[block]{Descending: true, Limit: store.MaxBatch}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range page.Items {
			doc.Value.decode()
			all = append(all, doc.Value)
		}
	}
	return all
}

// links reads a chain through the service's own RPC.
func (l *testLog) links(t testing.TB, number int) []chain.Link {
	t.Helper()
	return l.linksBy(t, number, 50)
}

// linksBy does so with pages of this size.
func (l *testLog) linksBy(t testing.TB, number int, limit int32) []chain.Link {
	t.Helper()
	var links []chain.Link
	var after int64
	for {
		var rsp logpb.ChainResponse
		if err := l.Chain(t.Context(), &logpb.ChainRequest{Chain: int32(number), After: after, Limit: limit}, &rsp); err != nil {
			t.Fatal(err)
		}
		if len(rsp.GetLinks()) == 0 {
			return links
		}
		for _, k := range rsp.GetLinks() {
			links = append(links, chain.Link{Position: k.GetPosition(), Hash: k.GetHash(), Content: k.GetContent()})
		}
		after = max(after+1, links[len(links)-1].Position)
	}
}

// verify checks the whole log as somebody outside would.
func (l *testLog) verify(t testing.TB) chain.Report {
	t.Helper()
	return l.verifyBy(t, 50)
}

func (l *testLog) verifyBy(t testing.TB, limit int32) chain.Report {
	t.Helper()
	return l.verifyWith(t, chain.NewVerifier(public(testKey)), limit)
}

// verifyWith gives a verifier the log, with pages of this size.
func (l *testLog) verifyWith(t testing.TB, v *chain.Verifier, limit int32) chain.Report {
	t.Helper()
	req := &logpb.HeadsRequest{Limit: 3}
	for {
		var rsp logpb.HeadsResponse
		if err := l.Heads(t.Context(), req, &rsp); err != nil {
			t.Fatal(err)
		}
		for _, h := range rsp.GetHeads() {
			v.Heads(chain.Signed{Content: h.GetContent(), KeyID: h.GetKeyId(), Signature: h.GetSignature()})
		}
		if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
			break
		}
	}
	for number := range chain.Count {
		for _, link := range l.linksBy(t, number, limit) {
			v.Link(number, link)
		}
	}
	return v.Report()
}

// sound checks that nothing is wrong and that the log has so many entries.
func (l *testLog) sound(t testing.TB, entries int) {
	t.Helper()
	r := l.verify(t)
	var total int64
	for _, c := range r.Chains {
		total += c.Entries
	}
	if found := r.Findings(); len(found) > 0 || total != int64(entries) {
		t.Fatalf("%d entries, want %d; found %v", total, entries, found)
	}
}
