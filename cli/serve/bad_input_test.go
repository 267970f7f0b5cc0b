package serve_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
)

// bad is a request that must be refused.
type bad struct {
	name         string
	method, path string
	token        string // "" for the good one, "-" for none
	body         any
	header       [2]string
	status       int
	field        string // the field that must be named, if it is about one
}

func TestBadRequestsAreRefusedWithTheirFieldAndChangeNothing(t *testing.T) {
	cfg := testConfig(t)
	h := open(t, cfg)
	me, token := h.person("ada@example.com")
	_, shipper := h.person("shipper@example.com", "shipper")
	_, stranger := h.person("stranger@example.com")
	voyage := h.vessel(token, 10, 100_000)
	vessel := h.call(http.StatusOK, "GET", "/vessels", token, nil).text("vessels", 0, "id")
	id := h.call(http.StatusCreated, "POST", "/consignments", token, booking(1)).text("consignment", "id")

	long := strings.Repeat("x", 5000)
	user := func(k string, v any) object {
		u := object{"name": "Bob", "email": "bob@example.com", "password": "a good password"}
		u[k] = v
		return u
	}
	ship := func(k string, v any) object {
		s := object{"name": "Ship", "capacity": 10, "max_weight": 1000}
		s[k] = v
		return s
	}
	freight := func(k string, v any) object { b := booking(1); b[k] = v; return b }
	sailing := func(calls ...object) object { return object{"number": "V1", "calls": calls} }
	call := func(port, arrival, departure string) object {
		c := object{"port": port}
		if arrival != "" {
			c["arrival"] = "2030-01-" + arrival + "T00:00:00Z"
		}
		if departure != "" {
			c["departure"] = "2030-01-" + departure + "T00:00:00Z"
		}
		return c
	}
	type list = []object
	forged := forgeTokens(t, cfg.KeysDir(), me)

	var table []bad
	add := func(status int, field, name, method, path string, body any) *bad {
		table = append(table, bad{name: name, method: method, path: path, body: body, status: status, field: field})
		return &table[len(table)-1]
	}
	post := func(field, name, path string, body any) { add(400, field, name, "POST", path, body) }

	// Sign-up and log-in.
	post("name", "sign-up without anything", "/users", object{})
	post("password", "password too short", "/users", user("password", "secret"))
	post("password", "password too long", "/users", user("password", strings.Repeat("p", 129)))
	post("password", "password with NUL", "/users", user("password", "secret\x00secret"))
	post("password", "password of another type", "/users", user("password", 12345678))
	post("email", "e-mail without @", "/users", user("email", "bob"))
	post("email", "e-mail empty", "/users", user("email", ""))
	post("email", "e-mail huge", "/users", user("email", long+"@example.com"))
	post("email", "e-mail null", "/users", user("email", nil))
	post("name", "name huge", "/users", user("name", long))
	post("name", "name with a control character", "/users", user("name", "Bob\x1b[31m"))
	post("roles[0]", "role admin", "/users", user("roles", []string{"admin"}))
	post("roles", "roles of another type", "/users", user("roles", "shipper"))
	post("admin", "unknown field", "/users", user("admin", true))
	post("id", "an id where none is taken", "/users", user("id", "mine"))
	add(409, "", "e-mail taken", "POST", "/users", user("email", "ADA@example.com"))
	post("email", "log-in without anything", "/sessions", object{})
	add(401, "", "wrong password", "POST", "/sessions", object{"email": "ada@example.com", "password": "not the password"})
	add(401, "", "unknown e-mail", "POST", "/sessions", object{"email": "nobody@example.com", "password": "a good password"})

	// Vessels and voyages.
	post("capacity", "capacity missing", "/vessels", object{"name": "Ship", "max_weight": 1})
	post("capacity", "capacity negative", "/vessels", ship("capacity", -1))
	post("capacity", "capacity zero", "/vessels", ship("capacity", 0))
	post("capacity", "capacity over the limit", "/vessels", ship("capacity", 1_000_001))
	post("capacity", "capacity overflowing", "/vessels", `{"name":"Ship","capacity":99999999999999999999,"max_weight":1}`)
	post("capacity", "capacity a fraction", "/vessels", ship("capacity", 1.5))
	post("capacity", "capacity a string", "/vessels", ship("capacity", "10"))
	post("max_weight", "weight over the limit", "/vessels", ship("max_weight", 2_000_000_001))
	post("max_weight", "weight over 32 bits", "/vessels", ship("max_weight", 1<<40))
	post("name", "vessel without a name", "/vessels", ship("name", ""))
	post("imo", "IMO with a wrong check digit", "/vessels", ship("imo", "9074728"))
	post("open_sailing", "open_sailing of another type", "/vessels", ship("open_sailing", "yes"))
	post("ower_id", "somebody else's vessel", "/vessels", ship("ower_id", "other"))
	post("calls", "voyage without calls", "/vessels/"+vessel+"/voyages", sailing())
	post("calls", "voyage with one call", "/vessels/"+vessel+"/voyages", sailing(call("CNSHA", "", "01")))
	post("calls[1].arrival", "voyage whose times fall", "/vessels/"+vessel+"/voyages", sailing(call("CNSHA", "", "05"), call("NLRTM", "04", "")))
	post("calls[0].port", "port that is none", "/vessels/"+vessel+"/voyages", sailing(call("Shanghai", "", "01"), call("NLRTM", "04", "")))
	post("calls[1].arrival", "time that is none", "/vessels/"+vessel+"/voyages", sailing(call("CNSHA", "", "01"), object{"port": "NLRTM", "arrival": "tomorrow"}))
	post("capacity", "voyage larger than its vessel", "/vessels/"+vessel+"/voyages", object{"number": "V1", "capacity": 11, "calls": list{call("CNSHA", "", "01"), call("NLRTM", "04", "")}})
	add(404, "", "voyage of no vessel", "POST", "/vessels/nope/voyages", sailing(call("CNSHA", "", "01"), call("NLRTM", "04", "")))
	add(404, "", "voyage of somebody else's vessel", "POST", "/vessels/"+vessel+"/voyages", sailing(call("CNSHA", "", "01"), call("NLRTM", "04", ""))).token = stranger

	// Consignments.
	post("containers", "no containers", "/consignments", freight("containers", list{}))
	post("containers", "501 containers", "/consignments", booking(501))
	post("containers", "containers of another type", "/consignments", freight("containers", 3))
	post("containers[0]", "a container of another type", "/consignments", freight("containers", []any{1}))
	post("containers[1].number", "container number with a wrong check digit", "/consignments", freight("containers", list{{}, {"number": "MSCU1234567"}}))
	post("containers[0].type", "container type that is none", "/consignments", freight("containers", list{{"type": "XXXXX"}}))
	post("containers[0].user_id", "container of somebody else", "/consignments", freight("containers", list{{"user_id": "other"}}))
	post("weight", "weight missing", "/consignments", object{"containers": list{{}}})
	post("weight", "weight negative", "/consignments", freight("weight", -5))
	post("weight", "weight zero", "/consignments", freight("weight", 0))
	post("weight", "weight overflowing", "/consignments", freight("weight", 1e300))
	post("description", "description huge", "/consignments", freight("description", long))
	post("to", "from without to", "/consignments", freight("from", "CNSHA"))
	post("from", "from that is no port", "/consignments", object{"weight": 1, "containers": list{{}}, "from": "X", "to": "NLRTM"})
	post("not_before", "not_before that is no time", "/consignments", freight("not_before", "soon"))
	post("user_id", "somebody else's consignment", "/consignments", freight("user_id", "other"))
	post("vessel_id", "a vessel of one's choice", "/consignments", freight("vessel_id", vessel))
	add(404, "", "unknown voyage", "POST", "/consignments", freight("voyage_id", "0197f000-0000-7000-8000-000000000000"))
	add(409, "", "too many containers for any voyage", "POST", "/consignments", booking(400))
	add(404, "", "somebody else's consignment", "GET", "/consignments/"+id, nil).token = stranger
	add(404, "", "cancelling somebody else's", "POST", "/consignments/"+id+"/cancel", nil).token = stranger
	add(404, "", "a consignment that is none", "GET", "/consignments/nope", nil)
	add(404, "", "an absurd id", "GET", "/consignments/"+long, nil)
	add(403, "", "a shipper's vessel", "POST", "/vessels", ship("name", "Ship")).token = shipper

	// Lists.
	for _, path := range []string{"/vessels", "/voyages", "/consignments", "/logs"} {
		add(400, "limit", "limit 0", "GET", path+"?limit=0", nil)
		add(400, "limit", "limit 201", "GET", path+"?limit=201", nil)
		add(400, "limit", "limit that is no number", "GET", path+"?limit=ten", nil)
		add(400, "cursor", "cursor that is none", "GET", path+"?cursor=garbage", nil)
		add(400, "sort", "unknown parameter", "GET", path+"?sort=up", nil)
	}
	add(400, "state", "unknown state", "GET", "/consignments?state=LOST", nil)

	// Bodies that are no JSON object.
	for name, body := range map[string]string{
		"empty body": "", "broken JSON": `{"name":`, "an array": "[]", "a string": `"x"`, "null": "null",
		"a second value": `{"a":1}{"b":2}`, "trailing garbage": `{"a":1} x`, "bad UTF-8": "{\"name\":\"\xff\"}", "deep": strings.Repeat("[", 10_000),
	} {
		post("", name, "/vessels", body)
	}
	post("name", "a field twice", "/vessels", `{"name":"a","name":"b","capacity":1,"max_weight":1}`)
	add(413, "", "a body over 1 MiB", "POST", "/vessels", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`)
	add(415, "", "another media type", "POST", "/vessels", `name=x`).header = [2]string{"Content-Type", "application/x-www-form-urlencoded"}
	add(405, "", "another method", "PUT", "/vessels", ship("name", "Ship"))
	add(404, "", "another path", "GET", "/ships", nil)

	// Tokens.
	add(401, "", "no token", "GET", "/consignments", nil).token = "-"
	for name, forged := range forged {
		add(401, "", name, "GET", "/consignments", nil).token = forged
	}
	add(401, "", "another scheme", "GET", "/consignments", nil).header = [2]string{"Authorization", "Basic YTpi"}

	before := h.snapshot(token, voyage)
	for _, tc := range table {
		t.Run(tc.name+" "+tc.method+" "+tc.path[:min(len(tc.path), 40)], func(t *testing.T) {
			use := tc.token
			switch use {
			case "":
				use = token
			case "-":
				use = ""
			}
			var headers []string
			if tc.header[0] != "" {
				headers = tc.header[:]
			}
			a, err := send(t.Context(), tc.method, h.base+tc.path, use, tc.body, headers...)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != tc.status || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") ||
				a.text("code") == "" || a.text("trace_id") == "" || a.text("trace_id") != a.header.Get("X-Trace-Id") {
				t.Errorf("status %d, want %d, header %v: %s", a.status, tc.status, a.header, a.raw)
			}
			if strings.Contains(string(a.raw), "goroutine") || strings.Contains(string(a.raw), ".go:") || strings.Contains(string(a.raw), "sql") {
				t.Errorf("internals are shown: %s", a.raw)
			}
			if tc.field != "" && !named(a, tc.field) {
				t.Errorf("%s is not named: %s", tc.field, a.raw)
			}
		})
	}
	t.Logf("%d bad requests", len(table))
	if len(table) < 60 {
		t.Errorf("only %d requests", len(table))
	}
	if after := h.snapshot(token, voyage); after != before {
		t.Errorf("something changed:\nbefore %s\nafter  %s", before, after)
	}
}

// named tells whether the problem names the field with a rule and a sentence.
func named(a answer, field string) bool {
	errs, _ := a.at("errors").([]any)
	for _, e := range errs {
		e, _ := e.(object)
		if e["field"] == field && e["rule"] != "" && e["message"] != "" {
			return true
		}
	}
	return false
}

// snapshot sums up everything that a request could have changed. Bookings that were refused for want of room are kept, and
// so are not part of it.
func (h *house) snapshot(token, voyage string) string {
	h.t.Helper()
	used, weight := h.used(token, voyage)
	return fmt.Sprintf("%d vessels, %d voyages, %d confirmed, %d cancelled, used %v TEU %v kg",
		len(h.all("/vessels?limit=200", "vessels", token)), len(h.all("/voyages?limit=200", "voyages", token)),
		len(h.all("/consignments?state=CONFIRMED&limit=200", "consignments", token)),
		len(h.all("/consignments?state=CANCELLED&limit=200", "consignments", token)), used, weight)
}

// forgeTokens makes tokens that must not be accepted, by what is wrong with them.
func forgeTokens(t *testing.T, keysDir, user string) map[string]string {
	t.Helper()
	key, err := auth.KeyDir(keysDir).Tokens()
	if err != nil {
		t.Fatal(err)
	}
	past := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	expired, _, err := auth.NewIssuer(key, time.Hour, past).Issue(user, []string{"shipper"})
	if err != nil {
		t.Fatal(err)
	}
	other := auth.KeyDir(t.TempDir())
	if err := other.Create(); err != nil {
		t.Fatal(err)
	}
	foreignKey, err := other.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := auth.NewIssuer(foreignKey, time.Hour, time.Now).Issue(user, []string{"shipper"})
	if err != nil {
		t.Fatal(err)
	}
	enc := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	claims := enc(fmt.Sprintf(`{"iss":"fairway/user","aud":["fairway/api"],"sub":%q,"exp":%d}`, user, time.Now().Add(time.Hour).Unix()))
	hs256 := enc(fmt.Sprintf(`{"alg":"HS256","kid":%q}`, key.ID)) + "." + claims
	mac := hmac.New(sha256.New, key.Public())
	mac.Write([]byte(hs256))
	return map[string]string{
		"garbage":                   "garbage",
		"an expired token":          expired,
		"a token of another key":    foreign,
		"alg none":                  enc(`{"alg":"none"}`) + "." + claims + ".",
		"HS256 with the public key": hs256 + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"a cut token":               expired[:len(expired)/2],
	}
}
