package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/broker/inprocess"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/trace"
)

const topic = "fairway.test"

// bench is a consumer with its dead letters and its log.
type bench struct {
	t *testing.T
	*event.Consumer
	letters *event.DeadLetters
	now     time.Time
	log     *bytes.Buffer
}

func newBench(t *testing.T, db store.DB, handle func(context.Context, event.Envelope) error) *bench {
	t.Helper()
	letters, err := event.OpenDeadLetters(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, letters: letters, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), log: new(bytes.Buffer)}
	log := slog.New(trace.LogHandler(slog.NewTextHandler(b.log, nil)))
	b.Consumer = event.NewConsumer(handle, letters, func() time.Time { return b.now }, log)
	return b
}

// list is all dead letters, newest first.
func (b *bench) list() []event.DeadLetter {
	b.t.Helper()
	list, _, err := b.letters.List(b.t.Context(), 100, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func (b *bench) get(id string) event.DeadLetter {
	b.t.Helper()
	letter, err := b.letters.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return letter
}

// must delivers a message that has to be acknowledged.
func (b *bench) must(m broker.Message) {
	b.t.Helper()
	if err := b.Handle(b.t.Context(), m); err != nil {
		b.t.Fatalf("not acknowledged: %v", err)
	}
}

// messageOf is a message as the relay makes it.
func messageOf(e store.Event, key string) broker.Message {
	return broker.Message{Topic: topic, Key: key, ID: e.ID, Body: e.Body}
}

// outage is a database in which no dead letter can be written while away is set.
type outage struct {
	store.DB
	away *atomic.Bool
}

var errAway = errors.New("the database is away")

func (o outage) Table(ctx context.Context, schema store.Schema) (store.Table, error) {
	table, err := o.DB.Table(ctx, schema)
	return outageTable{table, o.away}, err
}

type outageTable struct {
	store.Table
	away *atomic.Bool
}

func (o outageTable) Insert(ctx context.Context, r store.Record) error {
	if o.away.Load() {
		return errAway
	}
	return o.Table.Insert(ctx, r)
}

func TestAFailureThatPassesLeavesNoTrace(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("not yet") },
		"panic": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
				if attempts++; attempts < 5 {
					return fail()
				}
				return nil
			})
			b.must(messageOf(record(t, "x", "a", 1), "x"))
			if list := b.list(); attempts != 5 || len(list) != 0 || b.log.Len() > 0 {
				t.Errorf("%d attempts, letters %+v, log %s", attempts, list, b.log)
			}
		})
	}
}

func TestBeyondTheLimitAnEventIsADeadLetterAndNotGone(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	e := event.New(trace.Continue(t.Context(), parent), time.Now(), "thing", "a", "x", 1)
	r, err := e.Record(map[string]any{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	attempts := 0
	b := newBench(t, openDB(t), func(ctx context.Context, e event.Envelope) error {
		attempts++
		if trace.ID(ctx) != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("handled in trace %q", trace.ID(ctx))
		}
		return fmt.Errorf("failure %d of %s", attempts, e.Type())
	})
	b.must(messageOf(r, "x"))
	letter := b.get(r.ID)
	want := event.DeadLetter{ID: r.ID, Source: topic, Type: "thing.a", EntityID: "x", Reason: "failure 5 of thing.a",
		Attempts: 5, Since: b.now, FailedAt: b.now, Payload: r.Body}
	if fmt.Sprint(letter) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", letter, want)
	}
	if log := b.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, r.ID) ||
		!strings.Contains(log, "0af7651916cd43dd8448eb211c80319c") || !strings.Contains(log, "failure 5") {
		t.Errorf("the log says\n%s", log)
	}
}

func TestWhatCanNeverBeHandledIsTriedOnce(t *testing.T) {
	attempts := 0
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
		attempts++
		return fmt.Errorf("look at it: %w", fault.New(fault.Invalid, "no such colour"))
	})
	r := record(t, "x", "a", 1)
	b.must(messageOf(r, "x"))
	if letter := b.get(r.ID); attempts != 1 || letter.Attempts != 1 || !strings.Contains(letter.Reason, "no such colour") {
		t.Errorf("%d attempts, %+v", attempts, letter)
	}
}

