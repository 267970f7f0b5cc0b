package serve_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// voyage adds a voyage to a new vessel and returns its id. Its calls are a day apart; the first departure is in two days.
func (h *house) voyage(token string, teu int, ports ...string) string {
	h.t.Helper()
	return h.voyageUntil(token, teu, time.Time{}, ports...)
}

// voyageUntil is voyage with a cut-off.
func (h *house) voyageUntil(token string, teu int, cutOff time.Time, ports ...string) string {
	h.t.Helper()
	vessel := h.call(http.StatusCreated, "POST", "/vessels", token, object{"name": "Test", "capacity": teu, "max_weight": 1_000_000, "open_sailing": false})
	calls := make([]object, len(ports))
	for i, port := range ports {
		at := time.Now().UTC().Add(time.Duration(i+2) * 24 * time.Hour)
		calls[i] = object{"port": port, "arrival": at.Add(-time.Hour), "departure": at}
	}
	body := object{"number": strings.Join(ports, "-"), "calls": calls}
	if !cutOff.IsZero() {
		body["cut_off"] = cutOff
	}
	return h.call(http.StatusCreated, "POST", "/vessels/"+vessel.text("vessel", "id")+"/voyages", token, body).text("voyage", "id")
}

// found are the ids of the voyages that a search finds.
func (h *house) found(token, query string) []string {
	h.t.Helper()
	var ids []string
	for _, v := range h.all("/voyages?limit=200&"+query, "voyages", token) {
		ids = append(ids, v["id"].(string))
	}
	return ids
}

func routed(from, to string) object {
	b := booking(1)
	b["from"], b["to"] = from, to
	return b
}

func TestAVoyageFromItsSearchToItsEnd(t *testing.T) {
	h := open(t, testConfig(t))
	carrier, owner := h.person("carrier@example.com", "carrier")
	_, stranger := h.person("stranger@example.com", "carrier")
	_, shipper := h.person("shipper@example.com", "shipper")
	voyage := h.voyage(owner, 10, "CNSHA", "SGSIN", "NLRTM")
	back := h.voyage(owner, 10, "NLRTM", "CNSHA")

	for query, want := range map[string][]string{
		"from=CNSHA&to=NLRTM":                   {voyage},
		"from=cnsha&teu=10&open=true":           {voyage},
		"from=CNSHA&to=NLRTM&teu=11":            nil,
		"to=CNSHA":                              {back},
		"from=SGSIN&to=NLRTM&weight=1000000":    {voyage},
		"from=CNSHA&after=2126-01-01T00:00:00Z": nil,
		"open=true":                             {back, voyage},
	} {
		if got := h.found(shipper, query); !slices.Equal(got, want) {
			t.Errorf("%s: found %v, want %v", query, got, want)
		}
	}
	var ids []string
	for range 3 {
		a := h.call(http.StatusCreated, "POST", "/consignments", shipper, routed("CNSHA", "NLRTM"))
		if a.text("consignment", "voyage_id") != voyage {
			t.Errorf("booked on %s", a.raw)
		}
		ids = append(ids, a.text("consignment", "id"))
	}

	h.call(http.StatusForbidden, "POST", "/voyages/"+voyage+"/close", stranger, nil)
	h.call(http.StatusForbidden, "POST", "/voyages/"+voyage+"/close", shipper, nil)
	h.call(http.StatusNotFound, "POST", "/voyages/nope/close", owner, nil)
	for range 2 {
		if a := h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/close", owner, nil); a.text("voyage", "state") != "CLOSED" {
			t.Errorf("closed: %s", a.raw)
		}
	}
	direct := routed("CNSHA", "NLRTM")
	direct["voyage_id"] = voyage
	if a := h.call(http.StatusConflict, "POST", "/consignments", shipper, direct); a.text("code") != "wrong_state" {
		t.Errorf("booked on the closed voyage: %s", a.raw)
	}
	if a := h.call(http.StatusConflict, "POST", "/consignments", shipper, routed("CNSHA", "NLRTM")); a.text("code") != "no_capacity" {
		t.Errorf("booked where nothing is open: %s", a.raw)
	}
	if got := h.found(shipper, "open=false"); !slices.Equal(got, []string{voyage}) {
		t.Errorf("not open: %v", got)
	}
	h.call(http.StatusOK, "POST", "/consignments/"+ids[2]+"/cancel", shipper, nil) // until the ship has sailed

	if a := h.call(http.StatusConflict, "POST", "/voyages/"+voyage+"/complete", owner, nil); a.text("code") != "wrong_state" {
		t.Errorf("completed before it departed: %s", a.raw)
	}
	if a := h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/depart", owner, nil); a.text("voyage", "state") != "DEPARTED" {
		t.Errorf("departed: %s", a.raw)
	}
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	a := h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/complete", owner, nil, "traceparent", "00-"+traceID+"-b7ad6b7169203331-01")
	if a.text("voyage", "state") != "COMPLETED" {
		t.Errorf("completed: %s", a.raw)
	}
	for i, want := range []string{"COMPLETED", "COMPLETED", "CANCELLED"} {
		await(t, "consignment "+want, func() bool {
			return h.call(http.StatusOK, "GET", "/consignments/"+ids[i], shipper, nil).text("consignment", "state") == want
		})
	}
	await(t, "the shipper's log entry", func() bool {
		entries := h.all("/logs?action=completed&entity_id="+ids[0], "entries", shipper)
		return len(entries) == 1 && entries[0]["actor_id"] == carrier && entries[0]["via"] == "consignment" && entries[0]["trace_id"] == traceID
	})
	await(t, "the voyage's log entries", func() bool {
		var actions []string
		for _, e := range h.all("/logs?entity_id="+voyage, "entries", owner) {
			actions = append(actions, e["action"].(string))
		}
		slices.Sort(actions)
		return slices.Equal(actions, []string{"closed", "completed", "departed", "opened"})
	})
}

