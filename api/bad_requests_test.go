package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/api"
)

const (
	newUser      = "POST /users"
	sessions     = "POST /sessions"
	newVessel    = "POST /vessels"
	newVoyage    = "POST /vessels/s1/voyages"
	newBooking   = "POST /consignments"
	cancel       = "POST /consignments/c1/cancel"
	listBookings = "GET /consignments"
	listVoyages  = "GET /voyages"
	listLogs     = "GET /logs"
)

// TestBadRequests: each of these is refused with everything that is wrong with it named, and no service hears of it.
func TestBadRequests(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	user := func(fields string) string {
		return `{"name":"Ann","email":"ann@example.com","password":"secret7"` + fields + `}`
	}
	ship := func(fields string) string { return `{"name":"Anna","max_weight":1` + fields + `}` }
	cargo := func(fields string) string { return `{"weight":1` + fields + `}` }
	box := func(fields string) string { return `{"weight":1,"containers":[{},{` + fields + `}]}` }
	sail := func(fields string) string {
		return `{"number":"1","calls":[{"port":"CNSHA","departure":"2030-01-01T00:00:00Z"},{"port":"NLRTM"` + fields + `}]}`
	}
	const arrival = `,"arrival":"2030-02-01T00:00:00Z"`

	tests := []struct {
		name   string
		call   string
		body   string
		errors []string // "field rule"
	}{
		// The body as a whole.
		{"no body", newUser, "", []string{"body required"}},
		{"white space", newUser, " \n\t", []string{"body required"}},
		{"broken JSON", newUser, `{"name":`, []string{"body format"}},
		{"single quotes", newUser, `{'name':'Ann'}`, []string{"body format"}},
		{"trailing comma", newUser, `{"name":"Ann",}`, []string{"body format"}},
		{"comment", newUser, `{/* */}`, []string{"body format"}},
		{"byte order mark", newUser, "\xef\xbb\xbf{}", []string{"body format"}},
		{"two values", newUser, user("") + user(""), []string{"body format"}},
		{"trailing garbage", newUser, user("") + ` x`, []string{"body format"}},
		{"NUL after the value", newUser, user("") + "\x00", []string{"body format"}},
		{"array", newUser, `[` + user("") + `]`, []string{"body type"}},
		{"string", newUser, `"x"`, []string{"body type"}},
		{"number", sessions, `7`, []string{"body type"}},
		{"null", sessions, `null`, []string{"body type"}},
		{"bad UTF-8", newUser, user(`,"company":"` + "\xff" + `"`), []string{"body format"}},
		{"overlong UTF-8", newUser, user(`,"company":"` + "\xc0\xaf" + `"`), []string{"body format"}},
		{"UTF-16", newUser, "\xff\xfe{\x00}\x00", []string{"body format"}},
		{"deep arrays", newUser, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), []string{"body format"}},
		{"deep objects", newUser, strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), []string{"body format"}},
		{"unescaped control character", newUser, user(",\"company\":\"a\nb\""), []string{"body format"}},

		// Unknown and repeated fields.
		{"unknown field", newUser, user(`,"admin":true`), []string{"admin unknown"}},
		{"unknown in other case", newUser, user(`,"Company":"x"`), []string{"Company unknown"}},
		{"id outside the old paths", newUser, user(`,"id":"1","ower_id":"2"`), []string{"id unknown", "ower_id unknown"}},
		{"unknown on the old path", "POST /user/sign", user(`,"admin":true`), []string{"admin unknown"}},
		{"unknown at the old log-in", "POST /user/login", user(`,"admin":true`), []string{"admin unknown"}},
		{"empty name", newUser, user(`,"":1`), []string{" unknown"}},
		{"unknown within", newBooking, box(`"teu":1`), []string{"containers[1].teu unknown"}},
		{"owner of a container", newBooking, box(`"user_id":"u2"`), []string{"containers[1].user_id unknown"}},
		{"duplicate field", newUser, user(`,"email":"eve@example.com"`), []string{"email unique"}},
		{"duplicate, escaped", newUser, user(`,"\u0065mail":"eve@example.com"`), []string{"email unique"}},
		{"duplicate within", newBooking, box(`"type":"22G1","type":"42G1"`), []string{"containers[1].type unique"}},

		// Sign-up and log-in.
		{"nothing in it", newUser, `{}`, []string{"name required", "email required", "password required"}},
		{"all types wrong", newUser, `{"name":1,"company":[],"email":{},"password":true,"roles":"shipper"}`,
			[]string{"name type", "company type", "email type", "password type", "roles type"}},
		{"all null", newUser, `{"name":null,"company":null,"email":null,"password":null,"roles":null}`,
			[]string{"name type", "company type", "email type", "password type", "roles type"}},
		{"types and rules at once", newUser, `{"name":1,"email":"ann","password":"short","x":0}`,
			[]string{"name type", "x unknown", "email format", "password length"}},
		{"blank name", newUser, `{"name":"  ","email":"a@b","password":"secret7"}`, []string{"name required"}},
		{"huge name", newUser, `{"name":"` + long(100_000) + `","email":"a@b","password":"secret7"}`, []string{"name length"}},
		{"control in name", newUser, `{"name":"a\u0000b","email":"a@b","password":"secret7"}`, []string{"name format"}},
		{"escape in name", newUser, `{"name":"\u001b[31m","email":"a@b","password":"secret7"}`, []string{"name format"}},
		{"half a surrogate pair", newUser, `{"name":"\ud800","email":"a@b","password":"secret7"}`, []string{"name format"}},
		{"password of 6", newUser, `{"name":"A","email":"a@b","password":"123456"}`, []string{"password length"}},
		{"password of 129", newUser, `{"name":"A","email":"a@b","password":"` + long(129) + `"}`, []string{"password length"}},
		{"NUL in password", newUser, `{"name":"A","email":"a@b","password":"secret7\u0000"}`, []string{"password format"}},
		{"two addresses", newUser, `{"name":"A","email":"a@b,c@d","password":"secret7"}`, []string{"email format"}},
		{"header in address", newUser, `{"name":"A","email":"a@b\r\nBcc: c","password":"secret7"}`, []string{"email format"}},
		{"long local part", newUser, `{"name":"A","email":"` + long(65) + `@b","password":"secret7"}`, []string{"email length"}},
		{"admin", newUser, user(`,"roles":["admin"]`), []string{"roles[0] choice"}},
		{"role twice", newUser, user(`,"roles":["shipper","shipper"]`), []string{"roles[1] unique"}},
		{"role of wrong type", newUser, user(`,"roles":["shipper",7]`), []string{"roles[1] type"}},
		{"null role", newUser, user(`,"roles":[null]`), []string{"roles[0] type"}},
		{"log in with nothing", sessions, `{}`, []string{"email required", "password required"}},
		{"log in, wrong types", sessions, `{"email":["a@b"],"password":{"$ne":""}}`, []string{"email type", "password type"}},
		{"log in, huge password", sessions, `{"email":"a@b","password":"` + long(500_000) + `"}`, []string{"password length"}},
		{"log in, old field", sessions, `{"email":"a@b","password":"x","user_id":"1"}`, []string{"user_id unknown"}},

		// Vessels: numbers.
		{"no capacity", newVessel, ship(``), []string{"capacity required"}},
		{"zero capacity", newVessel, ship(`,"capacity":0`), []string{"capacity range"}},
		{"minus zero", newVessel, ship(`,"capacity":-0`), []string{"capacity range"}},
		{"negative", newVessel, ship(`,"capacity":-1`), []string{"capacity range"}},
		{"over the bound", newVessel, ship(`,"capacity":1000001`), []string{"capacity range"}},
		{"over 32 bits", newVessel, ship(`,"capacity":2147483648`), []string{"capacity range"}},
		{"wraps to 1 in 32 bits", newVessel, ship(`,"capacity":4294967297`), []string{"capacity range"}},
		{"over 64 bits", newVessel, ship(`,"capacity":18446744073709551617`), []string{"capacity range"}},
		{"thousands of digits", newVessel, ship(`,"capacity":` + strings.Repeat("9", 9000)), []string{"capacity range"}},
		{"fraction", newVessel, ship(`,"capacity":1.5`), []string{"capacity range"}},
		{"whole fraction", newVessel, ship(`,"capacity":1.0`), []string{"capacity range"}},
		{"exponent", newVessel, ship(`,"capacity":1e3`), []string{"capacity range"}},
		{"huge exponent", newVessel, ship(`,"capacity":1e999999999`), []string{"capacity range"}},
		{"leading zero", newVessel, ship(`,"capacity":01`), []string{"body format"}},
		{"hexadecimal", newVessel, ship(`,"capacity":0x10`), []string{"body format"}},
		{"NaN", newVessel, ship(`,"capacity":NaN`), []string{"body format"}},
		{"number as a string", newVessel, ship(`,"capacity":"500"`), []string{"capacity type"}},
		{"true as a number", newVessel, ship(`,"capacity":true`), []string{"capacity type"}},
		{"null as a number", newVessel, ship(`,"capacity":null`), []string{"capacity type"}},
		{"too heavy", newVessel, `{"name":"A","capacity":1,"max_weight":2000000001}`, []string{"max_weight range"}},
		{"flag as a string", newVessel, ship(`,"capacity":1,"open_sailing":"yes"`), []string{"open_sailing type"}},
		{"flag as a number", newVessel, ship(`,"capacity":1,"open_sailing":1`), []string{"open_sailing type"}},
		{"mistyped IMO", newVessel, ship(`,"capacity":1,"imo":"9074728"`), []string{"imo checksum"}},
		{"IMO as a number", newVessel, ship(`,"capacity":1,"imo":9074729`), []string{"imo type"}},
		{"everything about a vessel", newVessel, `{"capacity":"1","max_weight":-1,"imo":"x","owner_id":"me"}`,
			[]string{"capacity type", "owner_id unknown", "name required", "max_weight range", "imo format"}},

		// Voyages: lists and times.
		{"no calls", newVoyage, `{"number":"1"}`, []string{"calls required"}},
		{"one call", newVoyage, `{"number":"1","calls":[{}]}`, []string{"calls length"}},
		{"51 calls", newVoyage, `{"number":"1","calls":[` + strings.Repeat(`{},`, 50) + `{}]}`, []string{"calls length"}},
		{"100,000 calls", newVoyage, `{"number":"1","calls":[` + strings.Repeat(`{},`, 100_000) + `{}]}`, []string{"calls length"}},
		{"calls of wrong type", newVoyage, `{"number":"1","calls":{"0":{}}}`, []string{"calls type"}},
		{"call of wrong type", newVoyage, `{"number":"1","calls":[{"port":"CNSHA","departure":"2030-01-01T00:00:00Z"},"NLRTM"]}`, []string{"calls[1] type"}},
		{"no arrival", newVoyage, sail(``), []string{"calls[1].arrival required"}},
		{"arrival too early", newVoyage, sail(`,"arrival":"2029-01-01T00:00:00Z"`), []string{"calls[1].arrival order"}},
		{"departure before arrival", newVoyage, sail(arrival + `,"departure":"2030-01-31T00:00:00Z"`), []string{"calls[1].departure order"}},
		{"date without time", newVoyage, sail(`,"arrival":"2030-02-01"`), []string{"calls[1].arrival format"}},
		{"time without offset", newVoyage, sail(`,"arrival":"2030-02-01T00:00:00"`), []string{"calls[1].arrival format"}},
		{"30 February", newVoyage, sail(`,"arrival":"2030-02-30T00:00:00Z"`), []string{"calls[1].arrival format"}},
		{"one-digit hour", newVoyage, sail(`,"arrival":"2030-02-01T1:00:00Z"`), []string{"calls[1].arrival format"}},
		{"comma in seconds", newVoyage, sail(`,"arrival":"2030-02-01T01:00:00,5Z"`), []string{"calls[1].arrival format"}},
		{"Unix time", newVoyage, sail(`,"arrival":1896134400`), []string{"calls[1].arrival type"}},
		{"year 10000", newVoyage, sail(`,"arrival":"9999-12-31T23:59:59-23:59"`), []string{"calls[1].arrival range"}},
		{"zero room", newVoyage, `{"number":"1","capacity":0,"max_weight":-1}`, []string{"capacity range", "calls required", "max_weight range"}},
		{"cut-off after the departure", newVoyage, `{"number":"1","cut_off":"2030-01-01T00:00:01Z","calls":[{"port":"CNSHA","departure":"2030-01-01T00:00:00Z"},{"port":"NLRTM"` + arrival + `}]}`,
			[]string{"cut_off order"}},
		{"cut-off of wrong form", newVoyage, `{"number":"1","cut_off":"soon","calls":[{"port":"CNSHA","departure":"2030-01-01T00:00:00Z"},{"port":"NLRTM"` + arrival + `}]}`,
			[]string{"cut_off format"}},
		{"close with a field", "POST /voyages/v1/close", `{"at":"now"}`, []string{"at unknown"}},
		{"state from the client", newVoyage, `{"number":"","state":"DEPARTED","legs":[]}`,
			[]string{"state unknown", "legs unknown", "number required", "calls required"}},

		// Bookings.
		{"no containers", newBooking, cargo(``), []string{"containers required"}},
		{"empty list", newBooking, cargo(`,"containers":[]`), []string{"containers required"}},
		{"501 containers", newBooking, cargo(`,"containers":[` + strings.Repeat(`{},`, 500) + `{}]`), []string{"containers length"}},
		{"container of wrong type", newBooking, cargo(`,"containers":[[],null]`), []string{"containers[0] type", "containers[1] type"}},
		{"bad check digit", newBooking, box(`"number":"MSCU1234567"`), []string{"containers[1].number checksum"}},
		{"not anchored", newBooking, box(`"number":"1234J1234567"`), []string{"containers[1].number format"}},
		{"unknown length", newBooking, box(`"type":"92G1"`), []string{"containers[1].type format"}},
		{"type of wrong type", newBooking, box(`"type":22`), []string{"containers[1].type type"}},
		{"same number twice", newBooking, `{"weight":1,"containers":[{"number":"CSQU3054383"},{"number":"csqu 305438-3"}]}`,
			[]string{"containers[1].number unique"}},
		{"negative weight", newBooking, `{"weight":-5,"containers":[{}]}`, []string{"weight range"}},
		{"no weight", newBooking, `{"containers":[{}]}`, []string{"weight required"}},
		{"weight with unit", newBooking, `{"weight":"5 t","containers":[{}]}`, []string{"weight type"}},
		{"one port", newBooking, cargo(`,"containers":[{}],"from":"NLRTM"`), []string{"to pair"}},
		{"same port", newBooking, cargo(`,"containers":[{}],"from":"NLRTM","to":"nlrtm"`), []string{"to pair"}},
		{"not a port", newBooking, cargo(`,"containers":[{}],"from":"Rotterdam","to":"SG1IN"`), []string{"from format", "to format"}},
		{"date without ports", newBooking, cargo(`,"containers":[{}],"not_before":"2030-01-01T00:00:00Z"`), []string{"not_before pair"}},
		{"voyage id", newBooking, cargo(`,"containers":[{}],"voyage_id":"../1"`), []string{"voyage_id format"}},
		{"owner from the client", newBooking, cargo(`,"containers":[{}],"user_id":"u2","state":"CONFIRMED"`),
			[]string{"user_id unknown", "state unknown"}},
		{"long description", newBooking, cargo(`,"containers":[{}],"description":"` + long(1001) + `"`), []string{"description length"}},
		{"cancel with a field", cancel, `{"reason":"x"}`, []string{"reason unknown"}},
		{"cancel with a list", cancel, `[]`, []string{"body type"}},

		// Parameters.
		{"unknown parameter", listBookings + "?stat=CONFIRMED", "", []string{"stat unknown"}},
		{"parameter of another list", "GET /vessels?from=NLRTM&open=true", "", []string{"from unknown", "open unknown"}},
		{"limit 0", listBookings + "?limit=0", "", []string{"limit range"}},
		{"limit 201", listBookings + "?limit=201", "", []string{"limit range"}},
		{"limit over 64 bits", listBookings + "?limit=99999999999999999999", "", []string{"limit range"}},
		{"negative limit", listBookings + "?limit=-1", "", []string{"limit type"}},
		{"limit with a sign", listBookings + "?limit=%2B5", "", []string{"limit type"}},
		{"no number", listBookings + "?limit=ten", "", []string{"limit type"}},
		{"empty limit", listBookings + "?limit=", "", []string{"limit type"}},
		{"limit twice", listBookings + "?limit=1&limit=2", "", []string{"limit unique"}},
		{"unknown state", listBookings + "?state=confirmed", "", []string{"state choice"}},
		{"unspecified state", listBookings + "?state=STATE_UNSPECIFIED", "", []string{"state choice"}},
		{"empty state", listBookings + "?state=", "", []string{"state choice"}},
		{"all at once", listBookings + "?limit=x&state=x&voyage_id=&cursor=%00&x=1", "",
			[]string{"x unknown", "limit type", "cursor format", "state choice", "voyage_id format"}},
		{"long cursor", listBookings + "?cursor=" + long(1025), "", []string{"cursor format"}},
		{"bad escape", listBookings + "?cursor=%zz", "", []string{"query format"}},
		{"semicolon", listBookings + "?limit=1;state=x", "", []string{"query format"}},
		{"not ports", listVoyages + "?from=Rotterdam&to=", "", []string{"to format", "from format"}},
		{"no way", listVoyages + "?from=NLRTM&to=nlrtm", "", []string{"to pair"}},
		{"no numbers", listVoyages + "?teu=1.5&weight=", "", []string{"teu type", "weight type"}},
		{"negative room", listVoyages + "?teu=-1&weight=%2B1", "", []string{"teu type", "weight type"}},
		{"more room than any ship has", listVoyages + "?teu=1000001&weight=2000000001", "", []string{"teu range", "weight range"}},
		{"room over 64 bits", listVoyages + "?teu=18446744073709551617", "", []string{"teu range"}},
		{"date for a time", listVoyages + "?after=2030-01-01", "", []string{"after format"}},
		{"empty time", listVoyages + "?after=", "", []string{"after format"}},
		{"year 10000 in UTC", listVoyages + "?after=9999-12-31T23:59:59-23:59", "", []string{"after range"}},
		{"neither true nor false", listVoyages + "?open=yes", "", []string{"open choice"}},
		{"empty flag", listVoyages + "?open=", "", []string{"open choice"}},
		{"bad filters", listLogs + "?entity_id=a%20b&actor_id=%FF&trace_id=&action=a/b", "",
			[]string{"entity_id format", "actor_id format", "trace_id format", "action format"}},
		{"parameter on a POST with a bad body", newUser + "?dry_run=1", `{"name":`, []string{"dry_run unknown", "body format"}},
		{"parameter on one item", "GET /vessels/s1?expand=1", "", []string{"expand unknown"}},
		{"parameter in bad UTF-8", "GET /users/me?%FF=1", "", []string{"\uFFFD unknown"}},
	}
	if len(tests) < 80 {
		t.Errorf("only %d bad requests", len(tests))
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, noConfig)
			method, path, _ := strings.Cut(test.call, " ")
			w := b.do(method, "/api/v1"+path, test.body)
			p := readProblem(t, w)
			if w.Code != 400 || p.Code != "invalid" {
				t.Errorf("%d %s, want 400 invalid", w.Code, p.Code)
			}
			var got []string
			for _, e := range p.Errors {
				got = append(got, e.Field+" "+e.Rule)
				if e.Message == "" {
					t.Errorf("%s %s has no message", e.Field, e.Rule)
				}
			}
			if !slices.Equal(got, test.errors) {
				t.Errorf("errors %q, want %q", got, test.errors)
			}
			if calls := b.seen(); len(calls) > 0 {
				t.Errorf("services were called: %+v", calls)
			}
		})
	}
}

