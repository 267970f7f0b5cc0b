package serve_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/prove"
	"github.com/fairwayfreight/fairway/config"
)

// phoenix is a Fairway in a process that is started again, at the same address, whenever it dies.
type phoenix struct {
	api string
	// pid is the file that has the number of the process.
	pid string

	mu   sync.Mutex
	over bool
	cmd  *exec.Cmd
}

func raise(t *testing.T, cfg config.Config) *phoenix {
	t.Helper()
	p := &phoenix{pid: filepath.Join(t.TempDir(), "pid")}
	out := p.start(t, cfg)
	lines := bufio.NewScanner(out)
	for p.api == "" && lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "HTTP" {
			p.api = fields[1]
		}
	}
	cfg.API.Address = strings.TrimPrefix(p.api, "http://")
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for {
			_ = p.cmd.Wait()
			if out = p.start(t, cfg); out == nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		p.mu.Lock()
		p.over = true
		_ = p.cmd.Process.Kill()
		p.mu.Unlock()
		keeper.Wait()
	})
	if p.api == "" {
		t.Fatal("the process did not come up")
	}
	return p
}

// start starts the process, and returns nil when the test is over.
func (p *phoenix) start(t *testing.T, cfg config.Config) *bufio.Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil
	}
	p.cmd = exec.Command(exe, "serve", "--data.dir", cfg.Data.Dir, "--api.address", cfg.API.Address, "--rpc.address", cfg.RPC.Address, "--log.level", "error")
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err == nil {
		err = os.WriteFile(p.pid, fmt.Appendln(nil, p.cmd.Process.Pid), 0o600)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	return bufio.NewReader(out)
}

func TestProveFindsNothingWhenFairwayIsKilled(t *testing.T) {
	p := raise(t, testConfig(t))
	var out, errs bytes.Buffer
	s := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	code := cli.Execute(t.Context(), s, cli.Root(s, prove.Command(s)), []string{
		"prove", "--api", p.api, "--writers", "8", "--spread", "8", "--for", "3s", "--kills", "2", "--settle", "15s", "-o", "json",
		"--kill-command", "kill -9 $(cat '" + p.pid + "')",
	})
	var r struct {
		Confirmed int  `json:"confirmed"`
		Cancelled int  `json:"cancelled"`
		Kills     int  `json:"kills"`
		Clean     bool `json:"clean"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs.String())
	}
	if code != 0 || !r.Clean || r.Kills < 2 || r.Confirmed == 0 || r.Cancelled == 0 {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}

}
