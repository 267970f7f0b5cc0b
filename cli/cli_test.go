package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/cli"
)

// person is somebody at a shell, with a home of their own.
type person struct {
	t     *testing.T
	env   []string
	stdin string
	home  string
}

func newPerson(t *testing.T, env ...string) *person {
	home := t.TempDir()
	return &person{t: t, home: home, env: append([]string{"XDG_CONFIG_HOME=" + home}, env...)}
}

// signedIn is a person who may talk to the gateway.
func signedIn(t *testing.T, g *gateway) *person {
	return newPerson(t, "FAIRWAY_API="+g.URL, "FAIRWAY_TOKEN="+testToken)
}

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

func (p *person) run(args ...string) result {
	return p.runContext(context.Background(), args...)
}

func (p *person) runContext(ctx context.Context, args ...string) result {
	p.t.Helper()
	var out, err bytes.Buffer
	s := cli.Streams{In: strings.NewReader(p.stdin), Out: &out, Err: &err, Env: p.env}
	code := cli.Execute(ctx, s, cli.Root(s), args)
	return result{code, out.String(), err.String()}
}

// must runs a command that has to succeed and gives its output.
func (p *person) must(args ...string) string {
	p.t.Helper()
	r := p.run(args...)
	if r.code != 0 || r.err != "" {
		p.t.Fatalf("fairway %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if !bytes.Equal(x, y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}

func TestRequestsAreTheContracts(t *testing.T) {
	samples := filepath.Join("..", "deploy", "samples")
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  []request
	}{
		{"vessel by hand", []string{"vessel", "create", "--name", "A", "--capacity", "5", "--max-weight", "7", "--imo", "9074729", "--open-sailing=false"}, "",
			[]request{{method: "POST", path: "/api/v1/vessels", body: `{"name":"A","capacity":5,"max_weight":7,"imo":"9074729","open_sailing":false}`}}},
		{"the original's vessels", []string{"vessel", "create", "--file", filepath.Join(samples, "vessel.json")}, "",
			[]request{
				{method: "POST", path: "/api/v1/vessels", body: `{"name":"Vessel1","max_weight":200000,"capacity":500}`},
				{method: "POST", path: "/api/v1/vessels", body: `{"name":"Vessel2","max_weight":100000,"capacity":200}`},
				{method: "POST", path: "/api/v1/vessels", body: `{"name":"Vessel3","max_weight":500000,"capacity":1000}`},
			}},
		{"vessel from standard input", []string{"vessel", "create", "-f", "-"}, `{"id":"1","ower_id":"2","name":"A","capacity":1,"max_weight":1}`,
			[]request{{method: "POST", path: "/api/v1/vessels", body: `{"name":"A","capacity":1,"max_weight":1}`}}},
		{"vessel list", []string{"vessel", "list", "--limit", "3"}, "", []request{{method: "GET", path: "/api/v1/vessels", query: "limit=3"}}},
		{"voyage", []string{"voyage", "create", "--vessel", "v/1", "--number", "021W", "--call", "CNSHA,departure=2030-03-01", "--call", "NLRTM,arrival=2030-04-02T14:00:00+02:00"}, "",
			[]request{{method: "POST", path: "/api/v1/vessels/v%2F1/voyages",
				body: `{"number":"021W","calls":[{"port":"CNSHA","departure":"2030-03-01T00:00:00Z"},{"port":"NLRTM","arrival":"2030-04-02T12:00:00Z"}]}`}}},
		{"voyage with less room and a cut-off", []string{"voyage", "create", "--vessel", "v1", "--number", "021W", "--call", "CNSHA", "--capacity", "5", "--max-weight", "7", "--cut-off", "2030-02-28T20:00:00-04:00"}, "",
			[]request{{method: "POST", path: "/api/v1/vessels/v1/voyages",
				body: `{"number":"021W","calls":[{"port":"CNSHA"}],"capacity":5,"max_weight":7,"cut_off":"2030-03-01T00:00:00Z"}`}}},
		{"voyage list", []string{"voyage", "list"}, "", []request{{method: "GET", path: "/api/v1/voyages", query: "limit=50"}}},
		{"voyages looked for", []string{"voyage", "list", "--from", "CNSHA", "--to", "NLRTM", "--after", "2030-03-01", "--teu", "12", "--weight", "0", "--open"}, "",
			[]request{{method: "GET", path: "/api/v1/voyages", query: "after=2030-03-01T00%3A00%3A00Z&from=CNSHA&limit=50&open=true&teu=12&to=NLRTM&weight=0"}}},
		{"voyages that take no bookings", []string{"voyage", "list", "--open=false"}, "", []request{{method: "GET", path: "/api/v1/voyages", query: "limit=50&open=false"}}},
		{"voyage close", []string{"voyage", "close", "y/1"}, "", []request{{method: "POST", path: "/api/v1/voyages/y%2F1/close"}}},
		{"voyage depart", []string{"voyage", "depart", "y1"}, "", []request{{method: "POST", path: "/api/v1/voyages/y1/depart"}}},
		{"voyage complete", []string{"voyage", "complete", "y1"}, "", []request{{method: "POST", path: "/api/v1/voyages/y1/complete"}}},
		{"consignment by count", []string{"consignment", "create", "--description", "Tea & <cups>", "--weight", "5", "--containers", "2", "--from", "CNSHA", "--to", "NLRTM", "--not-before", "2030-03-01", "--voyage", "y1"}, "",
			[]request{{method: "POST", path: "/api/v1/consignments",
				body: `{"description":"Tea & <cups>","weight":5,"containers":[{},{}],"from":"CNSHA","to":"NLRTM","not_before":"2030-03-01T00:00:00Z","voyage_id":"y1"}`}}},
		{"consignment by container", []string{"consignment", "create", "--description", "Tea", "--weight", "5", "--container", "number=CSQU3054383,type=22G1", "--container", "origin=Derby, United Kingdom,type=45G1"}, "",
			[]request{{method: "POST", path: "/api/v1/consignments",
				body: `{"description":"Tea","weight":5,"containers":[{"number":"CSQU3054383","type":"22G1"},{"origin":"Derby, United Kingdom","type":"45G1"}]}`}}},
		{"the original's consignment", []string{"consignment", "create", "--file", filepath.Join(samples, "consignment.json")}, "",
			[]request{{method: "POST", path: "/api/v1/consignments", body: `{"description":"This is a test consignment","weight":55000,"containers":[
				{"customer_id":"5cf681bf8f37b4757ffcded1","origin":"Manchester, United Kingdom"},
				{"customer_id":"5cf681bf8f37b4757ffcded2","origin":"Derby, United Kingdom"},
				{"customer_id":"5cf681bf8f37b4757ffcded3","origin":"Sheffield, United Kingdom"}]}`}}},
		{"consignment list", []string{"consignment", "list", "--state", "confirmed", "--voyage", "y1"}, "",
			[]request{{method: "GET", path: "/api/v1/consignments", query: "limit=50&state=CONFIRMED&voyage_id=y1"}}},
		{"cancel", []string{"consignment", "cancel", "c1"}, "", []request{{method: "POST", path: "/api/v1/consignments/c1/cancel"}}},
		{"log", []string{"log", "--entity", "e", "--actor", "a", "--trace", "t", "--action", "x", "--cursor", "7"}, "",
			[]request{{method: "GET", path: "/api/v1/logs", query: "action=x&actor_id=a&cursor=7&entity_id=e&limit=50&trace_id=t"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			p := signedIn(t, g)
			p.stdin = tt.stdin
			if r := p.run(tt.args...); r.code != 0 {
				t.Fatalf("%+v", r)
			}
			seen := g.seen()
			if len(seen) != len(tt.want) {
				t.Fatalf("%d requests, want %d: %+v", len(seen), len(tt.want), seen)
			}
			for i, got := range seen {
				want := tt.want[i]
				if got.method != want.method || got.path != want.path || got.query != want.query || got.auth != "Bearer "+testToken {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if want.body == "" {
					if got.body != "" {
						t.Errorf("a body came with it: %s", got.body)
					}
				} else {
					sameJSON(t, got.body, want.body)
				}
			}
		})
	}
}

func TestTablesAreForPeopleAndJSONIsForPrograms(t *testing.T) {
	g := newGateway(t)
	p := signedIn(t, g)
	book := []string{"consignment", "create", "--description", "Tea <&>", "--weight", "5", "--containers", "2"}
	const want = "ID           consignment1\nSTATE        CONFIRMED\nDESCRIPTION  Tea <&>\nWEIGHT KG    5\nCONTAINERS   2\n" +
		"FROM         -\nTO           -\nVESSEL       vessel1\nVOYAGE       voyage1\n"
	if got := p.must(book...); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	sameJSON(t, p.must(append(book, "-o", "json")...), `{"created":true,"consignment":{"id":"consignment2","state":"CONFIRMED","description":"Tea <&>",
		"weight":5,"containers":[{},{}],"vessel_id":"vessel1","voyage_id":"voyage1"}}`)
	const list = "ID            STATE      DESCRIPTION  WEIGHT KG  CONTAINERS  FROM  TO  VESSEL   VOYAGE\n" +
		"consignment2  CONFIRMED  Tea <&>      5          2           -     -   vessel1  voyage1\n" +
		"consignment1  CONFIRMED  Tea <&>      5          2           -     -   vessel1  voyage1\n"
	if got := p.must("consignment", "list"); got != list {
		t.Errorf("got\n%s\nwant\n%s", got, list)
	}
	g.add("voyages", 1, func(int) map[string]any {
		return map[string]any{"id": "y1", "number": "021W", "state": "OPEN", "vessel_id": "v1",
			"calls": []map[string]any{{"port": "CNSHA"}, {"port": "SGSIN"}, {"port": "NLRTM"}},
			"legs": []map[string]any{
				{"from": "CNSHA", "to": "SGSIN", "capacity": 10, "used": 2.25, "free": 7.75, "max_weight": 1000, "used_weight": 5},
				{"from": "SGSIN", "to": "NLRTM", "capacity": 10, "used": 0.5, "free": 9.5, "max_weight": 1000, "used_weight": 0},
			}}
	})
	const voyage = "ID        y1\nNUMBER    021W\nSTATE     OPEN\nVESSEL    v1\nROUTE     CNSHA > SGSIN > NLRTM\nFREE TEU  7.75\n\n" +
		"FROM   TO     CAPACITY TEU  USED TEU  FREE TEU  MAX WEIGHT KG  USED WEIGHT KG\n" +
		"CNSHA  SGSIN  10            2.25      7.75      1000           5\n" +
		"SGSIN  NLRTM  10            0.5       9.5       1000           0\n"
	if got := p.must("voyage", "get", "y1"); got != voyage {
		t.Errorf("got\n%s\nwant\n%s", got, voyage)
	}
	const shut = "ID        y1\nNUMBER    -\nSTATE     CLOSED\nVESSEL    -\nROUTE     -\nFREE TEU  -\nCUT-OFF   2030-03-01T00:00:00Z\n"
	if got := p.must("voyage", "close", "y1"); got != shut {
		t.Errorf("got\n%s\nwant\n%s", got, shut)
	}
	g.add("logs", 1, func(int) map[string]any {
		return map[string]any{"id": "e1", "at": "2030-03-01T01:02:03.4+01:00", "action": "created", "entity_type": "vessel", "entity_id": "v1", "actor_id": "u1", "trace_id": "t"}
	})
	const entries = "AT                        ACTION   ENTITY  ID  ACTOR  TRACE\n2030-03-01T00:02:03.400Z  created  vessel  v1  u1     t\n"
	if got := p.must("log"); got != entries {
		t.Errorf("got\n%s\nwant\n%s", got, entries)
	}
	sameJSON(t, p.must("vessel", "create", "-o", "json", "-f", filepath.Join("..", "deploy", "samples", "vessel.json")), `[
		{"created":true,"vessel":{"id":"vessel1","name":"Vessel1","max_weight":200000,"capacity":500}},
		{"created":true,"vessel":{"id":"vessel2","name":"Vessel2","max_weight":100000,"capacity":200}},
		{"created":true,"vessel":{"id":"vessel3","name":"Vessel3","max_weight":500000,"capacity":1000}}]`)
}

func TestListsFollowTheirPages(t *testing.T) {
	g := newGateway(t)
	g.add("vessels", 450, func(i int) map[string]any {
		return map[string]any{"id": "v" + string(rune('a'+i%26)), "name": "V", "capacity": i}
	})
	p := signedIn(t, g)
	count := func(out string) (n int, next string) {
		var answer struct {
			Vessels []json.RawMessage `json:"vessels"`
			Next    string            `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatal(err)
		}
		return len(answer.Vessels), answer.Next
	}
	tests := []struct {
		args            []string
		items, requests int
		more            bool
	}{
		{nil, 50, 1, true},
		{[]string{"--limit", "1"}, 1, 1, true},
		{[]string{"--limit", "250"}, 250, 2, true},
		{[]string{"--limit", "450"}, 450, 3, false},
		{[]string{"--limit", "1000"}, 450, 3, false},
		{[]string{"--all"}, 450, 3, false},
		{[]string{"--all", "--cursor", "9"}, 10, 1, false},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			g.seen()
			items, next := count(p.must(append([]string{"vessel", "list", "-o", "json"}, tt.args...)...))
			if items != tt.items || (next != "") != tt.more || len(g.seen()) != tt.requests {
				t.Errorf("%d items, next %q", items, next)
			}
		})
	}
	if r := p.run("vessel", "list", "--limit", "1"); r.code != 0 || r.err != "There are more: --all lists them.\n" {
		t.Errorf("%+v", r)
	}
	if items, _ := count(p.must("vessel", "list", "-o", "json", "--cursor", "-1")); items != 0 {
		t.Errorf("%d items", items)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !strings.Contains(cmd.Example, "fairway ") || cmd.Short == "" {
			t.Errorf("%s has no example or no summary", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	s := cli.Streams{}
	walk(cli.Root(s))
	if out := newPerson(t).must("--help"); !strings.Contains(out, "5  conflict, such as no capacity") {
		t.Errorf("the exit codes are not in\n%s", out)
	}
}

func TestConfigPrintsWhatServeWouldUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fairway.yaml")
	if err := os.WriteFile(file, []byte("rpc: {timeout: 1s}\nlog: {level: debug}\napi: {max_body: 2MiB}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, "FAIRWAY_RPC_TIMEOUT=2s", "FAIRWAY_LOG_LEVEL=warn", "FAIRWAY_CONFIG="+file)
	out := p.must("config", "--rpc.timeout", "3s", "--trace.jaeger", "http://u:hunter2@jaeger")
	for _, want := range []string{"  timeout: 3s\n", "  level: warn\n", "  max_body: 2MiB\n", "u:****@jaeger"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Error("the password is shown")
	}
	r := p.run("config", "--rpc.timeout", "x", "--api.address", "y")
	if r.code != 2 || !strings.Contains(r.err, `rpc.timeout: "x" from --rpc.timeout`) || !strings.Contains(r.err, `api.address: "y"`) {
		t.Errorf("%+v", r)
	}
}

func TestVersionNamesProgramAndToolchain(t *testing.T) {
	if out := newPerson(t).must("version"); !strings.HasPrefix(out, "fairway ") || !strings.Contains(out, " go1.") {
		t.Errorf("got %q", out)
	}
}

func TestTheVersionFlagIsTheVersionCommand(t *testing.T) {
	p := newPerson(t)
	if flag, command := p.must("--version"), p.must("version"); flag != command {
		t.Errorf("got %q and %q", flag, command)
	}
}

func TestHelpShowsWhatThereIs(t *testing.T) {
	p := newPerson(t)
	for _, tt := range []struct{ args, want string }{
		{"--help", "\n  completion "},
		{"--help", "--version"},
		{"log --help", "  voyage       opened, closed, departed, completed\n  consignment  received, confirmed, rejected, cancelled, completed\n"},
		{"config --help", "the password is shown as ****"},
	} {
		if out := p.must(strings.Fields(tt.args)...); !strings.Contains(out, tt.want) {
			t.Errorf("no %q in\n%s", tt.want, out)
		}
	}
	p.must("completion", "bash")
}

func TestAnEmptyListSaysSoToPeople(t *testing.T) {
	p := signedIn(t, newGateway(t))
	if r := p.run("log", "--action", "bogus"); r != (result{0, "", "nothing found\n"}) {
		t.Errorf("%+v", r)
	}
	sameJSON(t, p.must("log", "--action", "bogus", "-o", "json"), `{"entries":[]}`)
}

func TestARejectedConsignmentShowsItsReason(t *testing.T) {
	const rejected = `{"id":"c1","state":"REJECTED","reason":"no_capacity"}`
	one := serve(t, "application/json", 200, `{"consignment":`+rejected+`}`)
	for _, args := range [][]string{
		{"consignment", "get", "c1"},
		{"consignment", "cancel", "c1"},
		{"consignment", "create", "--description", "Tea", "--weight", "5", "--containers", "2"},
	} {
		if out := one.must(args...); !strings.Contains(out, "\nREASON       no_capacity\n") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	if out := serve(t, "application/json", 200, `{"consignments":[`+rejected+`]}`).must("consignment", "list"); strings.Contains(out, "REASON") {
		t.Errorf("a column that is nearly always empty:\n%s", out)
	}
}
