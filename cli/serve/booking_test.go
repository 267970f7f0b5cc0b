package serve_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestFreightIsBookedFromSignUpToLogEntryInOneTrace(t *testing.T) {
	h := open(t, testConfig(t))
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	user, token := h.person("ada@example.com")
	vessel := h.call(http.StatusCreated, "POST", "/vessels", token, object{"name": "Meridian", "capacity": 500, "max_weight": 200000})
	if vessel.at("created") != true || vessel.text("vessel", "id") == "" {
		t.Errorf("vessel %s", vessel.raw)
	}
	booked := h.call(http.StatusCreated, "POST", "/consignments", token, booking(3), "traceparent", "00-"+traceID+"-b7ad6b7169203331-01")
	if booked.at("created") != true || booked.text("consignment", "vessel_id") != vessel.text("vessel", "id") || booked.text("consignment", "state") != "CONFIRMED" {
		t.Errorf("booked %s", booked.raw)
	}
	if got := booked.header.Get("X-Trace-Id"); got != traceID {
		t.Errorf("X-Trace-Id is %q", got)
	}
	id := booked.text("consignment", "id")
	await(t, "the log entries", func() bool {
		return len(h.all("/logs?entity_id="+id, "entries", token)) == 2
	})
	for _, e := range h.all("/logs?trace_id="+traceID, "entries", token) {
		if e["entity_id"] != id || e["actor_id"] != user || e["trace_id"] != traceID {
			t.Errorf("entry %v", e)
		}
	}
	seen := map[any]int{}
	for _, e := range h.all("/logs?limit=200", "entries", token) {
		seen[fmt.Sprint(e["entity_type"], ".", e["action"])]++
	}
	for _, want := range []string{"user.created", "vessel.created", "voyage.opened", "consignment.received", "consignment.confirmed"} {
		if seen[want] != 1 {
			t.Errorf("%s is logged %d times", want, seen[want])
		}
	}
}

func TestTheOriginalPathsStillWork(t *testing.T) {
	h := open(t, testConfig(t))
	h.call(http.StatusCreated, "POST", "/user/sign", "", object{"id": "x", "name": "Old", "email": "old@example.com", "password": "a good password"})
	a := h.call(http.StatusOK, "POST", "/user/login", "", object{"email": "old@example.com", "password": "a good password"})
	h.call(http.StatusOK, "GET", "/users/me", a.text("token"), nil)
}

func TestTwoHundredBookersOnAVesselForOneHundred(t *testing.T) {
	h := open(t, testConfig(t))
	_, token := h.person("ada@example.com")
	voyage := h.vessel(token, 100, 100_000_000)
	bookAll := func(n int) (created []string, refused int) {
		t.Helper()
		var mu sync.Mutex
		var wait sync.WaitGroup
		for range n {
			wait.Go(func() {
				a, err := send(t.Context(), "POST", h.base+"/consignments", token, booking(1))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case a.status == http.StatusCreated:
					created = append(created, a.text("consignment", "id"))
				case a.status == http.StatusConflict && a.text("code") == "no_capacity":
					refused++
				default:
					t.Errorf("status %d: %s", a.status, a.raw)
				}
			})
		}
		wait.Wait()
		return created, refused
	}
	expect := func(what string, created, refused, wantCreated, wantRefused int, wantUsed float64) {
		t.Helper()
		used, _ := h.used(token, voyage)
		t.Logf("%s: %d created, %d refused, used %v TEU", what, created, refused, used)
		if created != wantCreated || refused != wantRefused || used != wantUsed {
			t.Errorf("%s: want %d created, %d refused, used %v", what, wantCreated, wantRefused, wantUsed)
		}
	}
	created, refused := bookAll(200)
	expect("200 bookings", len(created), refused, 100, 100, 100)

	var wait sync.WaitGroup
	var cancelled atomic.Int32
	for _, id := range created[:40] {
		wait.Go(func() {
			a, err := send(t.Context(), "POST", h.base+"/consignments/"+id+"/cancel", token, nil)
			if err == nil && a.status == http.StatusOK && a.text("consignment", "state") == "CANCELLED" {
				cancelled.Add(1)
			} else {
				t.Errorf("cancel: %v, %s", err, a.raw)
			}
		})
	}
	wait.Wait()
	expect("40 cancellations", int(cancelled.Load()), 0, 40, 0, 60)

	created, refused = bookAll(60)
	expect("60 more bookings", len(created), refused, 40, 20, 100)

	if n := len(h.all("/consignments?state=REJECTED&limit=200", "consignments", token)); n != 120 {
		t.Errorf("%d rejected bookings are visible, want 120", n)
	}
	if n := len(h.all("/consignments?state=CONFIRMED&voyage_id="+voyage+"&limit=7", "consignments", token)); n != 100 {
		t.Errorf("%d confirmed bookings on the voyage, want 100", n)
	}
}