func TestAfterTheCutOffNothingIsBooked(t *testing.T) {
	h := open(t, testConfig(t))
	_, token := h.person("ada@example.com")
	cutOff := time.Now().Add(3 * time.Second)
	voyage := h.voyageUntil(token, 10, cutOff, "CNSHA", "NLRTM")
	a := h.call(http.StatusOK, "GET", "/voyages/"+voyage, token, nil)
	if at, err := time.Parse(time.RFC3339, a.text("voyage", "cut_off")); err != nil || !at.Equal(cutOff) {
		t.Errorf("its cut-off is %q", a.text("voyage", "cut_off"))
	}
	await(t, "the cut-off", func() bool {
		return h.call(http.StatusOK, "GET", "/voyages/"+voyage, token, nil).text("voyage", "state") == "CLOSED"
	})
	if early := time.Until(cutOff); early > 0 {
		t.Errorf("it closed %s too early", early)
	}
	b := booking(1)
	b["voyage_id"] = voyage
	if a := h.call(http.StatusConflict, "POST", "/consignments", token, b); a.text("code") != "wrong_state" {
		t.Errorf("got %s", a.raw)
	}
}

func TestWhatHasSailedCannotBeCancelled(t *testing.T) {
	h := open(t, testConfig(t))
	_, token := h.person("ada@example.com")
	voyage := h.voyage(token, 10, "CNSHA", "NLRTM")
	id := h.call(http.StatusCreated, "POST", "/consignments", token, routed("CNSHA", "NLRTM")).text("consignment", "id")
	h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/depart", token, nil)
	if a := h.call(http.StatusConflict, "POST", "/consignments/"+id+"/cancel", token, nil); a.text("code") != "wrong_state" {
		t.Errorf("got %s", a.raw)
	}
	if used, _ := h.used(token, voyage); used != 1 {
		t.Errorf("%v TEU are used", used)
	}
}

func TestAVoyageThatEndedIsCompletedAfterARestart(t *testing.T) {
	cfg := testConfig(t)
	h := open(t, cfg)
	_, token := h.person("ada@example.com")
	voyage := h.voyage(token, 100, "CNSHA", "NLRTM")
	const bookings = 20
	for range bookings {
		h.call(http.StatusCreated, "POST", "/consignments", token, routed("CNSHA", "NLRTM"))
	}
	h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/depart", token, nil)
	h.call(http.StatusOK, "POST", "/voyages/"+voyage+"/complete", token, nil)
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h = open(t, cfg)
	await(t, "the consignments", func() bool {
		return len(h.all("/consignments?state=COMPLETED&voyage_id="+voyage, "consignments", token)) == bookings
	})
}
