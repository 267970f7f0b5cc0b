package config_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/config"
)

// file gives Load one file in memory.
func file(content string) config.Input {
	return config.Input{File: "fairway.yaml", ReadFile: func(string) ([]byte, error) { return []byte(content), nil }}
}

func problems(t *testing.T, err error) []string {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want *config.Error", err, err)
	}
	return e.Problems
}

func TestNothingConfiguredIsTheDefault(t *testing.T) {
	got, err := config.Load(config.Input{Environ: []string{"PATH=/bin", "FAIRWAY_RPC_TIMEOUT="}})
	if err != nil {
		t.Fatal(err)
	}
	if got != config.Default() {
		t.Errorf("got %+v", got)
	}
}

func TestEveryDefaultIsAcceptedByItsOwnRule(t *testing.T) {
	flags := make(map[string]string)
	for _, s := range config.Settings() {
		flags[s.Key] = s.Default
	}
	got, err := config.Load(config.Input{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	if got != config.Default() {
		t.Errorf("got %+v", got)
	}
}

func TestExampleFileNamesEverySettingWithItsDefault(t *testing.T) {
	got, err := config.Load(config.Input{File: "example.yaml", ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	if got != config.Default() {
		t.Errorf("the example's values are not the defaults: %+v", got)
	}
	// Set once more by a second line, each key of the example is reported as set already; what is not reported is missing.
	data, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	for _, s := range config.Settings() {
		if s.Key != "env" {
			again.WriteString(s.Key + ": '" + s.Default + "'\n")
		}
	}
	_, err = config.Load(file(string(data) + again.String()))
	if n := len(problems(t, err)); n != len(config.Settings())-1 {
		t.Errorf("%d of %d settings are in the example:\n%v", n+1, len(config.Settings()), err)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	const yaml = "rpc:\n  timeout: 1s\n  drain: 1s\n  max_in_flight: 1\n"
	env := []string{"FAIRWAY_RPC_TIMEOUT=2s", "FAIRWAY_RPC_DRAIN=2s"}
	flags := map[string]string{"rpc.timeout": "3s"}

	in := file(yaml)
	in.Environ, in.Flags = env, flags
	got, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.RPC.Timeout, want.RPC.Drain, want.RPC.MaxInFlight = 3*time.Second, 2*time.Second, 1
	if got != want {
		t.Errorf("got %+v, want %+v", got.RPC, want.RPC)
	}
}

func TestEveryWayToWriteAValue(t *testing.T) {
	tests := []struct {
		key, value string
		get        func(config.Config) any
		want       any
	}{
		{"env", "production", func(c config.Config) any { return c.Env }, config.Production},
		{"api.max_body", "2048", func(c config.Config) any { return c.API.MaxBody }, int64(2048)},
		{"api.max_body", "2 MB", func(c config.Config) any { return c.API.MaxBody }, int64(2_000_000)},
		{"api.max_body", "64KiB", func(c config.Config) any { return c.API.MaxBody }, int64(65536)},
		{"api.address", ":0", func(c config.Config) any { return c.API.Address }, ":0"},
		{"api.address", "[::1]:8080", func(c config.Config) any { return c.API.Address }, "[::1]:8080"},
		{"auth.token_ttl", "168h", func(c config.Config) any { return c.Auth.TokenTTL }, 7 * 24 * time.Hour},
		{"auth.hash_queue", "0", func(c config.Config) any { return c.Auth.HashQueue }, 0},
		{"trace.sample", "0.25", func(c config.Config) any { return c.Trace.Sample }, 0.25},
		{"trace.jaeger", "jaeger:6831", func(c config.Config) any { return c.Trace.Jaeger }, "jaeger:6831"},
		{"trace.jaeger", "https://u:p@jaeger/api/traces", func(c config.Config) any { return c.Trace.Jaeger }, "https://u:p@jaeger/api/traces"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			in := file(tt.key + ": '" + tt.value + "'")
			in.Flags = map[string]string{"keys.dir": "/keys"}
			c, err := config.Load(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.get(c); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWrongValuesSayWhatWasExpected(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"env", "staging", "is not one of development, production"},
		{"data.dir", " ", "is not a path such as ./data"},
		{"api.address", "8080", "is not host:port such as 127.0.0.1:8080"},
		{"api.address", "127.0.0.1:http", "is not host:port such as 127.0.0.1:8080"},
		{"api.address", "127.0.0.1:65536", "is not host:port such as 127.0.0.1:8080"},
		{"api.address", "http://127.0.0.1:80", "is not host:port such as 127.0.0.1:8080"},
		{"api.request_timeout", "10", "is not a duration such as 10s"},
		{"api.request_timeout", "-10s", "is not from 100ms to 30s"},
		{"api.max_body", "big", "is not a size such as 1MiB"},
		{"api.max_body", "1TiB", "is not a size such as 1MiB"},
		{"api.max_body", "-1", "is not from 1KiB to 1GiB"},
		{"api.max_body", "9223372036854775807GiB", "is not from 1KiB to 1GiB"},
		{"api.max_body", "17179869185GiB", "is not from 1KiB to 1GiB"}, // overflows to 1GiB
		{"api.max_body", "9223372036854775808", "is not a size such as 1MiB"},
		{"rpc.max_in_flight", "0", "is not a whole number from 1 to 1000000"},
		{"rpc.max_in_flight", "1.5", "is not a whole number from 1 to 1000000"},
		{"breaker.error_percent", "101", "is not a whole number from 1 to 100"},
		{"registry.kind", "consul", "is not available, only memory is"},
		{"store.kind", "mongodb", "is not available, only sqlite is"},
		{"broker.kind", "kafka", "is not available, only memory is"},
		{"auth.token_ttl", "30s", "is not from 1m to 168h"},
		{"auth.token_ttl", "169h", "is not from 1m to 168h"},
		{"trace.sample", "1.01", "is not a number from 0 to 1"},
		{"trace.sample", "NaN", "is not a number from 0 to 1"},
		{"trace.jaeger", "jaeger", "is neither host:port"},
		{"trace.jaeger", ":6831", "is neither host:port"},
		{"trace.jaeger", "ftp://jaeger/", "is neither host:port"},
		{"log.level", "INFO", "is not one of debug, info, warn, error"},
		{"stop.timeout", "", "is not a duration such as 20s"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			_, err := config.Load(config.Input{Flags: map[string]string{tt.key: tt.value}})
			got := problems(t, err)
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.key+": \""+tt.value+"\" from --"+tt.key+" "+tt.want) {
				t.Errorf("got %q, want … %q", got, tt.want)
			}
		})
	}
}

func TestAllProblemsAreNamedAtOnceWithTheirSource(t *testing.T) {
	in := file("rpc:\n  timeout: 5 apples\n  tiemout: 5s\nstore: 7\nlog:\n  level: [info]\nstop.timeout: 1s\nstop:\n  timeout: 2s\n")
	in.Environ = []string{"FAIRWAY_RPC_TIMEOUT=6 apples", "FAIRWAY_API_ADRESS=:80", "FAIRWAY_ZZZ=1"}
	in.Flags = map[string]string{"rpc.timeout": "7 apples", "rpc.tmeout": "1s"}
	_, err := config.Load(in)
	want := []string{
		`rpc.timeout: "5 apples" from fairway.yaml:2 is not a duration such as 5s`,
		`"rpc.tiemout" from fairway.yaml:3 is not a setting, did you mean rpc.timeout?`,
		`"store" from fairway.yaml:4 is a section, its settings go below it`,
		`log.level from fairway.yaml:6 is not a plain value`,
		`stop.timeout from fairway.yaml:9 is set already on line 7`,
		`rpc.timeout: "6 apples" from FAIRWAY_RPC_TIMEOUT is not a duration such as 5s`,
		`FAIRWAY_API_ADRESS is not a variable of Fairway, did you mean FAIRWAY_API_ADDRESS?`,
		`FAIRWAY_ZZZ is not a variable of Fairway`,
		`rpc.timeout: "7 apples" from --rpc.timeout is not a duration such as 5s`,
		`--rpc.tmeout is not a flag, did you mean rpc.timeout?`,
	}
	got := problems(t, err)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, p := range want {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the message lacks %s", p)
		}
	}
}

func TestVariablesOfClientsAndOfKubernetesAreNotMistakes(t *testing.T) {
	_, err := config.Load(config.Input{Environ: []string{
		"FAIRWAY_API=http://127.0.0.1:1", "FAIRWAY_TOKEN=t", "FAIRWAY_PASSWORD=p", "FAIRWAY_CONFIG=f",
		"FAIRWAY_SERVICE_HOST=10.0.0.1", "FAIRWAY_SERVICE_PORT=8080", "FAIRWAY_SERVICE_PORT_HTTP=8080", "FAIRWAY_PORT=tcp://10.0.0.1:8080",
		"FAIRWAY_PORT_8080_TCP=tcp://10.0.0.1:8080", "FAIRWAY_PORT_8080_TCP_ADDR=10.0.0.1", "FAIRWAY_API_PORT_8080_TCP_PROTO=tcp",
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestContradictionsAreNamedAtOnce(t *testing.T) {
	_, err := config.Load(config.Input{Flags: map[string]string{
		"env": "production", "registry.ttl": "5s", "registry.interval": "5s", "rpc.drain": "21s", "api.drain_delay": "20s",
		"api.address": "127.0.0.1:9090",
	}})
	got := problems(t, err)
	for i, want := range []string{"keys.dir", "registry.interval", "rpc.drain", "api.drain_delay", "api.address"} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Errorf("problem %d of %q does not name %s", i, got, want)
		}
	}
	if _, err := config.Load(config.Input{Flags: map[string]string{"api.address": ":0", "rpc.address": ":0"}}); err != nil {
		t.Errorf("two free ports are two ports: %v", err)
	}
}

func TestProductionNeedsAPlaceForItsKeys(t *testing.T) {
	if _, err := config.Load(config.Input{Environ: []string{"FAIRWAY_ENV=production"}}); err == nil {
		t.Error("production without keys.dir was accepted")
	}
	c, err := config.Load(config.Input{Environ: []string{"FAIRWAY_ENV=production", "FAIRWAY_KEYS_DIR=/run/keys"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.KeysDir() != "/run/keys" {
		t.Errorf("keys are in %s", c.KeysDir())
	}
	if got := config.Default().KeysDir(); got != "data/keys" {
		t.Errorf("the default place is %s", got)
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"list":          {"- a\n- b\n", "fairway.yaml is not a mapping"},
		"word":          {"hello", "fairway.yaml is not a mapping"},
		"broken":        {"rpc:\n  timeout: 'x\n", "is not YAML"},
		"two documents": {"env: development\n---\nenv: production\n", "more than one YAML document"},
		"anchor":        {"rpc: &a\n  timeout: 5s\n", "is a section"},
		"alias":         {"env: &e development\nlog.level: *e\n", "is not a plain value"},
		"too large":     {strings.Repeat("#", 17_000), "is larger than"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(file(tt.content))
			if got := strings.Join(problems(t, err), "; "); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n", "rpc:\n#  timeout: 5s\n", "{}"} {
		if c, err := config.Load(file(empty)); err != nil || c != config.Default() {
			t.Errorf("%q: %v", empty, err)
		}
	}
	_, err := config.Load(config.Input{File: "gone.yaml", ReadFile: func(name string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}})
	if got := problems(t, err); got[0] != "gone.yaml cannot be read: file does not exist" {
		t.Errorf("got %q", got)
	}
}

func TestPrintIsReadBackAsTheSameConfiguration(t *testing.T) {
	want := config.Default()
	want.Env = config.Production
	want.Data.Dir = "C:\\data: it's #1\t"
	want.Keys.Dir = "null"
	want.Trace.Jaeger = "[::1]:6831"
	want.Trace.Sample = 1e-7
	want.API.MaxBody = 1025
	want.Auth.TokenTTL = 90*time.Minute + 30*time.Second
	var b bytes.Buffer
	if err := want.Print(&b); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(file(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v\n%s", got, want, b.String())
	}
}

func TestPasswordsAreNeverShown(t *testing.T) {
	const secret = "hunter2"
	c, err := config.Load(config.Input{Flags: map[string]string{"trace.jaeger": "https://me:" + secret + "@jaeger:14268/api/traces"}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, secret) || !strings.Contains(s, "https://me:****@jaeger:14268/api/traces") {
		t.Errorf("printed:\n%s", s)
	}
	for _, in := range []config.Input{
		{Flags: map[string]string{"trace.jaeger": "ftp://me:" + secret + "@jaeger"}},
		{Flags: map[string]string{"trace.jaeger": "https://me:" + secret + "@:1:2"}},
		{Environ: []string{"FAIRWAY_TRACE_JAGER=" + secret}},
	} {
		if _, err := config.Load(in); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

func TestSettingsAreUnambiguous(t *testing.T) {
	keys, env := make(map[string]bool), make(map[string]bool)
	for _, s := range config.Settings() {
		if keys[s.Key] || env[s.Env] {
			t.Errorf("%s (%s) is there twice", s.Key, s.Env)
		}
		keys[s.Key], env[s.Env] = true, true
		if s.About == "" {
			t.Errorf("%s says nothing about itself", s.Key)
		}
	}
}

func FuzzFile(f *testing.F) {
	example, err := os.ReadFile("example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	for _, s := range []string{"a: b", "rpc: {timeout: 5s}", "rpc.timeout: 5s", "? a\n: b", "a: !!int 5", "<<: *a", "a: |\n  x\n", "[", "a: [1,\n", "--- \n...\n---"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Load(file(string(data)))
		if err != nil {
			problems(t, err)
			return
		}
		var b bytes.Buffer
		if err := c.Print(&b); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load(file(b.String()))
		if err != nil {
			t.Fatalf("printed configuration is refused: %v\n%s", err, b.String())
		}
		if again != c && !strings.Contains(b.String(), "****") {
			t.Fatalf("printed configuration differs:\n%+v\n%+v", c, again)
		}
	})
}
