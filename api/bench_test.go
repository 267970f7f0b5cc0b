package api_test

import (
	"strings"
	"testing"
)

func BenchmarkBookingOf500Containers(b *testing.B) {
	bench := newBench(b, noConfig)
	body := `{"weight":1,"containers":[{"type":"22G1","origin":"Derby"}` + strings.Repeat(`,{"type":"42G1","customer_id":"cust001"}`, 499) + `]}`
	for b.Loop() {
		if w := bench.do("POST", "/api/v1/consignments", body); w.Code != 201 {
			b.Fatal(w.Body)
		}
	}
}
