package prove_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// defect is a promise that the fake breaks.
type defect string

const (
	none               defect = ""
	forgetsBookings    defect = "a booking that was confirmed is gone"
	forgetsCancels     defect = "a cancellation that was answered did not happen"
	booksTwice         defect = "one request makes two bookings"
	booksUnasked       defect = "a booking that nobody asked for"
	oversells          defect = "bookings are taken without a look at the room"
	oversellsInBetween defect = "a voyage is oversold for a moment"
	keepsRoom          defect = "a cancellation gives no room back"
	keepsWeight        defect = "a cancellation gives back a kilogram too little"
	chargesAllLegs     defect = "a booking takes room on legs that it does not travel"
	leavesHalfDone     defect = "a booking stays RECEIVED"
	skipsLog           defect = "a change has no entry in the log"
	skipsVersion       defect = "the log has a version that the booking never had"
	logsTwice          defect = "a change has two entries"
	listsEntryTwice    defect = "an entry is listed twice"
	hidesReplays       defect = "a replay does not say so"
	ignoresKeys        defect = "a repeated request is carried out again"
	ignoresBodies      defect = "another body under the same key is answered"
	dropsRejected      defect = "a refused booking is not kept"
	reopens            defect = "a voyage that was answered to be closed is open"
	booksClosed        defect = "a closed voyage takes bookings"
	changesBookings    defect = "a booking is not what was asked for"
	fails              defect = "500 though nothing was killed"
	panics             defect = "an error shows a panic"
	plainErrors        defect = "an error is not a problem document"
	untraced           defect = "an answer has no trace id"
	hangsUp            defect = "a connection breaks though nothing was killed"
	forgetsRetryAfter  defect = "503 without Retry-After"
	showsStrangers     defect = "a stranger can read a booking"
	listsStrangers     defect = "a stranger is listed the bookings of others"
	logsStrangers      defect = "a stranger can read the log of a booking"
	pagesOverlap       defect = "a page repeats the last item of the one before"
)

// every is how often a defect shows: not at all would be caught by any check.
const every = 4

// fake is the part of Fairway's API that prove uses, in memory, and right but for one defect.
type fake struct {
	defect defect
	// killed is a file: when somebody makes it, the next answers are lost after their requests were carried out.
	killed string

	mu           sync.Mutex
	ids, shown   int
	losing       int
	users        map[string]string // token of an e-mail
	vessels      map[string]*fakeVoyage
	voyages      []*fakeVoyage
	consignments []*fakeConsignment
	entries      []fakeEntry
	keys         map[string]fakeAnswer
}

type object = map[string]any

type fakeVoyage struct {
	id, vessel, owner, state string
	ports                    []string
	capacity, kg             int64 // quarters, kg
	used, usedKg             []int64
	reads                    int
}

type fakeConsignment struct {
	id, owner, carrier, state, reason string
	body                              fakeBooking
	version                           int
	voyage                            *fakeVoyage
	first, end                        int
	quarters                          int64
}

