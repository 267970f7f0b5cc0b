package serve_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/fault"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// harbour is what a caller has before the requests of a test.
type harbour struct{ token, vessel, voyage string }

func (h *house) harbour(email string) harbour {
	h.t.Helper()
	_, token := h.person(email)
	a := h.call(http.StatusCreated, "POST", "/vessels", token, object{"name": "Harbour", "capacity": 10, "max_weight": 1000})
	return harbour{token, a.text("vessel", "id"), a.text("voyage", "id")}
}

// change is a request over HTTP that changes something.
type change struct {
	name string
	path func(harbour) string
	want int
	// body is sent several times. same differs from it only in what is not compared, other in more than that; nil where there
	// is no such body.
	body, same, other object
	// made counts what came of it; nil where nobody can see that.
	made func(*house, harbour) int
}

func fixed(path string) func(harbour) string { return func(harbour) string { return path } }

// count counts what a list has with a certain value in a field.
func count(list, field, value string) func(*house, harbour) int {
	return func(h *house, at harbour) int {
		n := 0
		for _, item := range h.all("/"+list+"?limit=200", list, at.token) {
			if item[field] == value {
				n++
			}
		}
		return n
	}
}

func changes() []change {
	person := func(email, password string) object {
		return object{"name": "Once", "email": email, "password": password}
	}
	ship := func(capacity int) object { return object{"name": "Once", "capacity": capacity, "max_weight": 1000} }
	sailing := func(port string) object {
		return object{"number": "1W", "calls": []object{{"port": "CNSHA", "departure": "2080-03-01T00:00:00Z"}, {"port": port, "arrival": "2080-04-01T00:00:00Z"}}}
	}
	freight := func(what string, kg int, more ...string) object {
		b := object{"description": what, "weight": kg, "containers": []object{{}}}
		if len(more) > 0 {
			b["voyage_id"] = more[0]
		}
		return b
	}
	return []change{
		{"sign-up", fixed("/users"), http.StatusCreated,
			person("once@example.com", "a good password"), person("once@example.com", "another password"), person("twice@example.com", "a good password"), nil},
		{"sign-up as of old", fixed("/user/sign"), http.StatusCreated,
			person("old@example.com", "a good password"), nil, person("older@example.com", "a good password"), nil},
		{"refused sign-up", fixed("/users"), http.StatusConflict, person("ada@example.com", "a good password"), nil, person("eve@example.com", "a good password"), nil},
		{"vessel", fixed("/vessels"), http.StatusCreated, ship(10), nil, ship(11), count("vessels", "name", "Once")},
		{"voyage", func(at harbour) string { return "/vessels/" + at.vessel + "/voyages" }, http.StatusCreated, sailing("NLRTM"), nil, sailing("DEHAM"), count("voyages", "number", "1W")},
		{"voyage of nobody's vessel", fixed("/vessels/nobody/voyages"), http.StatusNotFound, sailing("NLRTM"), nil, sailing("DEHAM"), nil},
		{"booking", fixed("/consignments"), http.StatusCreated, freight("Once", 10), nil, freight("Once", 11), count("consignments", "description", "Once")},
		{"booking without room", fixed("/consignments"), http.StatusConflict, freight("Much", 5000), nil, freight("Much", 5001), count("consignments", "description", "Much")},
		{"booking on nobody's voyage", fixed("/consignments"), http.StatusNotFound, freight("Lost", 10, "nobody"), nil, freight("Lost", 11, "nobody"), count("consignments", "description", "Lost")},
		{"end of booking", func(at harbour) string { return "/voyages/" + at.voyage + "/close" }, http.StatusOK, nil, nil, nil, nil},
	}
}

func TestAnIdempotencyKeyOverHTTP(t *testing.T) {
	h := open(t, testConfig(t))
	at := h.harbour("ada@example.com")
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			path, key := c.path(at), "key of "+c.name
			key = fmt.Sprintf("%x", key)
			post := func(want int, body object) answer {
				t.Helper()
				var sent any
				if body != nil {
					sent = body
				}
				return (&house{t: t, base: h.base}).call(want, "POST", path, at.token, sent, "Idempotency-Key", key)
			}
			first := post(c.want, c.body)
			if first.header.Get("Idempotent-Replayed") != "" {
				t.Error("the first was a replay")
			}
			for _, body := range []object{c.body, c.same} {
				if body == nil && c.body != nil {
					continue
				}
				again := post(c.want, body)
				if again.header.Get("Idempotent-Replayed") != "true" || !sameAnswer(first, again) || again.header.Get("Location") != first.header.Get("Location") {
					t.Errorf("first %s\nagain %s\n%v", first.raw, again.raw, again.header)
				}
			}
			if c.other != nil {
				if a := post(http.StatusUnprocessableEntity, c.other); a.text("code") != string(fault.KeyReused) || a.header.Get("Idempotent-Replayed") != "" {
					t.Errorf("another body: %s", a.raw)
				}
			}
			if c.made != nil && c.made(h, at) != 1 {
				t.Errorf("%d were made", c.made(h, at))
			}
		})
	}
}

