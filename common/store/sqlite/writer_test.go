package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
)

var ships = store.Schema{Name: "ships", Indexes: []store.IndexSchema{{Name: "name", Unique: true}}}

func openShips(t *testing.T) (*DB, store.Table) {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "service.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	table, err := db.Table(t.Context(), ships)
	if err != nil {
		t.Fatal(err)
	}
	return db, table
}

func ship(id string) store.Record {
	return store.Record{
		ID: id, Body: []byte(`{}`), Keys: map[string][]store.Key{"name": {{Match: "MV " + id}}},
		Outbox: []store.Event{{ID: "e"}},
	}
}

// halt keeps the writer busy until resume is called.
func halt(t *testing.T, db *DB) (resume func()) {
	t.Helper()
	reached, blocked := make(chan struct{}), make(chan struct{})
	go func() {
		// Its error does not matter: the test may make the group fail.
		_ = db.write(context.Background(), &write{apply: func(*session) error {
			close(reached)
			<-blocked
			return nil
		}})
	}()
	<-reached
	return sync.OnceFunc(func() { close(blocked) })
}

// inWriter runs f with the writer's connection.
func inWriter(t *testing.T, db *DB, f func(*session) error) {
	t.Helper()
	if err := db.write(t.Context(), &write{apply: f}); err != nil {
		t.Fatal(err)
	}
}

func waitQueued(t *testing.T, db *DB, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(db.writer.queue) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d writes wait, want %d", len(db.writer.queue), n)
		}
	}
}

func TestEveryCommitIsSynced(t *testing.T) {
	db, _ := openShips(t)
	var synchronous int
	var mode string
	inWriter(t, db, func(s *session) error {
		return errors.Join(s.row(`PRAGMA synchronous`, nil, &synchronous), s.row(`PRAGMA journal_mode`, nil, &mode))
	})
	const full = 2
	if synchronous != full || mode != "wal" {
		t.Fatalf("synchronous is %d, journal mode %s", synchronous, mode)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	db, _ := openShips(t)
	err := db.read(t.Context(), func(s *session) error {
		_, err := s.exec(`DELETE FROM "doc_ships"`)
		return err
	})
	if err == nil {
		t.Fatal("a reader's connection took a write")
	}
}

func TestFailedCommitFailsTheWholeGroupAndNothingIsApplied(t *testing.T) {
	db, table := openShips(t)
	if err := table.Insert(t.Context(), ship("before")); err != nil {
		t.Fatal(err)
	}
	var refuse atomic.Int32 // SQLite turns a commit into a rollback when its hook gives anything but 0.
	inWriter(t, db, func(s *session) error {
		return s.conn.Raw(func(conn any) error {
			conn.(driver.HookRegisterer).RegisterCommitHook(refuse.Load)
			return nil
		})
	})
	refuse.Store(1)
	resume := halt(t, db)
	defer resume()
	var errs sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { errs.Store(i, table.Insert(t.Context(), ship(fmt.Sprint(i/2)))) }) // Every second one is a duplicate.
	}
	wg.Go(func() {
		errs.Store("replace", table.Replace(t.Context(), store.Record{ID: "before", Version: 1, Outbox: []store.Event{{ID: "f"}}}))
	})
	wg.Go(func() { errs.Store("delete", table.Delete(t.Context(), "before", 0)) })
	waitQueued(t, db, 22)
	resume()
	wg.Wait()
	errs.Range(func(who, err any) bool {
		if err == nil || refusal(err.(error)) {
			t.Errorf("%v got %v, want the error of the commit", who, err)
		}
		return true
	})
	found, err := table.Find(t.Context(), store.Query{Limit: 100})
	if err != nil || len(found) != 1 || found[0].ID != "before" || found[0].Version != 1 {
		t.Fatalf("found %v, %v, want only what was there before", found, err)
	}
	if n, err := table.Depth(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d events wait, %v, want 1", n, err)
	}
	for i := range 10 {
		if err := table.Insert(t.Context(), ship(fmt.Sprint(i))); err != nil {
			t.Fatalf("insert %d after the failure: %v", i, err)
		}
	}
	if n, err := table.Depth(t.Context()); n != 11 || err != nil {
		t.Fatalf("%d events wait, %v, want 11", n, err)
	}
}

func TestFailingWriteTakesBackItsWholeGroup(t *testing.T) {
	db, table := openShips(t)
	resume := halt(t, db)
	defer resume()
	broken := errors.New("disk I/O error")
	var wg sync.WaitGroup
	queue := func(n int, call func() error) {
		wg.Go(func() {
			if err := call(); !errors.Is(err, broken) || fault.From(err).RetryAfter == 0 {
				t.Errorf("write %d of the group got %v, want its failure, to be tried again", n, err)
			}
		})
		waitQueued(t, db, n)
	}
	queue(1, func() error { return table.Insert(t.Context(), ship("a")) })
	queue(2, func() error { return db.write(t.Context(), &write{apply: func(*session) error { return broken }}) })
	resume()
	wg.Wait()
	if _, err := table.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("of the group that failed, one record gives %v, want not found", err)
	}
	if n, err := table.Depth(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d events wait, %v, want none", n, err)
	}
	if err := table.Insert(t.Context(), ship("a")); err != nil {
		t.Fatalf("after the failure: %v", err)
	}
}

