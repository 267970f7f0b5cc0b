package inprocess_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/broker/brokertest"
	"github.com/fairwayfreight/fairway/common/broker/inprocess"
)

func TestSuite(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) broker.Broker {
		b := inprocess.New()
		t.Cleanup(func() { b.Close() })
		return b
	})
}

func TestAPublishIsAcknowledgedOnlyWhenEveryGroupHasHandledIt(t *testing.T) {
	b := inprocess.New()
	defer b.Close()
	var good, bad atomic.Int32
	if err := b.Subscribe("orders", "good", func(context.Context, broker.Message) error { good.Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	sick := errors.New("sick")
	if err := b.Subscribe("orders", "bad", func(context.Context, broker.Message) error { bad.Add(1); return sick }); err != nil {
		t.Fatal(err)
	}
	err := b.Publish(t.Context(), broker.Message{Topic: "orders", Key: "k", ID: "1"})
	if !errors.Is(err, sick) {
		t.Errorf("got %v", err)
	}
	if good.Load() != 1 || bad.Load() != 1 {
		t.Errorf("one publish asked good %d times, bad %d times", good.Load(), bad.Load())
	}
}

func TestAMessageThatNobodyHandlesIsNotAcknowledged(t *testing.T) {
	b := inprocess.New()
	defer b.Close()
	if err := b.Publish(t.Context(), broker.Message{Topic: "orders"}); !errors.Is(err, inprocess.ErrNoGroup) {
		t.Errorf("got %v", err)
	}
}

func TestAGroupHasOneHandlerPerTopic(t *testing.T) {
	b := inprocess.New()
	defer b.Close()
	handle := func(context.Context, broker.Message) error { return nil }
	if err := b.Subscribe("orders", "a", handle); err != nil {
		t.Fatal(err)
	}
	if err := b.Subscribe("orders", "a", handle); err == nil {
		t.Error("a second handler was accepted")
	}
}