// sameAnswer compares what two answers say; of an error the trace is another each time.
func sameAnswer(a, b answer) bool {
	delete(a.body, "trace_id")
	delete(b.body, "trace_id")
	return fmt.Sprint(a.body) == fmt.Sprint(b.body)
}

func TestAnIdempotencyKeyIsItsCallersOwn(t *testing.T) {
	h := open(t, testConfig(t))
	_, ada := h.person("ada@example.com")
	_, bob := h.person("bob@example.com")
	body := object{"name": "Tern", "capacity": 10, "max_weight": 1000}
	first := h.call(http.StatusCreated, "POST", "/vessels", ada, body, "Idempotency-Key", "k")
	other := h.call(http.StatusCreated, "POST", "/vessels", bob, body, "Idempotency-Key", "k")
	if first.text("vessel", "id") == other.text("vessel", "id") || other.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%s", other.raw)
	}
	// What is refused before the service is asked leaves the key free.
	for _, refused := range []struct {
		token string
		body  any
		want  int
	}{
		{"garbage", body, http.StatusUnauthorized},
		{ada, object{"name": ""}, http.StatusBadRequest},
	} {
		a := h.call(refused.want, "POST", "/vessels", refused.token, refused.body, "Idempotency-Key", "l")
		if a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s", a.raw)
		}
	}
	if a := h.call(http.StatusCreated, "POST", "/vessels", ada, body, "Idempotency-Key", "l"); a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%s", a.raw)
	}
}

func TestManyRequestsWithOneKeyMakeOneVessel(t *testing.T) {
	const callers = 30
	h := open(t, testConfig(t))
	at := h.harbour("ada@example.com")
	defer http.DefaultClient.CloseIdleConnections() // an unused one would hold up the stop
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			a, err := send(t.Context(), "POST", h.base+"/vessels", at.token, object{"name": "Once", "capacity": 10, "max_weight": 1000}, "Idempotency-Key", "k")
			if err != nil || a.status != http.StatusCreated && (a.status != http.StatusConflict || a.header.Get("Retry-After") == "") {
				t.Errorf("%d %s, %v", a.status, a.raw, err)
			}
		})
	}
	group.Wait()
	if n := count("vessels", "name", "Once")(h, at); n != 1 {
		t.Errorf("%d vessels", n)
	}
}

// grpcChange is a call over gRPC that changes something.
type grpcChange struct {
	method    string
	in, other func(harbour) proto.Message
	out       func() proto.Message
}

func grpcChanges() []grpcChange {
	response := func() proto.Message { return &vesselpb.Response{} }
	voyage := func(port string) func(harbour) proto.Message {
		return func(at harbour) proto.Message {
			day := func(month time.Month) *timestamppb.Timestamp {
				return timestamppb.New(time.Date(2080, month, 1, 0, 0, 0, 0, time.UTC))
			}
			return &vesselpb.Voyage{VesselId: at.vessel, Number: "1W", Calls: []*vesselpb.PortCall{{Port: "CNSHA", Departure: day(3)}, {Port: port, Arrival: day(4)}}}
		}
	}
	user := func(name string) func(harbour) proto.Message {
		return func(harbour) proto.Message {
			return &userpb.User{Name: name, Email: "grace@example.com", Password: "a good password"}
		}
	}
	ship := func(capacity int32) func(harbour) proto.Message {
		return func(harbour) proto.Message {
			return &vesselpb.Vessel{Name: " Once ", Capacity: capacity, MaxWeight: 1000}
		}
	}
	freight := func(kg int32) func(harbour) proto.Message {
		return func(harbour) proto.Message {
			return &consignmentpb.Consignment{Description: "Once", Weight: kg, Containers: []*consignmentpb.Container{{}}}
		}
	}
	return []grpcChange{
		{"/user.UserService/Create", user("Grace"), user("Hopper"), func() proto.Message { return &userpb.Response{} }},
		{"/vessel.VesselService/Create", ship(10), ship(11), response},
		{"/vessel.VesselService/Create", ship(0), ship(10), response}, // refused
		{"/consignment.ShippingService/CreateConsignment", freight(10), freight(11), func() proto.Message { return &consignmentpb.Response{} }},
		{"/consignment.ShippingService/CreateConsignment", freight(5000), freight(10), func() proto.Message { return &consignmentpb.Response{} }}, // refused
		{"/vessel.VesselService/CreateVoyage", voyage("NLRTM"), voyage("DEHAM"), func() proto.Message { return &vesselpb.VoyageResponse{} }},
	}
}