func TestAStrangerSeesNothing(t *testing.T) {
	h := open(t, testConfig(t))
	carrier, carrierToken := h.person("carrier@example.com", "carrier")
	_, shipperToken := h.person("shipper@example.com", "shipper")
	_, stranger := h.person("stranger@example.com")
	h.vessel(carrierToken, 10, 100_000)
	id := h.call(http.StatusCreated, "POST", "/consignments", shipperToken, booking(1)).text("consignment", "id")

	h.call(http.StatusOK, "GET", "/consignments/"+id, carrierToken, nil)
	h.call(http.StatusNotFound, "GET", "/consignments/"+id, stranger, nil)
	h.call(http.StatusNotFound, "POST", "/consignments/"+id+"/cancel", stranger, nil)
	h.call(http.StatusForbidden, "POST", "/consignments/"+id+"/cancel", carrierToken, nil)
	h.call(http.StatusForbidden, "POST", "/consignments", carrierToken, booking(1))
	h.call(http.StatusForbidden, "POST", "/vessels", shipperToken, object{"name": "x", "capacity": 1, "max_weight": 1})
	h.call(http.StatusNotFound, "GET", "/users/"+carrier, stranger, nil)
	h.call(http.StatusForbidden, "GET", "/users", stranger, nil)
	await(t, "the log", func() bool { return len(h.all("/logs?entity_id="+id, "entries", shipperToken)) == 2 })
	if n := len(h.all("/logs?entity_id="+id, "entries", stranger)); n != 0 {
		t.Errorf("a stranger sees %d log entries", n)
	}
	if n := len(h.all("/consignments?limit=10", "consignments", stranger)); n != 0 {
		t.Errorf("a stranger sees %d consignments", n)
	}
}

func TestWhatWasBookedIsThereAfterARestart(t *testing.T) {
	cfg := testConfig(t)
	h := open(t, cfg)
	_, token := h.person("ada@example.com")
	voyage := h.vessel(token, 10, 100_000)
	id := h.call(http.StatusCreated, "POST", "/consignments", token, booking(2)).text("consignment", "id")
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h = open(t, cfg)
	if got := h.call(http.StatusOK, "GET", "/consignments/"+id, token, nil).text("consignment", "state"); got != "CONFIRMED" {
		t.Errorf("it is %s", got)
	}
	if used, _ := h.used(token, voyage); used != 2 {
		t.Errorf("used %v", used)
	}
	await(t, "the log", func() bool { return len(h.all("/logs?entity_id="+id, "entries", token)) == 2 })
}

func TestStoppingLeavesNothingRunning(t *testing.T) {
	// hystrix-go's circuits live until the process ends, and HTTP keeps idle connections for a while.
	ignore := []goleak.Option{
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/afex/hystrix-go/hystrix.(*metricExchange).Monitor"),
		goleak.IgnoreAnyFunction("github.com/afex/hystrix-go/hystrix.(*poolMetrics).Monitor"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/registry.(*Registry).ttlPrune"),
	}
	h := open(t, testConfig(t))
	_, token := h.person("ada@example.com")
	h.vessel(token, 10, 100_000)
	h.call(http.StatusCreated, "POST", "/consignments", token, booking(1))
	start := time.Now()
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("an idle Fairway took %s to stop", took)
	}
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, ignore...)
}
