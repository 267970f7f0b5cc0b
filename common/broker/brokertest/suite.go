// Package brokertest is the suite that every broker passes.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/broker"
)

// patience is how long the suite waits for what must happen; only a broken broker makes it wait that long.
const patience = 20 * time.Second

// Run runs the suite. open gives a broker of its own to each test and closes it at the test's end.
func Run(t *testing.T, open func(t *testing.T) broker.Broker) {
	for name, test := range map[string]func(*testing.T, broker.Broker){
		"EveryGroupGetsEveryMessage":           everyGroup,
		"MessagesArriveAsTheyWereSent":         whole,
		"MessagesOfAKeyStayInOrder":            order,
		"MessagesOfDifferentKeysDoNotWait":     independent,
		"AFailedMessageIsDeliveredAgain":       redelivery,
		"APanicIsAFailure":                     panics,
		"NoMessageOvertakesAFailedOneOfItsKey": failedOrder,
		"CloseWaitsForHandlers":                closing,
		"APublishAfterCloseFails":              afterClose,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func subscribe(t *testing.T, b broker.Broker, topic, group string, h broker.Handler) {
	t.Helper()
	if err := b.Subscribe(topic, group, h); err != nil {
		t.Fatal(err)
	}
}

// publish publishes as a relay does: again until it is acknowledged.
func publish(t *testing.T, b broker.Broker, m broker.Message) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := b.Publish(ctx, m)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("publish %s: %v", m.ID, err)
			return
		}
	}
}

func message(topic, key, id string) broker.Message {
	return broker.Message{Topic: topic, Key: key, ID: id, Headers: map[string]string{"type": "t"}, Body: []byte(`{"id":"` + id + `"}`)}
}

// await waits until done says so.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// seen collects ids in the order of their first delivery; repeats are allowed at any time.
type seen struct {
	mu  sync.Mutex
	ids []string
}

func (s *seen) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.ids, id) {
		s.ids = append(s.ids, id)
	}
}

func (s *seen) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func everyGroup(t *testing.T, b broker.Broker) {
	var a, c, other seen
	record := func(s *seen) broker.Handler {
		return func(_ context.Context, m broker.Message) error { s.add(m.ID); return nil }
	}
	subscribe(t, b, "orders", "a", record(&a))
	subscribe(t, b, "orders", "c", record(&c))
	subscribe(t, b, "others", "a", record(&other))
	for i := range 20 {
		publish(t, b, message("orders", fmt.Sprint("k", i%3), fmt.Sprint(i)))
	}
	await(t, "both groups", func() bool { return len(a.list()) == 20 && len(c.list()) == 20 })
	if n := len(other.list()); n != 0 {
		t.Errorf("%d messages on another topic", n)
	}
}

func whole(t *testing.T, b broker.Broker) {
	got := make(chan broker.Message, 10)
	subscribe(t, b, "orders", "a", func(_ context.Context, m broker.Message) error { got <- m; return nil })
	sent := broker.Message{
		Topic: "orders", Key: "k€y", ID: "id-1",
		Headers: map[string]string{"type": "consignment.confirmed", "traceparent": "00-x"},
		Body:    []byte(`{"text":"ünïcode \u0000 and bytes"}`),
	}
	publish(t, b, sent)
	select {
	case m := <-got:
		if m.Topic != sent.Topic || m.Key != sent.Key || m.ID != sent.ID || string(m.Body) != string(sent.Body) ||
			m.Headers["type"] != sent.Headers["type"] || m.Headers["traceparent"] != sent.Headers["traceparent"] {
			t.Errorf("got %+v, want %+v", m, sent)
		}
	case <-time.After(patience):
		t.Fatal("nothing arrived")
	}
}

