package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/serve"
	"github.com/fairwayfreight/fairway/config"
)

// asServer makes the test binary be the fairway command, so that tests can kill a real process.
const asServer = "FAIRWAY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
		os.Exit(cli.Execute(context.Background(), streams, cli.Root(streams, serve.Command(streams)), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// process is a Fairway in a process of its own.
type process struct {
	cmd  *exec.Cmd
	base string
}

func spawn(t *testing.T, cfg config.Config) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe, "serve", "--data.dir", cfg.Data.Dir, "--api.address", "127.0.0.1:0", "--rpc.address", "127.0.0.1:0", "--log.level", "error")}
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	address := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "HTTP" {
				address <- fields[1]
			}
		}
	}()
	select {
	case a := <-address:
		p.base = a + "/api/v1"
	case <-time.After(patience):
		t.Fatal("the process did not come up")
	}
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// told is what clients were told before the process died.
type told struct {
	mu        sync.Mutex
	booked    map[string]bool // answered 201
	cancelled map[string]bool // answered 200
	asked     map[string]bool // cancellations that were sent and may or may not have been answered
}

// load books and cancels until the process stops answering.
func (w *told) load(ctx context.Context, base, token string, writer int) {
	for i := 0; ; i++ {
		a, err := send(ctx, "POST", base+"/consignments", token, booking(1+i%3))
		if err != nil {
			return // killed
		}
		if a.status != http.StatusCreated {
			continue
		}
		id := a.text("consignment", "id")
		w.mu.Lock()
		w.booked[id] = true
		w.mu.Unlock()
		if (i+writer)%5 != 0 {
			continue
		}
		w.mu.Lock()
		w.asked[id] = true
		w.mu.Unlock()
		a, err = send(ctx, "POST", base+"/consignments/"+id+"/cancel", token, nil)
		if err != nil {
			return
		}
		if a.status == http.StatusOK {
			w.mu.Lock()
			w.cancelled[id] = true
			w.mu.Unlock()
		}
	}
}

func TestKillNineUnderLoadLosesNothing(t *testing.T) {
	const writers, kills = 32, 4
	cfg := testConfig(t)
	p := spawn(t, cfg)
	h := &house{t: t, base: p.base}
	_, token := h.person("ada@example.com")
	// Some that fill up while the load runs, some that do not.
	voyages := []string{h.vessel(token, 50, 100_000_000), h.vessel(token, 300, 150_000), h.vessel(token, 1_000_000, 2_000_000_000)}
	w := &told{booked: map[string]bool{}, cancelled: map[string]bool{}, asked: map[string]bool{}}
	for round := range kills {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var load sync.WaitGroup
		for i := range writers {
			load.Go(func() { w.load(ctx, p.base, token, i) })
		}
		before := len(w.snapshot())
		await(t, "bookings", func() bool { return len(w.snapshot()) > before+50*(round+1) })
		p.kill()
		load.Wait()
		cancel()
		p = spawn(t, cfg)
		h.base = p.base
	}
	restarted := time.Now()
	var problem string
	for {
		if problem = h.audit(token, voyages, w); problem == "" {
			break
		}
		if time.Since(restarted) > 15*time.Second {
			t.Fatalf("15 s after the restart: %s", problem)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d bookings and %d cancellations were answered over %d kills; all settled %.1f s after the last restart",
		len(w.booked), len(w.cancelled), kills, time.Since(restarted).Seconds())
}

func (w *told) snapshot() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.booked)
}

// audit compares what clients were told with what the API shows now; it returns the first thing that does not fit.
func (h *house) audit(token string, voyages []string, w *told) string {
	h.t.Helper()
	state := map[string]string{}
	sum := map[string]float64{}
	for _, c := range h.all("/consignments?limit=200", "consignments", token) {
		id := c["id"].(string)
		if state[id] != "" {
			return "consignment " + id + " is listed twice"
		}
		state[id] = c["state"].(string)
		switch state[id] {
		case "RECEIVED":
			return "consignment " + id + " is half done"
		case "CONFIRMED":
			sum[c["voyage_id"].(string)] += float64(len(c["containers"].([]any)))
		}
	}
	for id := range w.booked {
		switch s := state[id]; {
		case s == "CONFIRMED" && !w.cancelled[id]:
		case s == "CANCELLED" && w.asked[id]:
		default:
			return fmt.Sprintf("consignment %s is %q; cancelled: %v", id, s, w.cancelled[id])
		}
	}
	for _, v := range voyages {
		a := h.call(http.StatusOK, "GET", "/voyages/"+v, token, nil)
		used, capacity := a.number("voyage", "legs", 0, "used"), a.number("voyage", "legs", 0, "capacity")
		if used != sum[v] {
			return fmt.Sprintf("voyage %s: %v TEU used, live bookings sum up to %v", v, used, sum[v])
		}
		if used > capacity || a.number("voyage", "legs", 0, "used_weight") > a.number("voyage", "legs", 0, "max_weight") {
			return fmt.Sprintf("voyage %s is oversold: %s", v, a.raw)
		}
	}
	logged := map[string]int{}
	for _, e := range h.all("/logs?limit=200", "entries", token) {
		logged[fmt.Sprint(e["entity_id"], " ", e["action"])]++
	}
	for key, n := range logged {
		if n != 1 {
			return fmt.Sprintf("%s is logged %d times", key, n)
		}
	}
	for id, s := range state {
		if logged[id+" received"] != 1 || logged[id+" "+strings.ToLower(s)] != 1 {
			return fmt.Sprintf("consignment %s is %s, but that is not in the log", id, s)
		}
	}
	return ""
}
