package log

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/log/chain"
)

func TestEntriesThatComeTogetherShareBlocks(t *testing.T) {
	l := newLog(t, newDB(t))
	const callers = 400
	var wait sync.WaitGroup
	perChain := make([]int, chain.Count)
	for i := range callers {
		e := booking(fmt.Sprint(i), 1)
		perChain[chain.Of(e.EntityID)]++
		wait.Go(func() {
			if err := l.append(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	await(t, "the queue to fill", func() bool { return len(l.queue) == callers })
	l.write(t.Context(), l.gather(<-l.queue))
	wait.Wait()
	want := 0
	for _, n := range perChain {
		want += (n + blockLength - 1) / blockLength
	}
	if got := len(l.stored(t)); got != want {
		t.Errorf("%d blocks for %d entries, want %d", got, callers, want)
	}
	l.sound(t, callers)
}

func TestManyConcurrentAppendsMakeFewBlocks(t *testing.T) {
	l := openLog(t, newDB(t))
	const callers, each = 128, 8
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			for version := range each {
				if err := l.append(t.Context(), booking(fmt.Sprint(i), int64(version+1))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	if n := len(l.stored(t)); n > callers*each/2 {
		t.Errorf("%d blocks for %d entries", n, callers*each)
	}
	l.sound(t, callers*each)
	l.inOrder(t, callers, each)
}

func TestABlockIsBounded(t *testing.T) {
	sized := func(bytes int) event.Envelope {
		e := booking("c", 1)
		e.Data = json.RawMessage(`"` + strings.Repeat("x", bytes) + `"`)
		return e
	}
	frame := len(together(t, sized(0))[0].content)
	many := func(n, bytes int) (list []event.Envelope) {
		for range n {
			list = append(list, sized(bytes))
		}
		return list
	}
	for _, tc := range []struct {
		name   string
		events []event.Envelope
		want   []int // entries of the blocks
	}{
		{"one", many(1, 1), []int{1}},
		{"as many as fit", many(blockLength, 1), []int{blockLength}},
		{"more than fit", many(2*blockLength+1, 1), []int{blockLength, blockLength, 1}},
		{"as many bytes as fit", many(4, blockBytes/4-frame), []int{4}},
		{"a byte more", append(many(3, blockBytes/4-frame), sized(blockBytes/4-frame+1)), []int{3, 1}},
		{"a large one goes alone", []event.Envelope{sized(1), sized(blockBytes), sized(1), sized(1)}, []int{1, 1, 2}},
		{"the largest", many(2, maxContent-frame), []int{1, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := openLog(t, newDB(t))
			l.addTogether(t, tc.events...)
			var got []int
			for _, b := range l.stored(t) {
				got = append(got, len(b.Links))
			}
			slices.Reverse(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("blocks of %v entries, want %v", got, tc.want)
			}
			l.sound(t, len(tc.events))
		})
	}
}

func TestBlocksHaveEachKeyOnce(t *testing.T) {
	l := openLog(t, newDB(t))
	l.addTogether(t, booking("c", 1), booking("c", 2), booking("c", 3))
	b := l.stored(t)[0]
	for _, ix := range spec().Indexes {
		want := map[string]int{byReader: 2, byEntity: 1, byTrace: 1, byEvent: 3, byChain: 1}[ix.Name]
		if keys := ix.Keys(&b); len(keys) != want {
			t.Errorf("%s: %v", ix.Name, keys)
		}
	}
}

// Whatever the clocks say, the ids of a chain's blocks are in the order of the chain: so lists are.
func TestIdsOfBlocksRiseAlongTheirChain(t *testing.T) {
	db := newDB(t)
	now := time.Now()
	var replicas []*testLog
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		l := openLog(t, db)
		l.appender.now = func() time.Time { return now.Add(ahead) } // and it stands still
		replicas = append(replicas, l)
	}
	var want []int64
	for version := range int64(30) {
		l := replicas[version%3]
		if version%5 == 0 {
			l.forget()
		}
		l.addTogether(t, booking("c", 2*version+1), booking("other", version+1), booking("c", 2*version+2))
		want = append(want, 2*version+1, 2*version+2)
	}
	replicas[0].sound(t, 90)
	var got []int64
	last := make(map[int]int64)
	blocks := replicas[0].stored(t)
	slices.Reverse(blocks)
	for _, b := range blocks {
		if b.First <= last[b.Chain] || !isBlockID(b.ID) || stampOf(b.ID) == 0 {
			t.Errorf("block %s of chain %d is at %d, behind %d", b.ID, b.Chain, b.First, last[b.Chain])
		}
		last[b.Chain] = b.First
		for _, k := range b.Links {
			if k.entry.EntityID == "c" {
				got = append(got, k.entry.Version)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestRivalsThatTakeTheSameIdBothAppend(t *testing.T) {
	db := newDB(t)
	one, other := openLog(t, db), openLog(t, db)
	now := time.Now()
	one.appender.now = func() time.Time { return now }
	other.appender.now = one.appender.now
	one.add(t, booking("c", 1))
	other.add(t, booking("c", 2))
	one.add(t, booking("c", 3)) // it believes that the chain ends at 1, and so makes the same id as the other
	one.sound(t, 3)
	one.inOrder(t, 1, 3)
}