func TestAnIdempotencyKeyOverGRPC(t *testing.T) {
	h := open(t, testConfig(t))
	at := h.harbour("ada@example.com")
	conn, err := grpc.NewClient(h.RPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, c := range grpcChanges() {
		t.Run(fmt.Sprint(i, c.method), func(t *testing.T) {
			invoke := func(key string, in proto.Message) (proto.Message, error, bool) {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+at.token, "idempotency-key", key)
				var trailer metadata.MD
				out := c.out()
				err := conn.Invoke(ctx, c.method, in, out, grpc.Trailer(&trailer))
				return out, err, len(trailer.Get("idempotent-replayed")) == 1
			}
			key := fmt.Sprint("k", i)
			first, failed, replayed := invoke(key, c.in(at))
			if replayed {
				t.Error("the first was a replay")
			}
			again, refused, replayed := invoke(key, c.in(at))
			if !replayed || !proto.Equal(first, again) || fault.CodeOf(failed) != fault.CodeOf(refused) || fmt.Sprint(failed) != fmt.Sprint(refused) {
				t.Errorf("first %v, %v\nagain %v, %v, replayed %v", first, failed, again, refused, replayed)
			}
			if _, err, replayed := invoke(key, c.other(at)); fault.CodeOf(err) != fault.KeyReused || replayed {
				t.Errorf("another request: %v", err)
			}
			if _, err, _ := invoke("a bad key", c.in(at)); fault.CodeOf(err) != fault.Invalid || len(fault.From(err).Fields) != 1 || fault.From(err).Fields[0].Name != "Idempotency-Key" {
				t.Errorf("a bad key: %v", err)
			}
		})
	}
}

// TestKillNineDoublesNothing sends requests with keys, kills the process in the middle, and sends every one of them again.
func TestKillNineDoublesNothing(t *testing.T) {
	const writers = 16
	cfg := testConfig(t)
	p := spawn(t, cfg)
	h := &house{t: t, base: p.base}
	at := h.harbour("ada@example.com")
	request := func(key string) (path string, body object) {
		if key[0] == 'v' {
			return "/vessels", object{"name": key, "capacity": 10, "max_weight": 1000}
		}
		return "/vessels/" + at.vessel + "/voyages", object{"number": key, "calls": []object{{"port": "CNSHA", "departure": "2080-03-01T00:00:00Z"}, {"port": "NLRTM", "arrival": "2080-04-01T00:00:00Z"}}}
	}
	id := func(a answer) string {
		return a.text("vessel", "id") + a.text("voyage", "vessel_id") + a.text("voyage", "id")
	}

	var mu sync.Mutex
	answered := map[string]string{} // by key, the empty id where no answer came
	known := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range answered {
			if id != "" {
				n++
			}
		}
		return n
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var load sync.WaitGroup
	for w := range writers {
		load.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%c%d-%d", "vs"[i%2], w, i)
				mu.Lock()
				answered[key] = ""
				mu.Unlock()
				path, body := request(key)
				a, err := send(ctx, "POST", p.base+path, at.token, body, "Idempotency-Key", key)
				if err != nil {
					return // killed
				}
				if a.status != http.StatusCreated {
					t.Errorf("%s: %d %s", key, a.status, a.raw)
					return
				}
				mu.Lock()
				answered[key] = id(a)
				mu.Unlock()
			}
		})
	}
	await(t, "answers", func() bool { return known() > 200 })
	p.kill()
	load.Wait()
	p = spawn(t, cfg)
	h.base = p.base

	for key, before := range answered {
		path, body := request(key)
		var a answer
		await(t, "the request "+key, func() bool {
			var err error
			if a, err = send(t.Context(), "POST", h.base+path, at.token, body, "Idempotency-Key", key); err != nil {
				t.Fatal(err)
			}
			return a.status != http.StatusConflict // the lease of the dead one
		})
		if a.status != http.StatusCreated || before != "" && id(a) != before {
			t.Errorf("%s: %d %s, was %q", key, a.status, a.raw, before)
		}
	}
	names, sailings := map[any]int{}, map[any]int{}
	for _, v := range h.all("/vessels?limit=200", "vessels", at.token) {
		names[v["name"]]++
	}
	for _, v := range h.all("/voyages?limit=200", "voyages", at.token) {
		names[v["number"]]++
		sailings[v["vessel_id"]]++
	}
	for key := range answered {
		if names[key] != 1 {
			t.Errorf("%s was made %d times", key, names[key])
		}
	}
	for _, v := range h.all("/vessels?limit=200", "vessels", at.token) {
		if n := sailings[v["id"]]; n != 1 && v["id"] != at.vessel {
			t.Errorf("%s has %d sailings", v["name"], n)
		}
	}
}
