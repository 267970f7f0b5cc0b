// Package sqlite keeps the documents of one service in one SQLite file, for services that run as a single process.
//
// It is a store.DB and guarantees what that contract says: a write that returned nil is on the disk (write-ahead log,
// synchronous=FULL, one fsync for all writes that wait together), a read sees every write that was answered before it
// began, and a refused write leaves nothing behind.
//
// The file belongs to one process at a time. A second one is refused when it opens the file; the operating system ends the
// hold with the process, however that dies.
//
// Memory stays bounded: callers wait for a place in the writer's queue as long as their context lasts, and the outbox keeps
// no more in memory than what is claimed.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// Options are what a DB needs from around it. The zero value will do.
type Options struct {
	// Logger gets what goes wrong outside of any call; slog.Default() if nil.
	Logger *slog.Logger
	// Now is the clock that the leases of claims end by; time.Now if nil.
	Now func() time.Time
}

// DB is a store.DB on one SQLite file.
type DB struct {
	now     func() time.Time
	path    string
	file    os.FileInfo // what was opened under path
	lock    *os.File
	writer  *writer
	readers chan *session

	// calls counts those inside the database; closing tells that no more may come.
	calls   sync.WaitGroup
	gate    sync.RWMutex
	closing bool

	opening sync.Mutex
	tables  map[string]*table

	documents atomic.Int64
}

// Stats counts what a DB has done since it was opened.
type Stats struct {
	// Documents is how many documents were written, inserts, replaces and deletes, and Commits how many transactions they took,
	// each with its journey to the disk.
	Documents, Commits int64
}

// Stats is safe to call at any time, also after Close.
func (db *DB) Stats() Stats {
	return Stats{Documents: db.documents.Load(), Commits: db.writer.commits.Load()}
}

// ErrInUse is why Open refuses a file that another process has open.
var ErrInUse = errors.New("open in another process")

var (
	errClosed = errors.New("the database is closed")
	errLocked = errors.New("the lock is held by another process")
)

// Open opens the file at path, creating it and its folder where they are missing. Only the owner can read them, as they hold
// all that the service knows. Errors are one sentence that names the file: when another process has it
// open ([ErrInUse]), when it cannot be written, when it is not a database.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	lock, err := hold(path)
	if err != nil {
		return nil, err
	}
	db := &DB{now: opts.Now, path: path, lock: lock, tables: make(map[string]*table)}
	if err := db.start(path, opts.Logger); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.release())
	}
	return db, nil
}

// hold takes the file for this process. The lock is on a file of its own, because closing any handle of the database file
// itself would drop the locks that SQLite has on it.
func hold(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the folder of database %s cannot be made: %w", path, err)
	}
	lock, err := lockFile(path + ".lock")
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("database %s is %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder of database %s cannot be written: %w", path, err)
	}
	return lock, nil
}

func (db *DB) start(path string, log *slog.Logger) error {
	// SQLite would make the file readable for everyone; its log and index files take over the mode of the file.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	db.file, err = file.Stat()
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if db.writer, err = startWriter(path, log); err != nil {
		return err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.readers = make(chan *session, readers)
	for range readers {
		s, err := openReader(path)
		if err != nil {
			return err
		}
		db.readers <- s
	}
	return nil
}

// Health writes one row and reads it back, so that it fails when the disk is full or gone. It also fails when the file is no
// longer the one under its path: what is written to a file that was removed lives only as long as the process.
func (db *DB) Health(ctx context.Context) error {
	if now, err := os.Stat(db.path); err != nil || !os.SameFile(now, db.file) {
		return fmt.Errorf("health: %s has been removed or replaced while it was open", db.path)
	}
	at := db.now().UnixNano()
	err := db.write(ctx, &write{apply: func(s *session) error {
		_, err := s.exec(`INSERT INTO health (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at`, at)
		return err
	}})
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	err = db.read(ctx, func(s *session) error {
		var found int64
		return s.row(`SELECT at FROM health WHERE one = 1`, nil, &found)
	})
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}

// Close waits for the calls under way, moves the write-ahead log into the database file and gives the file free. Closing
// twice is an error without effect.
func (db *DB) Close() error {
	db.gate.Lock()
	again := db.closing
	db.closing = true
	db.gate.Unlock()
	if again {
		return errClosed
	}
	db.calls.Wait()
	return db.release()
}

// release closes whatever start has opened, the lock last.
func (db *DB) release() error {
	var errs []error
	for _, t := range db.tables {
		t.waitlist.stop()
	}
	for range len(db.readers) {
		errs = append(errs, (<-db.readers).close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.stop())
	}
	errs = append(errs, db.lock.Close())
	return errors.Join(errs...)
}

// enter lets a call in until Close; after nil, leave must follow.
func (db *DB) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.gate.RLock()
	defer db.gate.RUnlock()
	if db.closing {
		return errClosed
	}
	db.calls.Add(1)
	return nil
}

func (db *DB) leave() { db.calls.Done() }

// write hands w to the writer and waits for its answer. When ctx ends first, the write may still happen.
func (db *DB) write(ctx context.Context, w *write) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.leave()
	return db.writer.do(ctx, w)
}

// read lends a connection to f.
func (db *DB) read(ctx context.Context, f func(*session) error) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.leave()
	return db.lend(ctx, f)
}

// lend is read for a call that is inside already. Every read is short, so ctx counts only until it has begun.
func (db *DB) lend(ctx context.Context, f func(*session) error) error {
	select {
	case s := <-db.readers:
		defer func() { db.readers <- s }()
		return f(s)
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ store.DB = (*DB)(nil)
