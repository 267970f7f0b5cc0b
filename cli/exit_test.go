package cli_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
)

func TestExitCodesOfTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.json")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vessel, book := []string{"vessel", "create", "--file", file}, []string{"consignment", "create", "--file", file}
	tests := []struct {
		name, file string
		args       []string
		want       string
	}{
		{"unknown command", "", []string{"vesel", "list", "--limit", "3"}, "fairway: unknown command \"vesel\", did you mean vessel?\n"},
		{"unknown command, help", "", []string{"lgoin", "--help"}, "unknown command \"lgoin\", did you mean login?\n"},
		{"unknown command like no other", "", []string{"sail\taway"}, "unknown command \"sail\\taway\"\n"},
		{"group alone", "", []string{"vessel"}, "vessel needs one of: create, get, list"},
		{"unknown subcommand", "", []string{"vessel", "creat", "--name", "x"}, `"creat" is not a command of vessel`},
		{"unknown flag", "", []string{"vessel", "list", "--lmiit"}, "unknown flag --lmiit, did you mean --limit?\n"},
		{"unknown setting", "", []string{"config", "--rpc.tiemout", "5s"}, "unknown flag --rpc.tiemout, did you mean --rpc.timeout?\n"},
		{"flag without its value", "", []string{"vessel", "create", "--name"}, "--name needs a value"},
		{"too few arguments", "", []string{"consignment", "get"}, "fairway: consignment get needs an ID\n"},
		{"one argument too many", "", []string{"vessel", "get", "v1", "v2"}, `vessel get needs an ID and nothing else: "v2" is too much`},
		{"too many arguments", "", []string{"whoami", "x"}, `whoami takes flags alone: "x" is too much`},
		{"password on the command line", "", []string{"login", "--email", "a", "--password", "b"}, "unknown flag --password\n"},
		{"all missing flags at once", "", []string{"vessel", "create"}, "missing --name, --capacity, --max-weight"},
		{"not a number", "", []string{"vessel", "create", "--capacity", "5t"}, "fairway: --capacity \"5t\" is not a whole number\n"},
		{"number that is too large", "", []string{"vessel", "create", "--capacity", "9223372036854775808"}, `--capacity "9223372036854775808" is out of range`},
		{"not a truth", "", []string{"vessel", "create", "--open-sailing=perhaps"}, `--open-sailing "perhaps" is neither true nor false`},
		{"not a duration", "", []string{"whoami", "--timeout", "5 apples"}, `--timeout "5 apples" is not a duration such as 5s`},
		{"output", "", []string{"whoami", "-o", "yaml"}, `--output "yaml"`},
		{"limit", "", []string{"vessel", "list", "--limit", "0"}, "--limit must be at least 1"},
		{"limit and all", "", []string{"vessel", "list", "--limit", "1", "--all"}, "--all and --limit cannot be used together"},
		{"timeout", "", []string{"whoami", "--timeout", "0s"}, "--timeout must be more than 0"},
		{"address", "", []string{"whoami", "--api", "127.0.0.1:8080"}, "is not a URL such as http://127.0.0.1:8080"},
		{"id that is a path", "", []string{"vessel", "get", ".."}, `".." is not an id`},
		{"time", "", []string{"voyage", "create", "--vessel", "v", "--number", "1", "--call", "CNSHA,departure=soon"}, `departure "soon" is not a time`},
		{"call", "", []string{"voyage", "create", "--vessel", "v", "--number", "1", "--call", "CNSHA,eta=2030-01-01"}, "arrival, departure"},
		{"no containers", "", []string{"consignment", "create", "--description", "a", "--weight", "1"}, "--containers must be 1 to 500"},
		{"too many containers", "", []string{"consignment", "create", "--description", "a", "--weight", "1", "--containers", "501"}, "--containers must be 1 to 500"},
		{"unknown part of a container", "", []string{"consignment", "create", "--description", "a", "--weight", "1", "--container", "colour=red"}, "number, type, customer_id, origin"},
		{"part named twice", "", []string{"consignment", "create", "--description", "a", "--weight", "1", "--container", "type=a,type=b"}, "names type twice"},
		{"file and flags", "{}", append(vessel, "--name", "x"), "--file and --name cannot be used together"},
		{"containers twice", "", []string{"consignment", "create", "--description", "a", "--weight", "1", "--containers", "1", "--container", "type=22G1"}, "--containers and --container cannot be used together"},
		{"folder for a file", "", []string{"vessel", "create", "-f", filepath.Dir(file)}, "fairway: " + filepath.Dir(file) + " cannot be read: is a directory\n"},
		{"missing file", "", []string{"vessel", "create", "-f", file + ".gone"}, "no such file"},
		{"not JSON", "[\n{\"name\": }]", vessel, "line 2 is not JSON"},
		{"second value", "{} {}", vessel, "is not JSON"},
		{"number", "7", vessel, "an object or a list of objects"},
		{"null", "[null]", vessel, "null is not an object"},
		{"list of consignments", "[{}]", book, "does not hold an object"},
		{"unknown fields", `[{"name":"A","colour":1},{"weigth":2}]`, vessel, "unknown fields: [0].colour, [1].weigth"},
		{"unknown fields inside", `{"containers":[{"user_id":"x"},{"size":1}],"wieght":1}`, book, "unknown fields: containers[1].size, wieght"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(tt.file)
			// Nothing listens at this address: a command that got as far as a request would exit with 6.
			r := newPerson(t, "FAIRWAY_API=http://127.0.0.1:1", "FAIRWAY_TOKEN=t").run(tt.args...)
			if r.code != 2 || r.out != "" || !strings.Contains(r.err, tt.want) || !strings.Contains(r.err, "--help") {
				t.Errorf("exit %d, want 2 and %q\n%s%s", r.code, tt.want, r.out, r.err)
			}
		})
	}
}

