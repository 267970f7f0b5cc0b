package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func on(month time.Month, day int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2030, month, day, 12, 0, 0, 0, time.UTC))
}

var (
	ann = &userpb.User{Id: "u1", Name: "Ann", Email: "ann@example.com", Password: "never shown",
		Roles: []string{"shipper", "carrier"}, CreatedAt: on(1, 1), Version: 1}
	annJSON = `{"id":"u1","name":"Ann","email":"ann@example.com","roles":["shipper","carrier"],"created_at":"2030-01-01T12:00:00Z","version":1}`

	anna = &vesselpb.Vessel{Id: "s1", Name: "Anna", Imo: "9074729", Capacity: 500, MaxWeight: 200_000, Available: true,
		OwerId: "u1", CreatedAt: on(1, 2), Version: 1}
	annaJSON = `{"id":"s1","name":"Anna","imo":"9074729","capacity":500,"max_weight":200000,"available":true,"owner_id":"u1",
		"created_at":"2030-01-02T12:00:00Z","version":1}`

	sailing = &vesselpb.Voyage{Id: "v1", Number: "OPEN-1", VesselId: "s1", State: vesselpb.VoyageState_OPEN, Version: 3,
		Legs: []*vesselpb.Leg{{Capacity: 500, UsedQuarters: 13, MaxWeight: 200_000, UsedWeight: 55_000}}}
	sailingJSON = `{"id":"v1","number":"OPEN-1","vessel_id":"s1","state":"OPEN","calls":[],"version":3,
		"legs":[{"capacity":500,"used":3.25,"free":496.75,"max_weight":200000,"used_weight":55000}]}`

	voyage = &vesselpb.Voyage{Id: "v2", Number: "041E", VesselId: "s1", State: vesselpb.VoyageState_DEPARTED, Version: 1,
		OwnerId: "u1", CreatedAt: on(1, 3), CutOff: on(1, 31),
		Calls: []*vesselpb.PortCall{{Port: "CNSHA", Departure: on(2, 1)}, {Port: "NLRTM", Arrival: on(3, 1)}},
		Legs:  []*vesselpb.Leg{{From: "CNSHA", To: "NLRTM", Capacity: 10, MaxWeight: 3_000_000_000}}}
	voyageJSON = `{"id":"v2","number":"041E","vessel_id":"s1","state":"DEPARTED","version":1,"owner_id":"u1","created_at":"2030-01-03T12:00:00Z","cut_off":"2030-01-31T12:00:00Z",
		"calls":[{"port":"CNSHA","departure":"2030-02-01T12:00:00Z"},{"port":"NLRTM","arrival":"2030-03-01T12:00:00Z"}],
		"legs":[{"from":"CNSHA","to":"NLRTM","capacity":10,"used":0,"free":10,"max_weight":3000000000,"used_weight":0}]}`

	booked = &consignmentpb.Consignment{Id: "c1", State: consignmentpb.State_CONFIRMED, Description: "Bicycles <new>", Weight: 55_000,
		Containers: []*consignmentpb.Container{{Id: "b1", Number: "CSQU3054383", Type: "22G1", CustomerId: "cust1", Origin: "Derby", UserId: "u1"}, {}},
		From:       "CNSHA", To: "NLRTM", NotBefore: on(1, 5), VesselId: "s1", VoyageId: "v2", UserId: "u1", CarrierId: "u2", Reason: "no_capacity",
		CreatedAt: on(1, 4), Version: 2}
	bookedJSON = `{"id":"c1","state":"CONFIRMED","description":"Bicycles <new>","weight":55000,
		"containers":[{"number":"CSQU3054383","type":"22G1","customer_id":"cust1","origin":"Derby"},{}],
		"from":"CNSHA","to":"NLRTM","not_before":"2030-01-05T12:00:00Z","vessel_id":"s1","voyage_id":"v2","user_id":"u1","carrier_id":"u2","reason":"no_capacity",
		"created_at":"2030-01-04T12:00:00Z","version":2}`
)

