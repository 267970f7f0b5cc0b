package log

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

const (
	// maxWaiting bounds the appends that wait; further callers wait to join them.
	maxWaiting = 1024
	// batchLength and batchBytes bound what is written on one journey to the database.
	batchLength = 512
	batchBytes  = 4 << 20
	// writeTimeout bounds the writing of a batch, so that a database that hangs is a database that failed.
	writeTimeout = 5 * time.Second
)

// appender puts entries into their chains. One goroutine, run, chains everything that waits, in the order in which it came, and
// writes it on one journey to the database, in one block for each chain or a few. So an append costs little when there are many.
//
// Replicas may append to the same chains without knowing of each other: the index of chains lets one of two rivals win, and
// the other chains its entries anew behind the winner's.
type appender struct {
	blocks *store.Collection[block]
	now    func() time.Time
	queue  chan *waiting

	mu sync.Mutex
	// tips are the ends of the chains as far as they are known to be stored. Only run changes them.
	tips [chain.Count]tip
}

// tip is the end of a chain.
type tip struct {
	known    bool
	position int64
	hash     []byte
	stamp    int64 // of the last block's id
}

// waiting is an entry on its way.
type waiting struct {
	ctx     context.Context
	entry   Entry
	content []byte
	done    chan error
	// repeats brought the same event in the same batch, and get the same answer.
	repeats []*waiting
}

func newAppender(blocks *store.Collection[block], now func() time.Time) *appender {
	return &appender{blocks: blocks, now: now, queue: make(chan *waiting, maxWaiting)}
}

// append makes an entry of an event and returns when it is stored, now or by an earlier delivery. Whoever appends an entity's
// events one after the other finds them in this order in the entity's chain. After an error the entry may or may not have been
// stored, except for invalid: that event can never be.
func (a *appender) append(ctx context.Context, e event.Envelope) error {
	w := &waiting{ctx: ctx, entry: fromEvent(e), done: make(chan error, 1)}
	var err error
	if w.content, err = w.entry.content(); err != nil {
		return err
	}
	select {
	case a.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run appends what comes until ctx ends.
func (a *appender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-a.queue:
			a.write(ctx, a.gather(first))
		}
	}
}

// gather takes everything that waits, each event once. Before it is content with less than a full batch it lets those run who
// were just answered: they often come back with their next entry. Callers that have gone will deliver their event again.
func (a *appender) gather(first *waiting) []*waiting {
	batch := make([]*waiting, 0, 64)
	seen := make(map[string]*waiting, 64)
	size := 0
	for next := first; next != nil; next = a.next() {
		if next.ctx.Err() != nil {
			continue
		}
		if same, ok := seen[next.entry.ID]; ok {
			same.repeats = append(same.repeats, next)
			continue
		}
		seen[next.entry.ID] = next
		batch = append(batch, next)
		if size += len(next.content); len(batch) == batchLength || size >= batchBytes {
			break
		}
	}
	return batch
}