func TestFullDiskFailsWritesAndTheDatabaseRecovers(t *testing.T) {
	db, table := openShips(t)
	if err := table.Insert(t.Context(), ship("before")); err != nil {
		t.Fatal(err)
	}
	inWriter(t, db, func(s *session) error {
		var pages int
		if err := s.row(`PRAGMA page_count`, nil, &pages); err != nil {
			return err
		}
		return s.row(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+4), nil, &pages)
	})
	resume := halt(t, db)
	defer resume()
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			r := ship(fmt.Sprint(i))
			r.Body = make([]byte, 10_000)
			if err := table.Insert(t.Context(), r); err != nil {
				failed.Add(1)
			}
		})
	}
	waitQueued(t, db, 10)
	resume()
	wg.Wait()
	found, err := table.Find(t.Context(), store.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if failed.Load() == 0 || len(found) != 1+10-int(failed.Load()) {
		t.Fatalf("%d of 10 inserts failed, but %d records are there", failed.Load(), len(found))
	}
	if err := table.Insert(t.Context(), ship("after")); err != nil {
		t.Fatalf("once there is room again: %v", err)
	}
}

func TestWriteWhoseCallerIsGoneIsSkipped(t *testing.T) {
	db, table := openShips(t)
	resume := halt(t, db)
	defer resume()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- table.Insert(ctx, ship("gone")) }()
	waitQueued(t, db, 1)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v while the writer was busy, want the context's error", err)
	}
	resume()
	if err := table.Insert(t.Context(), ship("stays")); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Get(t.Context(), "gone"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the skipped write gives %v, want not found", err)
	}
}

func TestCallersWaitForAPlaceInTheQueueAsLongAsTheirContextLasts(t *testing.T) {
	db, table := openShips(t)
	resume := halt(t, db)
	defer resume()
	var wg sync.WaitGroup
	for i := range queueLength {
		wg.Go(func() {
			if err := table.Insert(t.Context(), ship(fmt.Sprint(i))); err != nil {
				t.Errorf("insert %d: %v", i, err)
			}
		})
	}
	waitQueued(t, db, queueLength)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := table.Insert(ctx, ship("late")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("with a full queue: %v, want the context's error", err)
	}
	resume()
	wg.Wait()
}

func TestCloseWaitsAlsoForThoseWithoutAPlaceInTheQueue(t *testing.T) {
	db, table := openShips(t)
	resume := halt(t, db)
	defer resume()
	var wg sync.WaitGroup
	for i := range queueLength + 10 {
		wg.Go(func() {
			// Those that come too late are told so.
			if err := table.Insert(t.Context(), ship(fmt.Sprint(i))); err != nil && !errors.Is(err, errClosed) {
				t.Errorf("insert %d: %v", i, err)
			}
		})
	}
	waitQueued(t, db, queueLength)
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	for deadline := time.Now().Add(20 * time.Second); !errors.Is(db.enter(t.Context()), errClosed); time.Sleep(time.Millisecond) {
		db.leave()
		if time.Now().After(deadline) {
			t.Fatal("Close did not begin")
		}
	}
	resume()
	wg.Wait()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

func TestDocumentWaitsFromItsOldestEventThatIsLeft(t *testing.T) {
	_, table := openShips(t)
	write := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	event := func(id string) []store.Event { return []store.Event{{ID: id}} }
	write(table.Insert(t.Context(), store.Record{ID: "a", Outbox: event("1")}))
	write(table.Insert(t.Context(), store.Record{ID: "c", Outbox: event("2")}))
	write(table.Replace(t.Context(), store.Record{ID: "a", Version: 1, Outbox: event("3")}))
	write(table.Insert(t.Context(), store.Record{ID: "b", Outbox: event("4")}))
	write(table.Settle(t.Context(), []store.Waiting{{DocumentID: "a", Events: event("1")}}))
	waiting, err := table.Claim(t.Context(), 3, time.Minute)
	write(err)
	var order string
	for _, w := range waiting {
		order += w.DocumentID
	}
	if order != "cab" {
		t.Fatalf("claimed in the order %s, want cab", order)
	}
}

func TestLogStaysBoundedUnderWritersAndReaders(t *testing.T) {
	db, table := openShips(t)
	var (
		writers, readers sync.WaitGroup
		stop             = make(chan struct{})
	)
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := table.Find(t.Context(), store.Query{Limit: 20}); err != nil {
					t.Errorf("find: %v", err)
					return
				}
			}
		})
	}
	const perWriter, size = 100, 64 << 10
	var largest atomic.Int64
	for w := range 16 {
		writers.Go(func() {
			for i := range perWriter {
				r := ship(fmt.Sprintf("%d-%d", w, i))
				r.Body = make([]byte, size)
				if err := table.Insert(t.Context(), r); err != nil {
					t.Errorf("insert: %v", err)
					return
				}
				if info, err := os.Stat(db.writer.path + "-wal"); err == nil && info.Size() > largest.Load() {
					largest.Store(info.Size())
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if largest.Load() > logBytes+2*groupBytes {
		t.Fatalf("the log grew to %d MiB", largest.Load()>>20)
	}
	t.Logf("%d MiB written, the log grew to %d MiB", 16*perWriter*size>>20, largest.Load()>>20)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(db.writer.path + "-wal"); err == nil && info.Size() > 0 {
		t.Fatalf("closing left a log of %d bytes", info.Size())
	}
}