func TestWhatIsNoEventIsADeadLetterOfItsBytes(t *testing.T) {
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
		t.Error("it was handled")
		return nil
	})
	bodies := []string{"", "garbage", "\xff\x00\xfe", "[]", "{}", `{"id":"x"}`, `{"id":"x","entity_id":"y","entity_type":"z"}`}
	for _, body := range bodies {
		for range 2 { // a repeat makes no second letter
			b.must(broker.Message{Topic: topic, Body: []byte(body)})
		}
	}
	b.must(broker.Message{Topic: "another", Body: []byte("garbage")})
	list := b.list()
	if len(list) != len(bodies)+1 {
		t.Fatalf("%d letters, want %d", len(list), len(bodies)+1)
	}
	found := map[string]bool{}
	for _, l := range list {
		if l.Payload != nil {
			t.Errorf("the list has a payload: %q", l.Payload)
		}
		if l = b.get(l.ID); l.Type != "" || l.EntityID != "" || l.Reason == "" || len(l.ID) != 64 {
			t.Errorf("%+v", l)
		}
		found[l.Source+" "+string(l.Payload)] = true
	}
	for _, body := range bodies {
		if !found[topic+" "+body] {
			t.Errorf("%q is not among the letters", body)
		}
	}
}

func TestAnEventWhoseIDIsUnfitForTheStoreIsKept(t *testing.T) {
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error { return errors.New("no") })
	for _, id := range []string{`a\u0000b`, `../x`, strings.Repeat("x", 200)} {
		b.must(broker.Message{Topic: topic, Body: []byte(`{"id":"` + id + `","entity_type":"t","entity_id":"y\u0000","action":"a"}`)})
	}
	if list := b.list(); len(list) != 3 || list[0].Type != "t.a" || len(list[0].ID) != 64 {
		t.Errorf("%+v", list)
	}
}

func TestReasonsAreBoundedText(t *testing.T) {
	for name, reason := range map[string]string{
		"long":        strings.Repeat("é", 5000),
		"bad UTF-8":   "\xffa\xc0",
		"cut in half": strings.Repeat("x", 2044-len("invalid: no: ")) + "ééééé",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
				return fault.Wrap(fault.Invalid, errors.New(reason), "no")
			})
			r := record(t, "x", "a", 1)
			b.must(messageOf(r, "x"))
			got := b.get(r.ID).Reason
			if len(got) > 2048 || !utf8.ValidString(got) || !strings.HasPrefix(got, "invalid: no: ") || strings.Contains(got, "x\uFFFD") {
				t.Errorf("%d bytes: %q", len(got), got)
			}
		})
	}
}

func TestAPanicsStackIsForTheLogAlone(t *testing.T) {
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error { panic("boom") })
	r := record(t, "x", "a", 1)
	b.must(messageOf(r, "x"))
	if letter := b.get(r.ID); letter.Reason != "the handler panicked: boom" || letter.Attempts != 5 {
		t.Errorf("%+v", letter)
	}
	if !strings.Contains(b.log.String(), "consumer_test.go") {
		t.Errorf("no stack in %s", b.log)
	}
}

func TestADeliveryThatIsGivenUpIsNotHeldAgainstTheEvent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	b := newBench(t, openDB(t), func(ctx context.Context, _ event.Envelope) error {
		attempts++
		cancel()
		return ctx.Err()
	})
	if err := b.Handle(ctx, messageOf(record(t, "x", "a", 1), "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if list := b.list(); attempts != 1 || len(list) != 0 {
		t.Errorf("%d attempts, letters %+v", attempts, list)
	}
}

func TestWithoutItsDeadLetterAnEventIsNotAcknowledged(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	b := newBench(t, outage{openDB(t), &away}, func(context.Context, event.Envelope) error { return errors.New("no") })
	m := messageOf(record(t, "x", "a", 1), "x")
	if err := b.Handle(t.Context(), m); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
	away.Store(false)
	b.must(m)
	if list := b.list(); len(list) != 1 {
		t.Errorf("letters %+v", list)
	}
}

