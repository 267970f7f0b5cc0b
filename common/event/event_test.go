package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/common/trace"
)

type thing struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

func openThings(t *testing.T, db store.DB, name string) *store.Collection[thing] {
	t.Helper()
	c, err := store.Open(t.Context(), db, store.Spec[thing]{Name: name, ID: func(x *thing) string { return x.ID }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openDB(t *testing.T) store.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func record(t *testing.T, id, action string, version int64) store.Event {
	t.Helper()
	r, err := event.New(t.Context(), time.Now(), "thing", action, id, version).Record(nil)
	if err != nil {
		t.Error(err)
	}
	return r
}

// start runs a relay until the test ends, or until the returned function is called.
func start(t *testing.T, b broker.Broker, outboxes ...store.Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { event.NewRelay(b, "test", slog.New(slog.DiscardHandler), outboxes...).Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(stop)
	return stop
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func depth(t *testing.T, o store.Outbox) int {
	t.Helper()
	n, err := o.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// flaky is a broker that fails as told and remembers what it acknowledged.
type flaky struct {
	broker.Broker
	fail func(m broker.Message) error

	mu  sync.Mutex
	got []string
}

func (f *flaky) Publish(_ context.Context, m broker.Message) error {
	if f.fail != nil {
		if err := f.fail(m); err != nil {
			return err
		}
	}
	var e event.Envelope
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, m.Key+" "+e.Type())
	return nil
}

func (f *flaky) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func TestAnEventSaysWhoDidWhatInWhichTrace(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	ctx := trace.Continue(t.Context(), parent)
	ctx = auth.NewContext(ctx, auth.Identity{UserID: "u1", Service: "consignment"})
	e := event.New(ctx, time.Now(), "consignment", "confirmed", "c1", 2)
	e.Audience = []string{"u2", "u1", "u2"}
	r, err := e.Record(map[string]any{"voyage_id": "v1"})
	if err != nil {
		t.Fatal(err)
	}
	var got event.Envelope
	if err := json.Unmarshal(r.Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != r.ID || got.Type() != "consignment.confirmed" || got.ActorID != "u1" || got.Via != "consignment" ||
		got.TraceParent != parent || got.Version != 2 || !slices.Equal(got.Audience, []string{"u1", "u2"}) || string(got.Data) != `{"voyage_id":"v1"}` {
		t.Errorf("got %+v", got)
	}
}

func TestEventsOfADocumentArePublishedInOrderAndMarked(t *testing.T) {
	c := openThings(t, openDB(t), "things")
	b := &flaky{}
	for i := range 50 {
		id := fmt.Sprintf("t%02d", i)
		if _, err := c.Insert(t.Context(), thing{ID: id}, record(t, id, "a", 1), record(t, id, "b", 1)); err != nil {
			t.Fatal(err)
		}
	}
	start(t, b, c.Outbox())
	for i := range 50 { // while the relay is at work
		id := fmt.Sprintf("t%02d", i)
		if _, err := c.Update(t.Context(), id, func(d *store.Document[thing]) ([]store.Event, error) {
			return []store.Event{record(t, id, "c", d.Version)}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all events", func() bool { return len(b.list()) >= 150 && depth(t, c.Outbox()) == 0 })
	per := map[string]string{}
	for _, m := range b.list() {
		per[m[:3]] += m[len(m)-1:]
	}
	for id, actions := range per {
		if actions != "abc" {
			t.Errorf("%s: published %q", id, actions)
		}
	}
	for i := range 50 {
		if doc, _ := c.Get(t.Context(), fmt.Sprintf("t%02d", i)); doc.Version != 2 {
			t.Fatalf("publishing made version %d", doc.Version)
		}
	}
}

func TestARelayOutlivesEveryFailureOfTheBroker(t *testing.T) {
	c := openThings(t, openDB(t), "things")
	var failures atomic.Int32
	b := &flaky{fail: func(broker.Message) error {
		if n := failures.Add(1); n <= 3 {
			return errors.New("the broker is away")
		}
		return nil
	}}
	start(t, b, c.Outbox())
	if _, err := c.Insert(t.Context(), thing{ID: "x"}, record(t, "x", "a", 1), record(t, "x", "b", 1)); err != nil {
		t.Fatal(err)
	}
	await(t, "the events", func() bool { return len(b.list()) == 2 && depth(t, c.Outbox()) == 0 })
	if got := b.list(); got[0] != "x thing.a" || got[1] != "x thing.b" {
		t.Errorf("got %v", got)
	}
}

func TestAPoisonedEventHoldsBackItsOwnDocumentAlone(t *testing.T) {
	c := openThings(t, openDB(t), "things")
	var cured atomic.Bool
	b := &flaky{fail: func(m broker.Message) error {
		if m.Key == "poison" && !cured.Load() {
			return errors.New("cannot be handled")
		}
		return nil
	}}
	start(t, b, c.Outbox())
	for _, id := range []string{"poison", "one", "two"} {
		if _, err := c.Insert(t.Context(), thing{ID: id}, record(t, id, "a", 1)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the others", func() bool { return len(b.list()) == 2 })
	cured.Store(true)
	await(t, "the cured one", func() bool { return len(b.list()) == 3 && depth(t, c.Outbox()) == 0 })
}

func TestWhatADeadRelayLeftIsPublishedByTheNext(t *testing.T) {
	c := openThings(t, openDB(t), "things")
	down := &flaky{fail: func(broker.Message) error { return errors.New("away") }}
	stop := start(t, down, c.Outbox())
	if _, err := c.Insert(t.Context(), thing{ID: "x"}, record(t, "x", "a", 1)); err != nil {
		t.Fatal(err)
	}
	stop()
	up := &flaky{}
	start(t, up, c.Outbox())
	await(t, "the event", func() bool { return len(up.list()) == 1 })
}
