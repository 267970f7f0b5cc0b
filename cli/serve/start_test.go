package serve_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/serve"
	"github.com/fairwayfreight/fairway/config"
)

func TestWhatKeepsFairwayFromStartingIsSaidInOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := testConfig(t)
	open(t, running)
	for name, tc := range map[string]struct {
		change func(*config.Config)
		names  []string
		says   string
	}{
		"the HTTP port is taken":                 {func(c *config.Config) { c.API.Address = taken.Addr().String() }, nil, taken.Addr().String() + " (api.address)"},
		"the gRPC port is taken":                 {func(c *config.Config) { c.RPC.Address = taken.Addr().String() }, nil, taken.Addr().String() + " (rpc.address)"},
		"the data directory is a file":           {func(c *config.Config) { c.Data.Dir = file }, nil, file},
		"the data directory is below a file":     {func(c *config.Config) { c.Data.Dir = filepath.Join(file, "data") }, nil, file},
		"the data directory is in use":           {func(c *config.Config) { c.Data.Dir = running.Data.Dir }, nil, "another process"},
		"there is no such service":               {func(*config.Config) {}, []string{"vesel"}, "vessel"},
		"a memory registry cannot be split":      {func(*config.Config) {}, []string{"vessel"}, "registry.kind"},
		"production has no keys":                 {func(c *config.Config) { c.Env = config.Production; c.Keys.Dir = t.TempDir() }, nil, "key"},
		"the Jaeger agent's address is no host:": {func(c *config.Config) { c.Trace.Jaeger = "nonsense" }, nil, "nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			tc.change(&cfg)
			f, err := serve.Start(t.Context(), cfg, slog.New(slog.DiscardHandler), tc.names...)
			if err == nil {
				f.Stop()
				t.Fatal("it started")
			}
			t.Log(err)
			var list *config.Error // lists everything that is wrong with the settings, a line each
			if text := err.Error(); !strings.Contains(text, tc.says) || !errors.As(err, &list) && strings.Contains(text, "\n") {
				t.Errorf("it says %q, which should name %q", text, tc.says)
			}
		})
	}
}

func TestASecondServeAsksWhetherFairwayIsRunning(t *testing.T) {
	running := testConfig(t)
	open(t, running)
	var stdout, stderr bytes.Buffer
	streams := cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	code := cli.Execute(t.Context(), streams, cli.Root(streams, serve.Command(streams)),
		[]string{"serve", "--data.dir", running.Data.Dir, "--api.address", "127.0.0.1:0", "--rpc.address", "127.0.0.1:0"})
	const want = ".db is open in another process: is Fairway running already? Choose another --data.dir\n"
	if code != 1 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}

func TestHelpSaysWhatCannotBeSplit(t *testing.T) {
	var stdout, stderr bytes.Buffer
	streams := cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	root := cli.Root(streams, serve.Command(streams), serve.KeysCommand(streams))
	if code := cli.Execute(t.Context(), streams, root, []string{"serve", "--help"}); code != 0 || !strings.Contains(stdout.String(), "naming fewer than all services is refused") {
		t.Errorf("exit %d: %s", code, stdout.String())
	}
	if code := cli.Execute(t.Context(), streams, root, []string{"keys", "create"}); code != 2 || !strings.HasPrefix(stderr.String(), "fairway: keys create needs a DIR\n") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}

func TestTheCommandServesAndStopsAndTellsWhatToDo(t *testing.T) {
	cfg := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	pipe := &notify{Buffer: &stdout, ready: make(chan string, 1)}
	streams := cli.Streams{In: strings.NewReader(""), Out: pipe, Err: &stderr}
	done := make(chan int, 1)
	go func() {
		done <- cli.Execute(ctx, streams, cli.Root(streams, serve.Command(streams)),
			[]string{"serve", "--data.dir", cfg.Data.Dir, "--api.address", cfg.API.Address, "--rpc.address", cfg.RPC.Address})
	}()
	welcome := <-pipe.ready
	for _, want := range []string{"http://127.0.0.1:", "gRPC", cfg.Data.Dir, "user create", "vessel create", "consignment create"} {
		if !strings.Contains(welcome, want) {
			t.Errorf("%q is missing from:\n%s", want, welcome)
		}
	}
	start := strings.Index(welcome, "http://")
	url := strings.Fields(welcome[start:])[0]
	for _, path := range []string{"/healthz", "/readyz"} {
		a, err := send(t.Context(), "GET", url+path, "", nil)
		if err != nil || a.status != http.StatusOK {
			t.Errorf("%s: %d %s, %v", path, a.status, a.raw, err)
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}

// notify hands over what has been written once it is the whole welcome.
type notify struct {
	*bytes.Buffer
	ready chan string
}

func (n *notify) Write(p []byte) (int, error) {
	count, err := n.Buffer.Write(p)
	if strings.Contains(string(p), "Ctrl-C stops it") {
		n.ready <- n.Buffer.String()
	}
	return count, err
}

func TestProductionRunsOnKeysThatWereMadeForIt(t *testing.T) {
	cfg := testConfig(t)
	cfg.Env = config.Production
	cfg.Keys.Dir = filepath.Join(t.TempDir(), "keys")
	var stdout, stderr bytes.Buffer
	streams := cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	if code := cli.Execute(t.Context(), streams, cli.Root(streams, serve.KeysCommand(streams)), []string{"keys", "create", cfg.Keys.Dir}); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	h := open(t, cfg)
	h.person("ada@example.com")
	if _, err := os.Stat(filepath.Join(cfg.Data.Dir, "keys")); !os.IsNotExist(err) {
		t.Errorf("keys were made in the data directory: %v", err)
	}
}

func TestKeysAndDocumentsAreTheOwnersAlone(t *testing.T) {
	cfg := testConfig(t)
	open(t, cfg)
	err := filepath.Walk(cfg.Data.Dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