func TestAnEventThatFailsInTwoDeliveriesHasOneLetter(t *testing.T) {
	attempts := 0
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
		attempts++
		return fault.New(fault.Invalid, "failure %d", attempts)
	})
	m := messageOf(record(t, "x", "a", 1), "x")
	b.must(m)
	first := b.now
	b.now = b.now.Add(time.Hour)
	b.must(m)
	list := b.list()
	if len(list) != 1 || list[0].Attempts != 2 || list[0].Reason != "invalid: failure 2" || !list[0].Since.Equal(first) || !list[0].FailedAt.Equal(b.now) {
		t.Errorf("%+v", list)
	}
}

// handled notes what a handler did, in order.
type handled struct {
	mu   sync.Mutex
	list []string
}

func (h *handled) add(e event.Envelope) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, fmt.Sprint(e.EntityID, e.Version))
}

func (h *handled) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

// flow is an outbox, a relay, a broker and a consumer: the whole way of an event.
func flow(t *testing.T, b *bench, events ...store.Event) *store.Collection[thing] {
	t.Helper()
	things := openThings(t, openDB(t), "things")
	carrier := inprocess.New()
	t.Cleanup(func() { carrier.Close() })
	if err := carrier.Subscribe(event.Topic("test"), "test", b.Handle); err != nil {
		t.Fatal(err)
	}
	if _, err := things.Insert(t.Context(), thing{ID: "x"}, events...); err != nil {
		t.Fatal(err)
	}
	start(t, carrier, things.Outbox())
	return things
}

func TestAPoisonedEventHoldsUpNeitherItsEntityNorOthers(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("poisoned") },
		"panic": func() error { panic("poisoned") },
	} {
		t.Run(name, func(t *testing.T) {
			var done handled
			b := newBench(t, openDB(t), func(_ context.Context, e event.Envelope) error {
				if e.EntityID == "x" && e.Version == 2 {
					return fail()
				}
				done.add(e)
				return nil
			})
			poison := record(t, "x", "b", 2)
			things := flow(t, b, record(t, "x", "a", 1), poison, record(t, "x", "c", 3))
			if _, err := things.Insert(t.Context(), thing{ID: "y"}, record(t, "y", "a", 1)); err != nil {
				t.Fatal(err)
			}
			await(t, "an empty outbox", func() bool { return depth(t, things.Outbox()) == 0 })

			got := done.seen()
			slices.Sort(got)
			if !slices.Equal(slices.Compact(got), []string{"x1", "x3", "y1"}) {
				t.Errorf("handled %v", got)
			}
			if list := b.list(); len(list) != 1 || list[0].ID != poison.ID {
				t.Errorf("letters %+v", list)
			}
			// The consumer goes on.
			if _, err := things.Insert(t.Context(), thing{ID: "z"}, record(t, "z", "a", 1)); err != nil {
				t.Fatal(err)
			}
			await(t, "a later event", func() bool { return slices.Contains(done.seen(), "z1") })
		})
	}
}

func TestNoSuccessAcknowledgesAFailureBeforeIt(t *testing.T) {
	var away, healed atomic.Bool
	away.Store(true)
	var done handled
	var refused atomic.Int32
	b := newBench(t, outage{openDB(t), &away}, func(_ context.Context, e event.Envelope) error {
		if e.EntityID == "x" && e.Version == 1 && !healed.Load() {
			refused.Add(1)
			return fault.New(fault.Invalid, "not yet")
		}
		done.add(e)
		return nil
	})
	things := flow(t, b, record(t, "x", "a", 1), record(t, "x", "b", 2))
	await(t, "a second delivery", func() bool { return refused.Load() > 1 })
	if got := done.seen(); len(got) > 0 {
		t.Fatalf("handled %v, and x1 is neither handled nor kept", got)
	}
	healed.Store(true)
	await(t, "an empty outbox", func() bool { return depth(t, things.Outbox()) == 0 })
	if got := slices.Compact(done.seen()); !slices.Equal(got, []string{"x1", "x2"}) {
		t.Errorf("handled %v", got)
	}
}