func TestErrorsAreBounded(t *testing.T) {
	b := newBench(t, noConfig)
	var body strings.Builder
	body.WriteString(`{"` + strings.Repeat("é", 5000) + `":1`)
	for i := range 20_000 {
		fmt.Fprintf(&body, `,"field %d":1`, i)
	}
	body.WriteString(`}`)
	w := b.do("POST", "/api/v1/users", body.String())
	p := readProblem(t, w)
	if n := len(p.Errors); n != 1000 {
		t.Errorf("%d errors, want 1000", n)
	}
	if name := p.Errors[0].Field; len(name) > 250 || !strings.HasPrefix(name, "éé") || strings.Contains(name, "\uFFFD") {
		t.Errorf("the long name came back as %q", name)
	}
}

func TestEveryRouteRefusesUnknownParameters(t *testing.T) {
	for _, call := range []string{
		"POST /users", "POST /sessions", "POST /user/sign", "POST /user/login", "GET /users/me", "GET /users/u1", "GET /users",
		"POST /vessels", "GET /vessels", "GET /vessels/s1", "POST /vessels/s1/voyages", "GET /voyages", "GET /voyages/v1",
		"POST /voyages/v1/close", "POST /voyages/v1/depart", "POST /voyages/v1/complete",
		"POST /consignments", "GET /consignments", "GET /consignments/c1", "POST /consignments/c1/cancel", "GET /logs",
		"GET /dead-letters", "GET /dead-letters/log/e1", "POST /dead-letters/log/e1/redrive", "DELETE /dead-letters/log/e1",
	} {
		b := newBench(t, noConfig)
		method, path, _ := strings.Cut(call, " ")
		body := ""
		if method == "POST" {
			body = "{}"
		}
		p := readProblem(t, b.do(method, "/api/v1"+path+"?surprise=1", body))
		if p.Status != 400 || len(p.Errors) == 0 || p.Errors[0].Field != "surprise" {
			t.Errorf("%s: %+v", call, p)
		}
		if len(b.seen()) > 0 {
			t.Errorf("%s: a service was called", call)
		}
	}
}

func TestTheLargestBodyIsAsConfigured(t *testing.T) {
	b := newBench(t, api.Config{MaxBody: 100, RequestTimeout: time.Second})
	for size, want := range map[int]int{90: http.StatusCreated, 101: http.StatusRequestEntityTooLarge} {
		body := `{"name":"Ship","capacity":1,"max_weight":1`
		body += strings.Repeat(" ", size-len(body)-1) + "}"
		if got := b.do("POST", "/api/v1/vessels", body); got.Code != want {
			t.Errorf("%d bytes: status %d, want %d", size, got.Code, want)
		}
	}
}