type fakeBooking struct {
	Description string `json:"description"`
	Weight      int64  `json:"weight"`
	Containers  []struct {
		Type string `json:"type,omitempty"`
	} `json:"containers"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	VoyageID string `json:"voyage_id,omitempty"`
}

type fakeEntry struct {
	id, entity, action, reader string
	version                    int
}

type fakeAnswer struct {
	request string
	status  int
	body    any
}

func serveFake(t *testing.T, d defect) (*fake, string) {
	f := &fake{defect: d, killed: t.TempDir() + "/killed", users: map[string]string{}, vessels: map[string]*fakeVoyage{}, keys: map[string]fakeAnswer{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

// now and then a defect shows.
func (f *fake) now(d defect) bool {
	if f.defect != d {
		return false
	}
	f.shown++
	return f.shown%every == 0
}

func (f *fake) id(kind string) string {
	f.ids++
	return fmt.Sprintf("%s-%08d", kind, f.ids)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if os.Remove(f.killed) == nil {
		f.losing = 6
	}
	load := len(f.consignments) > 0
	if !(f.defect == untraced && load) {
		w.Header().Set("X-Trace-Id", fmt.Sprintf("%032x", f.ids))
	}
	status, body := f.answer(r, w.Header())
	if f.losing > 0 && r.Method == http.MethodPost || load && f.now(hangsUp) {
		f.losing--
		panic(http.ErrAbortHandler)
	}
	if load && f.now(fails) {
		status, body = http.StatusInternalServerError, f.problem(http.StatusInternalServerError, "internal")
	}
	if load && f.now(forgetsRetryAfter) {
		status, body = http.StatusServiceUnavailable, f.problem(http.StatusServiceUnavailable, "unavailable")
	}
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 && f.defect != plainErrors {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fake) problem(status int, code string) object {
	detail := "detail"
	if f.defect == panics {
		detail = "panic: runtime error"
	}
	return object{"type": "urn:test", "title": "Title", "status": status, "detail": detail, "code": code, "trace_id": fmt.Sprintf("%032x", f.ids)}
}

func (f *fake) refusal(status int, code string) (int, any) { return status, f.problem(status, code) }

// answer carries a request out, or replays its key.
func (f *fake) answer(r *http.Request, header http.Header) (int, any) {
	var raw json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&raw)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	key := r.Header.Get("Idempotency-Key")
	if key == "" || f.defect == ignoresKeys {
		return f.carryOut(r, token, raw)
	}
	request := r.URL.Path + string(raw)
	scope := token + " " + key
	if a, ok := f.keys[scope]; ok {
		if a.request != request && f.defect != ignoresBodies {
			return f.refusal(http.StatusUnprocessableEntity, "idempotency_key_reused")
		}
		if f.defect != hidesReplays {
			header.Set("Idempotent-Replayed", "true")
		}
		return a.status, a.body
	}
	status, body := f.carryOut(r, token, raw)
	f.keys[scope] = fakeAnswer{request, status, body}
	return status, body
}

func (f *fake) carryOut(r *http.Request, token string, raw json.RawMessage) (int, any) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	switch route := r.Method + " " + path[0]; {
	case route == "POST users":
		var b struct{ Email string }
		_ = json.Unmarshal(raw, &b)
		f.users[b.Email] = f.id("token")
		return 201, object{"user": object{}}
	case route == "POST sessions":
		var b struct{ Email string }
		_ = json.Unmarshal(raw, &b)
		return 200, object{"token": f.users[b.Email], "expires_at": time.Now().Add(12 * time.Hour)}
	case route == "POST vessels":
		return f.vessel(token, path, raw)
	case route == "POST voyages":
		return f.closeVoyage(path[1])
	case route == "GET voyages" && len(path) == 2:
		return 200, object{"voyage": f.show(f.voyage(path[1]), true)}
	case route == "GET voyages":
		return f.page(r, "voyages", len(f.voyages), func(i int) any { return f.show(f.voyages[i], false) })
	case route == "POST consignments" && len(path) == 3:
		return f.cancel(token, path[1])
	case route == "POST consignments":
		return f.book(token, raw)
	case route == "GET consignments" && len(path) == 2:
		c := f.find(path[1])
		if c == nil || c.owner != token && c.carrier != token && f.defect != showsStrangers {
			return f.refusal(404, "not_found")
		}
		return 200, object{"consignment": c.show()}
	case route == "GET consignments":
		return f.list(r, token)
	case route == "GET logs":
		return f.logs(r, token)
	}
	return f.refusal(404, "not_found")
}

func (f *fake) vessel(token string, path []string, raw json.RawMessage) (int, any) {
	if len(path) == 1 {
		var b struct {
			Capacity    int64
			MaxWeight   int64 `json:"max_weight"`
			OpenSailing bool  `json:"open_sailing"`
		}
		_ = json.Unmarshal(raw, &b)
		v := &fakeVoyage{vessel: f.id("vessel"), id: f.id("voyage"), owner: token, state: "OPEN", capacity: 4 * b.Capacity, kg: b.MaxWeight}
		f.vessels[v.vessel] = v
		if b.OpenSailing {
			f.sail(v)
		}
		return 201, object{"created": true, "vessel": object{"id": v.vessel}}
	}
	var b struct{ Calls []struct{ Port string } }
	_ = json.Unmarshal(raw, &b)
	v := f.vessels[path[1]]
	for _, c := range b.Calls {
		v.ports = append(v.ports, c.Port)
	}
	f.sail(v)
	return 201, object{"voyage": f.show(v, false)}
}

func (f *fake) sail(v *fakeVoyage) {
	v.used = make([]int64, max(1, len(v.ports)-1))
	v.usedKg = make([]int64, len(v.used))
	f.voyages = append(f.voyages, v)
}

func (f *fake) voyage(id string) *fakeVoyage {
	return f.voyages[slices.IndexFunc(f.voyages, func(v *fakeVoyage) bool { return v.id == id })]
}

func (f *fake) closeVoyage(id string) (int, any) {
	v := f.voyage(id)
	if f.defect == reopens {
		said := *v
		said.state = "CLOSED"
		return 200, object{"voyage": f.show(&said, false)}
	}
	v.state = "CLOSED"
	return 200, object{"voyage": f.show(v, false)}
}

func (f *fake) show(v *fakeVoyage, one bool) object {
	var legs []object
	if one {
		v.reads++
	}
	for i := range v.used {
		used := v.used[i]
		if f.defect == oversellsInBetween && v.reads == 1 && one {
			used = v.capacity + 1
		}
		legs = append(legs, object{
			"capacity": v.capacity / 4, "used": float64(used) / 4, "free": float64(v.capacity-used) / 4,
			"max_weight": v.kg, "used_weight": v.usedKg[i],
		})
	}
	return object{"id": v.id, "vessel_id": v.vessel, "state": v.state, "legs": legs}
}

func (f *fake) book(token string, raw json.RawMessage) (int, any) {
	c := &fakeConsignment{id: f.id("consignment"), owner: token, state: "CONFIRMED", version: 2}
	_ = json.Unmarshal(raw, &c.body)
	for _, b := range c.body.Containers {
		c.quarters += map[string]int64{"": 4, "22G1": 4, "42G1": 8, "45G1": 8, "L5G1": 9, "12G1": 2}[b.Type]
	}
	f.log(c, "received", 1)
	refusal := f.board(c)
	f.consignments = append(f.consignments, c)
	if refusal != "" {
		c.state, c.reason = "REJECTED", refusal
		f.log(c, "rejected", 2)
		if f.defect == dropsRejected {
			f.drop(c)
		}
		return f.refusal(409, refusal)
	}
	f.log(c, "confirmed", 2)
	answer := object{"created": true, "consignment": c.show()}
	switch {
	case f.now(forgetsBookings):
		f.count(c, -1)
		f.drop(c)
	case f.now(booksTwice), f.now(booksUnasked):
		twin := *c
		twin.id = f.id("consignment")
		if f.defect == booksUnasked {
			twin.body.Description = "something else"
		}
		f.count(&twin, +1)
		f.consignments = append(f.consignments, &twin)
		f.log(&twin, "received", 1)
		f.log(&twin, "confirmed", 2)
	case f.now(leavesHalfDone):
		c.state = "RECEIVED"
	case f.now(changesBookings):
		c.body.Weight++
	}
	return 201, answer
}

// board finds a voyage and takes the room on it.
func (f *fake) board(c *fakeConsignment) (refusal string) {
	refusal = "no_capacity"
	for _, v := range f.voyages {
		first, end := 0, len(v.used)
		if c.body.From != "" {
			first, end = slices.Index(v.ports, c.body.From), slices.Index(v.ports, c.body.To)
		}
		if c.body.VoyageID != "" && c.body.VoyageID != v.id || first < 0 || end <= first {
			continue
		}
		c.voyage, c.first, c.end, c.carrier = v, first, end, v.owner
		if v.state != "OPEN" && f.defect != booksClosed {
			refusal = "wrong_state"
			continue
		}
		if f.defect == chargesAllLegs {
			c.first, c.end = 0, len(v.used)
		}
		if f.defect == oversells || f.fits(c) {
			f.count(c, +1)
			return ""
		}
	}
	c.voyage, c.carrier = nil, ""
	return refusal
}

func (f *fake) fits(c *fakeConsignment) bool {
	for i := c.first; i < c.end; i++ {
		if c.voyage.used[i]+c.quarters > c.voyage.capacity || c.voyage.usedKg[i]+c.body.Weight > c.voyage.kg {
			return false
		}
	}
	return true
}

func (f *fake) count(c *fakeConsignment, sign int64) {
	for i := c.first; i < c.end; i++ {
		c.voyage.used[i] += sign * c.quarters
		c.voyage.usedKg[i] += sign * c.body.Weight
	}
}

func (f *fake) drop(c *fakeConsignment) {
	f.consignments = slices.DeleteFunc(f.consignments, func(o *fakeConsignment) bool { return o == c })
}

func (f *fake) find(id string) *fakeConsignment {
	for _, c := range f.consignments {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (f *fake) cancel(token, id string) (int, any) {
	c := f.find(id)
	if c == nil || c.owner != token {
		return f.refusal(404, "not_found")
	}
	if c.state == "CANCELLED" {
		return 200, object{"consignment": c.show()}
	}
	if f.now(forgetsCancels) {
		said := *c
		said.state = "CANCELLED"
		return 200, object{"consignment": said.show()}
	}
	c.state, c.version = "CANCELLED", 4
	f.log(c, "cancelled", 3)
	if !f.now(keepsRoom) {
		f.count(c, -1)
	}
	if f.now(keepsWeight) {
		c.voyage.usedKg[c.first]++
	}
	return 200, object{"consignment": c.show()}
}

func (c *fakeConsignment) show() object {
	shown := object{
		"id": c.id, "state": c.state, "reason": c.reason, "description": c.body.Description, "weight": c.body.Weight,
		"containers": c.body.Containers, "from": c.body.From, "to": c.body.To, "voyage_id": c.body.VoyageID, "version": c.version,
	}
	if c.voyage != nil {
		shown["voyage_id"] = c.voyage.id
	}
	return shown
}

func (f *fake) list(r *http.Request, token string) (int, any) {
	var own []*fakeConsignment
	query := r.URL.Query()
	state, voyage := query.Get("state"), query.Get("voyage_id")
	for _, c := range f.consignments {
		seen := c.owner == token || c.carrier == token || f.defect == listsStrangers
		if seen && (state == "" || c.state == state) && (voyage == "" || c.voyage != nil && c.voyage.id == voyage) {
			own = append(own, c)
		}
	}
	return f.page(r, "consignments", len(own), func(i int) any { return own[i].show() })
}

func (f *fake) log(c *fakeConsignment, action string, version int) {
	e := fakeEntry{f.id("entry"), c.id, action, c.owner, version}
	if f.now(skipsVersion) {
		e.version++
	}
	if f.now(skipsLog) {
		return
	}
	f.entries = append(f.entries, e)
	if f.now(logsTwice) {
		e.id = f.id("entry")
		f.entries = append(f.entries, e)
	}
	if f.now(listsEntryTwice) {
		f.entries = append(f.entries, e)
	}
}

func (f *fake) logs(r *http.Request, token string) (int, any) {
	var own []fakeEntry
	entity := r.URL.Query().Get("entity_id")
	for _, e := range f.entries {
		if (e.reader == token || f.defect == logsStrangers) && (entity == "" || e.entity == entity) {
			own = append(own, e)
		}
	}
	return f.page(r, "entries", len(own), func(i int) any {
		return object{"id": own[i].id, "entity_type": "consignment", "entity_id": own[i].entity, "action": own[i].action, "version": own[i].version}
	})
}

// page answers a page of n items, newest first. Its cursor is the index of the next.
func (f *fake) page(r *http.Request, name string, n int, item func(int) any) (int, any) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	at := n - 1
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		at, _ = strconv.Atoi(cursor)
	}
	items := []any{}
	limit = min(limit, 50) // a page may be shorter than asked for, and lists of a short load need several
	for ; at >= 0 && len(items) < limit; at-- {
		items = append(items, item(at))
	}
	answer := object{name: items}
	if at >= 0 {
		if f.defect == pagesOverlap && limit > 1 {
			at++
		}
		answer["next_cursor"] = strconv.Itoa(at)
	}
	return 200, answer
}
