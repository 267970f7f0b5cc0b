package serve_test

import (
	"net/http"
	"testing"
)

// BenchmarkBooking measures durable bookings over HTTP by 128 callers on one sailing, the load generator included.
func BenchmarkBooking(b *testing.B) {
	cfg := testConfig(b)
	h := open(b, cfg)
	_, token := h.person("ada@example.com")
	voyage := h.vessel(token, 1_000_000, 2_000_000_000)
	body := booking(1)
	body["voyage_id"] = voyage
	body["weight"] = 1
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256 // else connections, not bookings, are measured
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a, err := send(b.Context(), "POST", h.base+"/consignments", token, body)
			if err != nil || a.status != http.StatusCreated {
				b.Errorf("status %d: %s, %v", a.status, a.raw, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bookings/s")
}