func order(t *testing.T, b broker.Broker) {
	const keys, each = 8, 25
	got := make([]seen, keys)
	subscribe(t, b, "orders", "a", func(_ context.Context, m broker.Message) error {
		var key int
		fmt.Sscanf(m.Key, "k%d", &key)
		got[key].add(m.ID)
		return nil
	})
	var wait sync.WaitGroup
	for k := range keys {
		wait.Go(func() {
			for i := range each {
				publish(t, b, message("orders", fmt.Sprint("k", k), fmt.Sprintf("%d/%02d", k, i)))
			}
		})
	}
	wait.Wait()
	for k := range got {
		await(t, "all messages", func() bool { return len(got[k].list()) == each })
		if ids := got[k].list(); !slices.IsSorted(ids) {
			t.Errorf("key %d out of order: %v", k, ids)
		}
	}
}

func independent(t *testing.T, b broker.Broker) {
	release := make(chan struct{})
	var free atomic.Int32
	subscribe(t, b, "orders", "a", func(ctx context.Context, m broker.Message) error {
		if m.Key == "stuck" {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil
		}
		free.Add(1)
		return nil
	})
	var wait sync.WaitGroup
	wait.Go(func() { publish(t, b, message("orders", "stuck", "s")) })
	for i := range 20 {
		wait.Go(func() { publish(t, b, message("orders", fmt.Sprint("free", i), fmt.Sprint(i))) })
	}
	// A key may share its lane with the stuck one; most do not.
	await(t, "messages of other keys", func() bool { return free.Load() >= 15 })
	close(release)
	wait.Wait()
}

func redelivery(t *testing.T, b broker.Broker) {
	var attempts atomic.Int32
	subscribe(t, b, "orders", "a", func(context.Context, broker.Message) error {
		if attempts.Add(1) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	publish(t, b, message("orders", "k", "1"))
	await(t, "the third attempt", func() bool { return attempts.Load() >= 3 })
}

func panics(t *testing.T, b broker.Broker) {
	var attempts atomic.Int32
	subscribe(t, b, "orders", "a", func(context.Context, broker.Message) error {
		if attempts.Add(1) == 1 {
			panic("boom")
		}
		return nil
	})
	publish(t, b, message("orders", "k", "1"))
	await(t, "the second attempt", func() bool { return attempts.Load() >= 2 })
}

func failedOrder(t *testing.T, b broker.Broker) {
	var handled seen
	var failures atomic.Int32
	subscribe(t, b, "orders", "a", func(_ context.Context, m broker.Message) error {
		if m.ID == "1" && failures.Add(1) <= 2 {
			return errors.New("not yet")
		}
		handled.add(m.ID)
		return nil
	})
	for _, id := range []string{"1", "2", "3"} {
		publish(t, b, message("orders", "k", id))
	}
	await(t, "all messages", func() bool { return len(handled.list()) == 3 })
	if ids := handled.list(); !slices.IsSorted(ids) {
		t.Errorf("handled in the order %v", ids)
	}
}

func closing(t *testing.T, b broker.Broker) {
	started := make(chan struct{})
	var ended atomic.Bool
	var once sync.Once
	subscribe(t, b, "orders", "a", func(ctx context.Context, _ broker.Message) error {
		once.Do(func() { close(started) })
		<-ctx.Done() // ends because the broker closes
		ended.Store(true)
		return ctx.Err()
	})
	var wait sync.WaitGroup
	wait.Go(func() { _ = b.Publish(t.Context(), message("orders", "k", "1")) })
	<-started
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if !ended.Load() {
		t.Error("Close returned while a handler was at work")
	}
	wait.Wait()
}

func afterClose(t *testing.T, b broker.Broker) {
	subscribe(t, b, "orders", "a", func(context.Context, broker.Message) error { return nil })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), message("orders", "k", "1")); err == nil {
		t.Error("acknowledged after Close")
	}
	if err := b.Subscribe("orders", "b", func(context.Context, broker.Message) error { return nil }); err == nil {
		t.Error("subscribed after Close")
	}
}
