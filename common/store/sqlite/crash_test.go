package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
)

// crashFile names the database that a copy of this test program writes to until it is killed.
const crashFile = "FAIRWAY_TEST_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var crashSchema = store.Schema{Name: "bookings", Indexes: []store.IndexSchema{{Name: "number", Unique: true}, {Name: "owner"}}}

// writeUntilKilled inserts from 32 goroutines and prints every id once its insert was answered. Every second document is
// replaced as well; the print says so.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	table, err := db.Table(ctx, crashSchema)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	failed := make(chan error)
	for w := range 32 {
		go func() {
			for i := 0; ; i++ {
				r := store.Record{
					ID: fmt.Sprintf("%02d-%06d", w, i), Body: []byte(`{"padding":"` + strings.Repeat("x", 600) + `"}`),
					Keys: map[string][]store.Key{
						"number": {{Match: fmt.Sprintf("number %02d-%06d", w, i)}},
						"owner":  {{Match: "first"}},
					},
					Outbox: []store.Event{{ID: "made", Body: []byte(`{}`)}},
				}
				err := table.Insert(ctx, r)
				done := "inserted"
				if err == nil && i%2 == 0 {
					r.Version, r.Outbox = 1, []store.Event{{ID: "sold", Body: []byte(`{}`)}}
					r.Keys["owner"] = []store.Key{{Match: "second"}, {Match: "third"}}
					err = table.Replace(ctx, r)
					done = "replaced"
				}
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(done, r.ID)
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

func TestNothingAnsweredIsLostWhenTheProcessIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service.db")
	answered := map[string]string{}
	const rounds, perRound = 2, 1500
	for range rounds {
		clear(answered)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		for _, rest := range []string{"-wal", "-shm"} {
			if err := os.RemoveAll(path + rest); err != nil {
				t.Fatal(err)
			}
		}
		runAndKill(t, path, perRound, answered)
		checkAfterCrash(t, path, answered)
	}
}

// runAndKill lets the writing program answer that many writes, kills it, and collects all that it had printed by then.
func runAndKill(t *testing.T, path string, enough int, answered map[string]string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { _ = child.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		// The kill can cut the last line short.
		if done, id, ok := strings.Cut(lines.Text(), " "); ok && len(id) == len("00-000000") {
			answered[id] = done
		}
		switch len(answered) {
		case enough / 2:
			_, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if !errors.Is(err, sqlite.ErrInUse) {
				t.Errorf("opening what another process has open: %v", err)
			}
		case enough:
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // It was killed.
	if len(answered) < enough {
		t.Fatalf("the program answered only %d writes", len(answered))
	}
}

func checkAfterCrash(t *testing.T, path string, answered map[string]string) {
	t.Helper()
	db := open(t, path)
	table, err := db.Table(t.Context(), crashSchema)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	waiting, err := table.Claim(t.Context(), 1_000_000, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range waiting {
		events[w.DocumentID] = len(w.Events)
	}
	versions := map[string]int64{}
	all := 0
	for q := (store.Query{Limit: store.MaxBatch}); ; {
		found, err := table.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			versions[r.ID] = r.Version
			all += int(r.Version)
			if events[r.ID] != int(r.Version) {
				t.Errorf("%s is at version %d with %d events", r.ID, r.Version, events[r.ID])
			}
		}
		if len(found) < q.Limit {
			break
		}
		q.After = found[len(found)-1].At
	}
	for id, done := range answered {
		if want := map[string]int64{"inserted": 1, "replaced": 2}[done]; versions[id] < want {
			t.Errorf("%s was answered as %s, but is at version %d", id, done, versions[id])
		}
	}
	if n, err := table.Depth(t.Context()); n != all || err != nil {
		t.Errorf("%d events wait, %v, want %d", n, err, all)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkIndexes(t, path, versions)
	t.Logf("%d answered, %d there", len(answered), len(versions))
}

// checkIndexes compares the index tables with the documents, both ways.
func checkIndexes(t *testing.T, path string, versions map[string]int64) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	entries := func(index string) map[string][]string {
		rows, err := raw.Query(`SELECT id, match FROM "ix_bookings.` + index + `" ORDER BY id, match`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		list := map[string][]string{}
		for rows.Next() {
			var id, match string
			if err := rows.Scan(&id, &match); err != nil {
				t.Fatal(err)
			}
			list[id] = append(list[id], match)
		}
		return list
	}
	numbers, owners := entries("number"), entries("owner")
	if len(numbers) != len(versions) || len(owners) != len(versions) {
		t.Errorf("the indexes hold %d and %d documents, want %d", len(numbers), len(owners), len(versions))
	}
	for id, version := range versions {
		owner := map[int64]string{1: "[first]", 2: "[second third]"}[version]
		if fmt.Sprint(numbers[id]) != "[number "+id+"]" || fmt.Sprint(owners[id]) != owner {
			t.Errorf("%s at version %d is found under %v and %v", id, version, numbers[id], owners[id])
		}
	}
	var verdict string
	if err := raw.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}