// TestRoutes says for every row of the API what is sent to which service and what is answered.
func TestRoutes(t *testing.T) {
	truth, lie := true, false
	tests := []struct {
		name, method, path, body string
		calls                    string
		with                     proto.Message
		gives                    proto.Message
		status                   int
		answer                   string
		location                 string
	}{
		{
			name: "sign up", method: "POST", path: "/users",
			body:  `{"name":" Ann ","company":"Acme","email":"Ann@Example.com","password":" secret ","roles":["shipper"]}`,
			calls: "users.Create",
			with:  &userpb.User{Name: "Ann", Company: "Acme", Email: "ann@example.com", Password: " secret ", Roles: []string{"shipper"}},
			gives: &userpb.Response{User: ann}, status: 201, answer: `{"user":` + annJSON + `}`, location: "/api/v1/users/u1",
		}, {
			name: "sign up as of old", method: "POST", path: "/user/sign",
			body:  `{"id":"5d1","user_id":1,"vessel_id":null,"available":true,"ower_id":"x","name":"Ann","email":"ann@example.com","password":"test123"}`,
			calls: "users.Create", with: &userpb.User{Name: "Ann", Email: "ann@example.com", Password: "test123"},
			gives: &userpb.Response{User: ann}, status: 201, answer: `{"user":` + annJSON + `}`, location: "/api/v1/users/u1",
		}, {
			name: "log in", method: "POST", path: "/sessions", body: `{"email":"Ann@example.com","password":"x"}`,
			calls: "users.Auth", with: &userpb.User{Email: "ann@example.com", Password: "x"},
			gives:  &userpb.Token{Token: "abc", ExpiresAt: on(1, 1), User: ann},
			status: 200, answer: `{"token":"abc","expires_at":"2030-01-01T12:00:00Z","user":` + annJSON + `}`,
		}, {
			name: "log in as of old", method: "POST", path: "/user/login",
			body:  `{"id":"5d1","name":"Ann","company":"","email":"ann@example.com","password":"test123"}`,
			calls: "users.Auth", with: &userpb.User{Email: "ann@example.com", Password: "test123"},
			gives:  &userpb.Token{Token: "abc", ExpiresAt: on(1, 1), User: ann},
			status: 200, answer: `{"token":"abc","expires_at":"2030-01-01T12:00:00Z","user":` + annJSON + `}`,
		}, {
			name: "self", method: "GET", path: "/users/me",
			calls: "users.Get", with: &userpb.User{Id: "ann"}, gives: &userpb.Response{User: ann},
			status: 200, answer: `{"user":` + annJSON + `}`,
		}, {
			name: "user", method: "GET", path: "/users/u1",
			calls: "users.Get", with: &userpb.User{Id: "u1"}, gives: &userpb.Response{User: ann},
			status: 200, answer: `{"user":` + annJSON + `}`,
		}, {
			name: "users", method: "GET", path: "/users?limit=2&cursor=abc",
			calls: "users.GetAll", with: &userpb.Request{Limit: 2, Cursor: "abc"},
			gives:  &userpb.Response{Users: []*userpb.User{ann, {}}, NextCursor: "def"},
			status: 200, answer: `{"users":[` + annJSON + `,{"id":"","name":"","email":"","roles":[]}],"next_cursor":"def"}`,
		}, {
			name: "vessel created", method: "POST", path: "/vessels", body: `{"name":"Anna","capacity":500,"max_weight":200000,"imo":"IMO 9074729"}`,
			calls: "vessels.Create", with: &vesselpb.Vessel{Name: "Anna", Capacity: 500, MaxWeight: 200_000, Imo: "9074729"},
			gives:  &vesselpb.Response{Created: true, Vessel: anna, Voyage: sailing},
			status: 201, answer: `{"created":true,"vessel":` + annaJSON + `,"voyage":` + sailingJSON + `}`, location: "/api/v1/vessels/s1",
		}, {
			name: "vessel without a sailing", method: "POST", path: "/vessels", body: `{"name":"Anna","capacity":1000000,"max_weight":2000000000,"open_sailing":false}`,
			calls: "vessels.Create", with: &vesselpb.Vessel{Name: "Anna", Capacity: 1_000_000, MaxWeight: 2_000_000_000, OpenSailing: &lie},
			gives:  &vesselpb.Response{Created: true, Vessel: anna},
			status: 201, answer: `{"created":true,"vessel":` + annaJSON + `}`, location: "/api/v1/vessels/s1",
		}, {
			name: "vessel with a sailing", method: "POST", path: "/vessels", body: `{"name":"Anna","capacity":1,"max_weight":1,"open_sailing":true}`,
			calls: "vessels.Create", with: &vesselpb.Vessel{Name: "Anna", Capacity: 1, MaxWeight: 1, OpenSailing: &truth},
			gives:  &vesselpb.Response{Created: true, Vessel: anna},
			status: 201, answer: `{"created":true,"vessel":` + annaJSON + `}`, location: "/api/v1/vessels/s1",
		}, {
			name: "vessel", method: "GET", path: "/vessels/s1",
			calls: "vessels.Get", with: &vesselpb.VesselRef{Id: "s1"}, gives: &vesselpb.Response{Vessel: anna},
			status: 200, answer: `{"vessel":` + annaJSON + `}`,
		}, {
			name: "vessels, none", method: "GET", path: "/vessels",
			calls: "vessels.List", with: &vesselpb.ListRequest{}, gives: &vesselpb.Response{},
			status: 200, answer: `{"vessels":[]}`,
		}, {
			name: "vessels", method: "GET", path: "/vessels?limit=200&cursor=",
			calls: "vessels.List", with: &vesselpb.ListRequest{Limit: 200},
			gives:  &vesselpb.Response{Vessels: []*vesselpb.Vessel{anna}, NextCursor: "n"},
			status: 200, answer: `{"vessels":[` + annaJSON + `],"next_cursor":"n"}`,
		}, {
			name: "voyage created", method: "POST", path: "/vessels/s1/voyages",
			body: `{"number":"041E","capacity":10,"max_weight":100,"cut_off":"2030-01-31T13:00:00+01:00","calls":[
				{"port":"cnsha","departure":"2030-02-01T20:00:00+08:00"},{"port":"NLRTM","arrival":"2030-03-01T12:00:00Z"}]}`,
			calls: "vessels.CreateVoyage",
			with: &vesselpb.Voyage{VesselId: "s1", Number: "041E", Capacity: 10, MaxWeight: 100, CutOff: on(1, 31), Calls: []*vesselpb.PortCall{
				{Port: "CNSHA", Departure: on(2, 1)}, {Port: "NLRTM", Arrival: on(3, 1)}}},
			gives:  &vesselpb.VoyageResponse{Voyage: voyage},
			status: 201, answer: `{"voyage":` + voyageJSON + `}`, location: "/api/v1/voyages/v2",
		}, {
			name: "voyage", method: "GET", path: "/voyages/v1",
			calls: "vessels.GetVoyage", with: &vesselpb.VoyageRef{Id: "v1"}, gives: &vesselpb.VoyageResponse{Voyage: sailing},
			status: 200, answer: `{"voyage":` + sailingJSON + `}`,
		}, {
			name: "voyages", method: "GET", path: "/voyages?limit=1",
			calls: "vessels.ListVoyages", with: &vesselpb.VoyageQuery{Limit: 1},
			gives:  &vesselpb.VoyageResponse{Voyages: []*vesselpb.Voyage{voyage, sailing}, NextCursor: "n"},
			status: 200, answer: `{"voyages":[` + voyageJSON + `,` + sailingJSON + `],"next_cursor":"n"}`,
		}, {
			name: "voyages looked for", method: "GET", path: "/voyages?from=cnsha&to=NLRTM&after=2030-01-05T12:00:00Z&teu=12&weight=2000000000&open=true&cursor=c",
			calls: "vessels.ListVoyages",
			with:  &vesselpb.VoyageQuery{Cursor: "c", From: "CNSHA", To: "NLRTM", After: on(1, 5), Teu: 12, Weight: 2_000_000_000, Open: &truth},
			gives: &vesselpb.VoyageResponse{}, status: 200, answer: `{"voyages":[]}`,
		}, {
			name: "voyages that take no bookings", method: "GET", path: "/voyages?open=false&teu=0&weight=0",
			calls: "vessels.ListVoyages", with: &vesselpb.VoyageQuery{Open: &lie},
			gives: &vesselpb.VoyageResponse{}, status: 200, answer: `{"voyages":[]}`,
		}, {
			name: "voyage closed", method: "POST", path: "/voyages/v2/close",
			calls: "vessels.CloseVoyage", with: &vesselpb.VoyageRef{Id: "v2"}, gives: &vesselpb.VoyageResponse{Voyage: voyage},
			status: 200, answer: `{"voyage":` + voyageJSON + `}`,
		}, {
			name: "voyage departed", method: "POST", path: "/voyages/v2/depart",
			calls: "vessels.DepartVoyage", with: &vesselpb.VoyageRef{Id: "v2"}, gives: &vesselpb.VoyageResponse{Voyage: voyage},
			status: 200, answer: `{"voyage":` + voyageJSON + `}`,
		}, {
			name: "voyage completed, with an empty object", method: "POST", path: "/voyages/v2/complete", body: `{}`,
			calls: "vessels.CompleteVoyage", with: &vesselpb.VoyageRef{Id: "v2"}, gives: &vesselpb.VoyageResponse{Voyage: voyage},
			status: 200, answer: `{"voyage":` + voyageJSON + `}`,
		}, {
			name: "booked", method: "POST", path: "/consignments",
			body: `{"description":"Bicycles <new>","weight":55000,"from":"cnsha","to":"NLRTM","not_before":"2030-01-05T12:00:00Z","voyage_id":"v2",
				"containers":[{"number":"csqu 305438-3","type":"22g1","customer_id":"cust1","origin":"Derby"},{}]}`,
			calls: "consignments.CreateConsignment",
			with: &consignmentpb.Consignment{Description: "Bicycles <new>", Weight: 55_000, From: "CNSHA", To: "NLRTM", NotBefore: on(1, 5), VoyageId: "v2",
				Containers: []*consignmentpb.Container{{Number: "CSQU3054383", Type: "22G1", CustomerId: "cust1", Origin: "Derby"}, {}}},
			gives:  &consignmentpb.Response{Created: true, Consignment: booked},
			status: 201, answer: `{"created":true,"consignment":` + bookedJSON + `}`, location: "/api/v1/consignments/c1",
		}, {
			name: "consignment", method: "GET", path: "/consignments/c1",
			calls: "consignments.GetConsignment", with: &consignmentpb.ConsignmentRef{Id: "c1"}, gives: &consignmentpb.Response{Consignment: booked},
			status: 200, answer: `{"consignment":` + bookedJSON + `}`,
		}, {
			name: "consignments", method: "GET", path: "/consignments?state=REJECTED&voyage_id=v2&limit=7&cursor=a.b_c-d%3D",
			calls:  "consignments.GetConsignments",
			with:   &consignmentpb.GetRequest{State: consignmentpb.State_REJECTED, VoyageId: "v2", Limit: 7, Cursor: "a.b_c-d="},
			gives:  &consignmentpb.Response{Consignments: []*consignmentpb.Consignment{booked}},
			status: 200, answer: `{"consignments":[` + bookedJSON + `]}`,
		}, {
			name: "cancelled", method: "POST", path: "/consignments/c1/cancel",
			calls: "consignments.CancelConsignment", with: &consignmentpb.ConsignmentRef{Id: "c1"}, gives: &consignmentpb.Response{Consignment: booked},
			status: 200, answer: `{"consignment":` + bookedJSON + `}`,
		}, {
			name: "cancelled with an empty object", method: "POST", path: "/consignments/c1/cancel", body: `{}`,
			calls: "consignments.CancelConsignment", with: &consignmentpb.ConsignmentRef{Id: "c1"}, gives: &consignmentpb.Response{Consignment: booked},
			status: 200, answer: `{"consignment":` + bookedJSON + `}`,
		}, {
			name: "logs", method: "GET", path: "/logs?entity_id=c1&actor_id=u1&trace_id=0af7651916cd43dd8448eb211c80319c&action=consignment.confirmed",
			calls: "logs.List",
			with:  &logpb.ListRequest{EntityId: "c1", ActorId: "u1", TraceId: "0af7651916cd43dd8448eb211c80319c", Action: "consignment.confirmed"},
			gives: &logpb.ListResponse{NextCursor: "n", Entries: []*logpb.Entry{
				{Id: "e1", EntityType: "consignment", EntityId: "c1", Action: "confirmed", ActorId: "u1", Via: "consignment", At: on(1, 6), TraceId: "t", Version: 2, Data: []byte(`{"teu": 1.5}`)},
				{Id: "e2", Data: []byte(`"not an object"`)}, {Id: "e3"}}},
			status: 200, answer: `{"entries":[
				{"id":"e1","entity_type":"consignment","entity_id":"c1","action":"confirmed","actor_id":"u1","via":"consignment","at":"2030-01-06T12:00:00Z","trace_id":"t","version":2,"data":{"teu":1.5}},
				{"id":"e2","entity_type":"","entity_id":"","action":"","data":{}},{"id":"e3","entity_type":"","entity_id":"","action":"","data":{}}],"next_cursor":"n"}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, noConfig)
			b.answers[test.calls] = test.gives
			w := b.do(test.method, "/api/v1"+test.path, test.body)

			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			expectJSON(t, w.Body.String(), test.answer)
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if got := w.Header().Get("Location"); got != test.location {
				t.Errorf("Location %q, want %q", got, test.location)
			}
			calls := b.seen()
			if len(calls) != 1 || calls[0].method != test.calls {
				t.Fatalf("calls %+v, want one of %s", calls, test.calls)
			}
			if !proto.Equal(calls[0].in, test.with) {
				t.Errorf("sent\n%v, want\n%v", calls[0].in, test.with)
			}
		})
	}
}

func expectJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("not JSON: %v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the test's own JSON: %v: %s", err, want)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("answer\n%s, want\n%s", got, want)
	}
}

func TestAnswersAreNotEscapedForHTML(t *testing.T) {
	b := newBench(t, noConfig)
	b.answers["consignments.GetConsignment"] = &consignmentpb.Response{Consignment: booked}
	if w := b.do("GET", "/api/v1/consignments/c1", ""); !strings.Contains(w.Body.String(), "<new>") {
		t.Errorf("answer %s", w.Body)
	}
}

func TestHeadAnswersWhereGetDoes(t *testing.T) {
	b := newBench(t, noConfig)
	b.answers["users.Get"] = &userpb.Response{User: ann}
	for _, path := range []string{"/api/v1/users/me", "/healthz", "/readyz"} {
		if w := b.do(http.MethodHead, path, ""); w.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	b := newBench(t, noConfig)
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/api/v1", 404, ""},
		{"GET", "/api/v1/", 404, ""},
		{"GET", "/api/v1/users/", 404, ""}, // no redirect
		{"GET", "/API/v1/users", 404, ""},
		{"GET", "/api/v1//users", 404, ""},
		{"GET", "/api/v1/users/a/b", 404, ""},
		{"GET", "/api/v1/users/a%2Fb", 404, ""},
		{"GET", "/api/v1/../healthz", 404, ""},
		{"POST", "/api/v1/sessions/refresh", 404, ""},
		{"POST", "/api/v1/voyages/v1/open", 404, ""},
		{"GET", "/api/v1/webhooks", 404, ""},
		{"GET", "/api/v1/events", 404, ""},
		{"GET", "/metrics", 404, ""},
		{"DELETE", "/api/v1/users", 405, "POST, GET, HEAD"},
		{"PUT", "/api/v1/consignments/c1", 405, "GET, HEAD"},
		{"GET", "/api/v1/consignments/c1/cancel", 405, "POST"},
		{"GET", "/api/v1/voyages/v1/close", 405, "POST"},
		{"OPTIONS", "/api/v1/vessels", 405, "POST, GET, HEAD"},
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"GET", "/api/v1/sessions", 405, "POST"},
		{"BREW", "/api/v1/sessions", 405, "POST"},
	} {
		w := b.do(test.method, test.path, "")
		p := readProblem(t, w)
		if w.Code != test.status || w.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", test.method, test.path, w.Code, w.Header().Get("Allow"), test.status, test.allow)
		}
		if want := map[int]string{404: "not_found", 405: "method_not_allowed"}[test.status]; p.Code != want {
			t.Errorf("%s %s: code %s, want %s", test.method, test.path, p.Code, want)
		}
	}
	if calls := b.seen(); len(calls) > 0 {
		t.Errorf("services were called: %v", calls)
	}
}
