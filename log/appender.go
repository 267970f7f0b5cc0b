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

// appender puts entries into their chains. One goroutine, run, chains and writes everything that waits, of all chains, on one
// journey to the database, so that an append costs little when there are many. Entries are chained in the order in which they
// came.
//
// Replicas may append to the same chains without knowing of each other: the index of places lets one of two rivals win, and
// the other chains its entries anew behind the winner's.
type appender struct {
	records *store.Collection[record]
	queue   chan *waiting

	mu sync.Mutex
	// tips are the ends of the chains as far as they are known to be stored. Only run changes them.
	tips [chain.Count]tip
}

// tip is the end of a chain.
type tip struct {
	known    bool
	position int64
	hash     []byte
}

// waiting is an entry on its way.
type waiting struct {
	ctx     context.Context
	entry   Entry
	content []byte
	done    chan error
}

func newAppender(records *store.Collection[record]) *appender {
	return &appender{records: records, queue: make(chan *waiting, maxWaiting)}
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

// gather takes everything that waits. Before it is content with less than a full batch it lets those run who were just
// answered: they often come back with their next entry. Callers that have gone will deliver their event again.
func (a *appender) gather(first *waiting) []*waiting {
	batch := make([]*waiting, 0, 64)
	size := 0
	for next := first; next != nil; next = a.next() {
		if next.ctx.Err() == nil {
			batch = append(batch, next)
			size += len(next.content)
		}
		if len(batch) == batchLength || size >= batchBytes {
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
	records, err := a.chain(ctx, batch)
	if err != nil {
		return batch, err
	}
	added, err := a.records.InsertMany(ctx, records)
	a.advance(records[:added])
	answer(batch[:added], nil)
	rest = batch[added:]
	switch {
	case store.IsDuplicate(err, store.ByID):
		return a.dropKnown(ctx, rest)
	case store.IsDuplicate(err, byChain):
		// A rival was faster, here and likely in other chains.
		a.forget()
		return rest, nil
	}
	return rest, err
}

// chain makes the records of a batch: each entry behind the one before it in its chain.
func (a *appender) chain(ctx context.Context, batch []*waiting) ([]record, error) {
	tips := a.tips
	records := make([]record, len(batch))
	for i, w := range batch {
		number := chain.Of(w.entry.EntityID)
		t := &tips[number]
		if !t.known {
			var err error
			if *t, err = a.read(ctx, number); err != nil {
				return nil, err
			}
		}
		t.position++
		t.hash = chain.Next(t.hash, w.content)
		records[i] = record{
			Chain:    number,
			Position: t.position,
			Hash:     hex.EncodeToString(t.hash),
			Content:  string(w.content),
			entry:    w.entry,
			sum:      t.hash,
		}
	}
	return records, nil
}

// read finds the end of a chain in the store.
func (a *appender) read(ctx context.Context, number int) (tip, error) {
	last, err := lastOf(ctx, a.records, number)
	if err != nil {
		return tip{}, err
	}
	if last.Position == 0 {
		return tip{known: true, hash: chain.Genesis(number)}, nil
	}
	return tip{known: true, position: last.Position, hash: last.hash()}, nil
}

// dropKnown answers those whose entries are stored already, and returns the others. The first is known to be.
func (a *appender) dropKnown(ctx context.Context, batch []*waiting) ([]*waiting, error) {
	ids := make([]string, len(batch))
	for i, w := range batch {
		ids[i] = w.entry.ID
	}
	stored, err := a.records.GetMany(ctx, ids)
	if err != nil {
		return batch, err
	}
	var rest []*waiting
	for i, w := range batch {
		if _, ok := stored[w.entry.ID]; ok || i == 0 {
			w.done <- nil
			continue
		}
		rest = append(rest, w)
	}
	return rest, nil
}

func (a *appender) advance(stored []record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range stored {
		a.tips[r.Chain] = tip{known: true, position: r.Position, hash: r.sum}
	}
}

func (a *appender) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tips = [chain.Count]tip{}
}

// heads are where the chains stand: as this appender wrote them, and where it has not, as they are stored. So heads that were
// appended here do not depend on what has happened to the database since.
func (a *appender) heads(ctx context.Context) (heads [chain.Count]chain.Head, err error) {
	a.mu.Lock()
	tips := a.tips
	a.mu.Unlock()
	for number, t := range tips {
		if !t.known {
			var failed error
			if t, failed = a.read(ctx, number); failed != nil {
				err = errors.Join(err, failed)
				continue
			}
		}
		heads[number] = chain.Head{Position: t.position, Hash: hex.EncodeToString(t.hash)}
	}
	return heads, err
}

func answer(batch []*waiting, err error) {
	for _, w := range batch {
		w.done <- err
	}
}