func TestExitCodeOfEveryFault(t *testing.T) {
	want := map[fault.Code]int{
		fault.Unauthenticated: 3, fault.BadCredentials: 3, fault.PermissionDenied: 3,
		fault.NotFound: 4,
		fault.Conflict: 5, fault.EmailTaken: 5, fault.WrongState: 5, fault.NoCapacity: 5,
		fault.TooManyRequests: 6, fault.Overloaded: 6, fault.Unavailable: 6, fault.DeadlineExceeded: 6,
	}
	for _, code := range fault.Codes() {
		t.Run(string(code), func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				problem(w, code.HTTP(), string(code), code.Title(), "a reason")
			}))
			defer s.Close()
			expected := 1
			if c, ok := want[code]; ok {
				expected = c
			}
			r := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t").run("whoami")
			if r.code != expected || r.out != "" {
				t.Errorf("exit %d, want %d", r.code, expected)
			}
			for _, part := range []string{code.Title() + ": a reason", "trace " + testTrace} {
				if !strings.Contains(r.err, part) {
					t.Errorf("no %q in\n%s", part, r.err)
				}
			}
			if (code == fault.Unauthenticated) != strings.Contains(r.err, "run fairway login") {
				t.Errorf("advice to log in: %s", r.err)
			}
		})
	}
}

func TestEveryWrongFieldIsShown(t *testing.T) {
	r := signedIn(t, newGateway(t)).run("consignment", "create", "--description", "", "--weight", "0", "--containers", "1")
	const want = "fairway: Invalid request\n  weight: must be at least 1 kg\n  description: required\n  trace " + testTrace + "\n"
	if r.code != 1 || r.err != want {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
}

func TestAWrongFieldIsCalledByItsFlagToo(t *testing.T) {
	fields := []map[string]string{}
	for _, field := range []string{"weight", "voyage_id", "not_before", "containers[0].number", "from"} {
		fields = append(fields, map[string]string{"field": field, "message": "is wrong"})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusBadRequest, "invalid", "Invalid request", "weight is wrong", fields...)
	}))
	defer s.Close()
	p := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t")
	r := p.run("consignment", "create", "--description", "Tea", "--weight", "1", "--voyage", "x", "--not-before", "2030-03-01", "--container", "number=x")
	const want = "fairway: Invalid request\n  weight: is wrong\n  voyage_id (--voyage): is wrong\n  not_before (--not-before): is wrong\n" +
		"  containers[0].number (--container): is wrong\n  from: is wrong\n  trace " + testTrace + "\n"
	if r.code != 1 || r.err != want {
		t.Errorf("exit %d\n%s", r.code, r.err)
	}
	p.stdin = "{}"
	if r := p.run("consignment", "create", "-f", "-"); r.code != 1 || strings.Contains(r.err, "--") {
		t.Errorf("a file has no flags: %+v", r)
	}
}

func TestNoCapacityIsAConflict(t *testing.T) {
	r := signedIn(t, newGateway(t)).run("consignment", "create", "--description", "Tea", "--weight", "1", "--containers", "101", "-o", "json")
	if r.code != 5 || r.out != "" || !strings.Contains(r.err, "no sailing has room") {
		t.Errorf("%+v", r)
	}
}

func TestAListOfVesselsStopsAtTheFirstRefusalAndShowsWhatWasMade(t *testing.T) {
	g := newGateway(t)
	p := signedIn(t, g)
	p.stdin = `[{"name":"A"},{"name":"Flying Dutchman"},{"name":"C"}]`
	r := p.run("vessel", "create", "-f", "-")
	if r.code != 3 || !strings.Contains(r.out, "vessel1") || !strings.Contains(r.err, "number 2 of 3: Not allowed") {
		t.Errorf("%+v", r)
	}
	if n := len(g.seen()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestNothingListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	r := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t").run("vessel", "create", "--name", "A", "--capacity", "1", "--max-weight", "1")
	if r.code != 6 || !strings.Contains(r.err, "cannot reach "+s.URL) || !strings.Contains(r.err, "is Fairway running") || strings.Contains(r.err, "not known") {
		t.Errorf("%+v", r)
	}
}

// silent is a server that takes requests and does not answer before the test ends.
func silent(t *testing.T) (s *httptest.Server, arrived chan struct{}) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	s = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	return s, arrived
}

func TestASlowServiceIsUnavailable(t *testing.T) {
	s, _ := silent(t)
	r := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t").run("whoami", "--timeout", "50ms")
	if r.code != 6 || !strings.Contains(r.err, "did not answer within 50ms") {
		t.Errorf("%+v", r)
	}
}

func TestInterruptEndsACommandInTheMiddle(t *testing.T) {
	s, arrived := silent(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	go func() {
		<-arrived
		cancel()
	}()
	p := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t")
	r := p.runContext(ctx, "consignment", "cancel", "c1")
	if r.code != 130 || !strings.HasPrefix(r.err, "fairway: interrupted\n") || !strings.Contains(r.err, "whether it took effect is not known") {
		t.Errorf("%+v", r)
	}
}
