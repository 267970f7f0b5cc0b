package log

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkAppend measures durable appends of events of many bookings, each with two readers.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 64, 128} {
		b.Run(fmt.Sprintf("appenders=%d", appenders), func(b *testing.B) {
			l := openLog(b, newDB(b))
			var left atomic.Int64
			left.Store(int64(b.N))
			var wait sync.WaitGroup
			b.ResetTimer()
			for range appenders {
				wait.Go(func() {
					for n := left.Add(-1); n >= 0; n = left.Add(-1) {
						e := booking(fmt.Sprintf("0193e7d2-0000-7000-8000-%012d", n/2), n%2+1)
						if err := l.append(b.Context(), e); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
