package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

const (
	// queueLength bounds the writes that wait; further callers wait to join the queue.
	queueLength = 1024
	// groupLength and groupBytes bound what one transaction takes, and so what a crash can leave for recovery to skip.
	groupLength = 512
	groupBytes  = 8 << 20
	// logBytes is the size of the write-ahead log at which the writer makes the readers let go of it. It is far more than
	// a log that is checkpointed in passing comes to.
	logBytes = 64 << 20
)

// write is one document's change on its way through the writer.
type write struct {
	// apply makes the change inside the writer's transaction. A refusal leaves the transaction as it was.
	apply func(*session) error
	// applied runs after the commit and before the answer, unless apply was refused.
	applied func()
	size    int

	ctx    context.Context
	err    error
	answer chan error
}

// writer is the one goroutine that writes. It gathers all waiting writes into one transaction and answers each only after
// the commit; that is what makes durable writes cheap when there are many.
type writer struct {
	path    string
	log     *slog.Logger
	queue   chan *write
	stopped chan struct{}
	commits atomic.Int64

	// session is nil after a failure that left the connection in doubt, until the next group opens a new one.
	session *session
	// logLimit is the size of the log at which the next full checkpoint is due.
	logLimit int64
}

func startWriter(path string, log *slog.Logger) (*writer, error) {
	w := &writer{
		path: path, log: log, queue: make(chan *write, queueLength), stopped: make(chan struct{}), logLimit: logBytes,
	}
	if err := w.connect(); err != nil {
		return nil, err
	}
	if err := w.session.prepare(); err != nil {
		return nil, errors.Join(err, w.session.close())
	}
	go w.run()
	return w, nil
}

func (w *writer) connect() (err error) {
	w.session, err = openWriter(w.path)
	return err
}

// do queues a write and waits for its answer or the end of ctx.
func (w *writer) do(ctx context.Context, wr *write) error {
	wr.ctx, wr.answer = ctx, make(chan error, 1)
	select {
	case w.queue <- wr:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-wr.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the writer after what is queued. Nothing may be queued any more.
func (w *writer) stop() error {
	close(w.queue)
	<-w.stopped
	if w.session == nil {
		return nil
	}
	return errors.Join(w.checkpoint(), w.session.close())
}

func (w *writer) run() {
	defer close(w.stopped)
	for first := range w.queue {
		w.group(first)
	}
}

// group commits first and everything that comes to wait meanwhile. Refusals are answered after the commit too, as they may
// be due to another write of the group.
func (w *writer) group(first *write) {
	group := make([]*write, 0, groupLength)
	if err := w.begin(); err != nil {
		w.abort(append(group, first), err)
		return
	}
	size := 0
	for next := first; next != nil; next = w.next(len(group), size) {
		if err := next.ctx.Err(); err != nil {
			next.answer <- err
			continue
		}
		next.err = next.apply(w.session)
		group = append(group, next)
		size += next.size
		if next.err != nil && !refusal(next.err) {
			w.abort(group, next.err)
			return
		}
	}
	if _, err := w.session.exec(`COMMIT`); err != nil {
		w.abort(group, err)
		return
	}
	w.commits.Add(1)
	for _, wr := range group {
		if wr.err == nil && wr.applied != nil {
			wr.applied()
		}
		wr.answer <- wr.err
	}
	w.trim()
}

func (w *writer) begin() error {
	if w.session == nil {
		if err := w.connect(); err != nil {
			return err
		}
	}
	_, err := w.session.exec(`BEGIN IMMEDIATE`)
	return err
}

// next is another write for the group, or nil when the group is full or nobody waits. Before it gives up it lets those run
// who were just answered: they often come back with their next write, and a group of all is what the disk is fastest with.
func (w *writer) next(length, size int) *write {
	if length >= groupLength || size >= groupBytes {
		return nil
	}
	for range 3 {
		select {
		case wr := <-w.queue:
			return wr
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// refusal tells a write that failed by its own fault from a database that fails.
func refusal(err error) bool {
	var duplicate *store.DuplicateError
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.As(err, &duplicate)
}

// abort takes back the whole group, and says that it can be tried again: a disk that is full gets room. A connection that will not even roll back is given up.
func (w *writer) abort(group []*write, cause error) {
	if w.session != nil {
		if _, err := w.session.exec(`ROLLBACK`); err != nil {
			_ = w.session.close() // The cause is what counts, and nothing is left to save in this connection.
			w.session = nil
		}
	}
	failure := fault.Wrap(fault.Unavailable, fmt.Errorf("the database did not take the write: %w", cause),
		"documents cannot be written at the moment; try again shortly").WithRetryAfter(time.Second)
	for _, wr := range group {
		wr.answer <- failure
	}
}

// trim keeps the log bounded. SQLite checkpoints in passing, but can start the log over only while no reader uses it; under
// a steady stream of readers that moment may never come, so a log that has grown large is emptied with the readers held up.
func (w *writer) trim() {
	info, err := os.Stat(w.path + "-wal")
	if err != nil || info.Size() < w.logLimit {
		return
	}
	if err := w.checkpoint(); err != nil {
		w.log.Warn("the write-ahead log keeps growing", "file", w.path, "bytes", info.Size(), "error", err)
		w.logLimit = info.Size() + logBytes
		return
	}
	w.logLimit = logBytes
}

// checkpoint moves the whole log into the database file and empties it.
func (w *writer) checkpoint() error {
	var busy, frames, moved int
	if err := w.session.row(`PRAGMA wal_checkpoint(TRUNCATE)`, nil, &busy, &frames, &moved); err != nil {
		return fmt.Errorf("checkpoint %s: %w", w.path, err)
	}
	if busy != 0 {
		return fmt.Errorf("checkpoint %s: %d of %d frames moved, the rest is in use by readers", w.path, moved, frames)
	}
	return nil
}
