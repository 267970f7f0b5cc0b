package sqlite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
)

var body600 = append(append([]byte(`{"d":"`), bytes.Repeat([]byte("x"), 592)...), `"}`...)

func benchTable(b *testing.B) store.Table {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	t, err := db.Table(b.Context(), store.Schema{Name: "consignments", Indexes: []store.IndexSchema{{Name: "owner"}}})
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func record(owner string) store.Record {
	return store.Record{
		ID: uuid.Must(uuid.NewV7()).String(), Body: body600,
		Keys: map[string][]store.Key{"owner": {{Match: owner}}},
	}
}

// BenchmarkInsert measures durable inserts of 600 B documents with one index entry, with and without an event.
func BenchmarkInsert(b *testing.B) {
	for _, withEvent := range []bool{false, true} {
		for _, writers := range []int{1, 32, 128} {
			b.Run(fmt.Sprintf("event=%v/writers=%d", withEvent, writers), func(b *testing.B) {
				table := benchTable(b)
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				b.ResetTimer()
				for w := range writers {
					wg.Go(func() {
						owner := fmt.Sprintf("owner-%d", w)
						for left.Add(-1) >= 0 {
							r := record(owner)
							if withEvent {
								r.Outbox = []store.Event{{ID: uuid.NewString(), Body: body600[:300]}}
							}
							if err := table.Insert(b.Context(), r); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "inserts/s")
			})
		}
	}
}

// BenchmarkGet measures point reads in a collection of 20,000 documents.
func BenchmarkGet(b *testing.B) {
	table := benchTable(b)
	ids := make([]string, 20_000)
	var wg sync.WaitGroup
	for w := range 100 {
		wg.Go(func() {
			for i := w; i < len(ids); i += 100 {
				r := record("owner")
				ids[i] = r.ID
				if err := table.Insert(b.Context(), r); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.Run("readers=1", func(b *testing.B) {
		for i := range b.N {
			if _, err := table.Get(b.Context(), ids[i*7919%len(ids)]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	})
	b.Run("readers=many", func(b *testing.B) {
		var n atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := table.Get(b.Context(), ids[int(n.Add(1))*7919%len(ids)]); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	})
}
