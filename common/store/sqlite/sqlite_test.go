package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/common/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.DB, func() store.DB) {
		path := filepath.Join(t.TempDir(), "service.db")
		db := open(t, path)
		return db, func() store.DB {
			_ = db.Close() // The test may have closed it.
			db = open(t, path)
			return db
		}
	})
}

// open opens a database that is closed with the test.
func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // Closing again is an error without effect.
	return db
}

func TestOpenRefusesWithOneSentence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(dir, "read-only")
	if err := os.Mkdir(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken.db")
	open(t, taken)
	for _, tt := range []struct {
		name, path, want string
		asRoot           bool
	}{
		{"taken", taken, "is open in another process", true},
		{"folder that cannot be made", filepath.Join(file, "sub", "x.db"), "cannot be made", true},
		{"folder that cannot be written", filepath.Join(readOnly, "x.db"), "cannot be written", false},
		{"folder in place of the file", readOnly, "is a directory", true},
		{"not a database", file, "not a database", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.asRoot && os.Geteuid() == 0 {
				t.Skip("nothing is forbidden to root")
			}
			_, err := sqlite.Open(t.Context(), tt.path, sqlite.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Fatalf("got %q, want %q and the path", err, tt.want)
			}
			if strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("%q is more than one line", err)
			}
		})
	}
}

func TestRefusedOpenLeavesTheFileFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil {
		t.Fatal("took a file that is no database")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	db := open(t, filepath.Join(dir, "with spaces, 100%?#&.db"))
	if err := db.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("found %q, %v; want the database, its log, its index and its lock", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", file, info.Mode(), err)
		}
	}
}

func TestLeasesEndByTheInjectedClock(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "service.db"), sqlite.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	table, err := db.Table(t.Context(), store.Schema{Name: "ships"})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Insert(t.Context(), store.Record{ID: "a", Body: []byte(`1`), Outbox: []store.Event{{ID: "e"}}}); err != nil {
		t.Fatal(err)
	}
	claimed := func() int {
		waiting, err := table.Claim(t.Context(), 1, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return len(waiting)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 0}, {time.Minute - 1, 0}, {1, 1}, {time.Minute - 1, 0}} {
		mu.Lock()
		now = now.Add(step.after)
		mu.Unlock()
		if got := claimed(); got != step.want {
			t.Fatalf("at %v: claimed %d, want %d", clock(), got, step.want)
		}
	}
}

func TestClosedDatabaseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	db := open(t, filepath.Join(t.TempDir(), "service.db"))
	table, err := db.Table(t.Context(), store.Schema{Name: "ships"})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Insert(t.Context(), store.Record{ID: "a", Body: []byte(`1`), Outbox: []store.Event{{ID: "e"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Claim(t.Context(), 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err == nil || errors.Is(err, os.ErrClosed) {
		t.Fatalf("closing twice gives %v, want an error of its own", err)
	}
	goleak.VerifyNone(t, before)
}

func TestHealthNoticesThatItsFileWasRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := db.Health(t.Context()); err == nil {
		t.Error("a removed file is healthy")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Health(t.Context()); err == nil {
		t.Error("another file under the path is healthy")
	}
}

func TestStatsCountDocumentsAndCommits(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "service.db"))
	table, err := db.Table(t.Context(), store.Schema{Name: "ships"})
	if err != nil {
		t.Fatal(err)
	}
	before := db.Stats()
	list := []store.Record{{ID: "a", Body: []byte(`1`)}, {ID: "b", Body: []byte(`1`)}, {ID: "a", Body: []byte(`2`)}}
	if n, err := table.InsertMany(t.Context(), list); n != 2 || !store.IsDuplicate(err, store.ByID) {
		t.Fatalf("%d added, %v", n, err)
	}
	if err := table.Delete(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	if now := db.Stats(); now.Documents-before.Documents != 3 || now.Commits-before.Commits != 2 {
		t.Errorf("from %+v to %+v", before, now)
	}
}

func TestAnIndexDoesNotBecomeUniqueUnnoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	for i, unique := range []bool{true, false, true} {
		db := open(t, path)
		_, err := db.Table(t.Context(), store.Schema{Name: "ships", Indexes: []store.IndexSchema{{Name: "imo", Unique: unique}}})
		if changed := i == 1; (err != nil) != changed || changed && (fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "ships.imo")) {
			t.Errorf("unique %t: %v", unique, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