func (a *appender) next() *waiting {
	for range 3 {
		select {
		case w := <-a.queue:
			return w
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// write appends a batch and answers everybody in it. A write under way is finished when ctx ends.
func (a *appender) write(ctx context.Context, batch []*waiting) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	for len(batch) > 0 {
		var err error
		if batch, err = a.attempt(ctx, batch); err != nil {
			a.forget()
			answer(batch, fmt.Errorf("append to the log: %w", err))
			return
		}
	}
}

// attempt writes as much of a batch as can be written at once, answers that and returns the rest, to be tried again.
func (a *appender) attempt(ctx context.Context, batch []*waiting) (rest []*waiting, err error) {
	blocks, err := a.chain(ctx, batch)
	if err != nil {
		return batch, err
	}
	added, err := a.blocks.InsertMany(ctx, blocks)
	a.advance(blocks[:added])
	for _, b := range blocks[:added] {
		answer(b.waiting, nil)
	}
	for _, b := range blocks[added:] {
		rest = append(rest, b.waiting...)
	}
	switch {
	case store.IsDuplicate(err, byEvent):
		return a.dropKnown(ctx, rest)
	case store.IsDuplicate(err, byChain), store.IsDuplicate(err, store.ByID):
		// A rival was faster, here and likely in other chains.
		a.forget()
		return rest, nil
	}
	return rest, err
}

// chain makes the blocks of a batch: each entry behind the one before it in its chain, and those of a chain in order.
func (a *appender) chain(ctx context.Context, batch []*waiting) ([]block, error) {
	var (
		tips   = a.tips
		now    = a.now().UnixNano()
		blocks = make([]block, 0, chain.Count)
		open   [chain.Count]int // each chain's last block among blocks, counted from 1
	)
	for _, w := range batch {
		number := chain.Of(w.entry.EntityID)
		t := &tips[number]
		if !t.known {
			var err error
			if *t, err = endOf(ctx, a.blocks, number); err != nil {
				return nil, err
			}
		}
		if open[number] == 0 || blocks[open[number]-1].full(len(w.content)) {
			// Behind that of the block before it, whatever clocks say.
			t.stamp = max(now+int64(len(blocks)), t.stamp+1)
			blocks = append(blocks, block{ID: blockID(t.stamp, number), Chain: number, First: t.position + 1})
			open[number] = len(blocks)
		}
		t.position++
		t.hash = chain.Next(t.hash, w.content)
		b := &blocks[open[number]-1]
		b.Links = append(b.Links, link{Hash: hex.EncodeToString(t.hash), Content: string(w.content), entry: &w.entry})
		b.waiting = append(b.waiting, w)
		b.end = *t
		b.size += len(w.content)
	}
	return blocks, nil
}

// dropKnown answers those whose entries are stored already, and returns the others.
func (a *appender) dropKnown(ctx context.Context, batch []*waiting) ([]*waiting, error) {
	var known, rest []*waiting
	seen := make(map[string]bool) // repeats come in the order of the first delivery, many of a block
	for _, w := range batch {
		if !seen[w.entry.ID] {
			page, err := a.blocks.Find(ctx, store.List[block]{Index: byEvent, Match: w.entry.ID, Limit: 1})
			if err != nil {
				return batch, err
			}
			if len(page.Items) == 0 {
				rest = append(rest, w)
				continue
			}
			b := &page.Items[0].Value
			b.decode()
			for _, l := range b.held() {
				if l.entry != nil {
					seen[l.entry.ID] = true
				}
			}
		}
		known = append(known, w)
	}
	answer(known, nil)
	return rest, nil
}

func (a *appender) advance(stored []block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range stored {
		a.tips[b.Chain] = b.end
	}
}

func (a *appender) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tips = [chain.Count]tip{}
}

// heads are where the chains stand: as this appender wrote them, and where it has not or others wrote behind it, as they are
// stored. So heads that were appended here do not depend on what has happened to the database since.
func (a *appender) heads(ctx context.Context) (heads [chain.Count]chain.Head, err error) {
	a.mu.Lock()
	tips := a.tips
	a.mu.Unlock()
	for number, own := range tips {
		end, failed := a.end(ctx, number, own)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		heads[number] = end.head()
	}
	return heads, err
}

// end is where one chain stands.
func (a *appender) end(ctx context.Context, number int, own tip) (tip, error) {
	end, err := endOf(ctx, a.blocks, number)
	switch {
	case err != nil || !own.known:
		return end, err
	case end.position <= own.position:
		return own, nil
	}
	held, err := holds(ctx, a.blocks, number, own.head())
	if err == nil && !held {
		err = fmt.Errorf("chain %d no longer has at position %d what was appended there: it was cut off or changed", number, own.position)
	}
	return end, err
}

func (t tip) head() chain.Head {
	return chain.Head{Position: t.position, Hash: hex.EncodeToString(t.hash)}
}

func answer(batch []*waiting, err error) {
	for _, w := range batch {
		w.done <- err
		answer(w.repeats, err)
	}
}
