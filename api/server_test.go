package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairwayfreight/fairway/api"
)

func TestReadiness(t *testing.T) {
	b := newBench(t, noConfig)
	b.missing = []string{"user", "vessel"}
	w := b.do("GET", "/readyz", "")
	if p := readProblem(t, w); p.Status != 503 || strings.Join(p.Missing, " ") != "user vessel" || w.Header().Get("Retry-After") != "1" {
		t.Errorf("before anything is there: %+v", p)
	}
	if w := b.do("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}

	b.missing = nil
	if w := b.do("GET", "/readyz", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"ready"`) {
		t.Errorf("once all is there: %d %s", w.Code, w.Body)
	}

	b.missing = []string{"vessel"}
	w = b.do("GET", "/readyz", "")
	if w.Code != 200 {
		t.Errorf("a dependency that failed later: %d", w.Code)
	}
	expectJSON(t, w.Body.String(), `{"status":"degraded","degraded":["vessel"]}`)

	b.gateway.Drain()
	if p := readProblem(t, b.do("GET", "/readyz", "")); p.Status != 503 {
		t.Errorf("draining: %+v", p)
	}
	if w := b.do("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("health while draining: %d", w.Code)
	}
	if w := b.do("GET", "/api/v1/vessels", ""); w.Code != 200 {
		t.Errorf("a request while draining: %d", w.Code)
	}
}

// noLeaks fails the test when goroutines that it started outlive it. Those that go-micro starts when it is imported do not count.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// start serves a bench's gateway and returns the server, its URL, and where Serve's result will be.
func start(t *testing.T, b *bench) (*api.Server, string, <-chan error) {
	t.Helper()
	s, err := api.Listen("127.0.0.1:0", b.gateway)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	return s, "http://" + s.Addr(), served
}

// get sends a request on a connection of its own.
func get(url string) (int, string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+goodToken)
	rsp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer rsp.Body.Close()
	body, err := io.ReadAll(rsp.Body)
	return rsp.StatusCode, string(body), err
}

func TestAddressInUse(t *testing.T) {
	noLeaks(t)
	b := newBench(t, noConfig)
	s, _, served := start(t, b)
	_, err := api.Listen(s.Addr(), b.gateway)
	if err == nil || !strings.Contains(err.Error(), "cannot listen on "+s.Addr()+" (api.address)") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a second server on %s: %v", s.Addr(), err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve after Stop: %v", err)
	}
	again, err := api.Listen(s.Addr(), b.gateway)
	if err != nil {
		t.Fatalf("the address is not free after Stop: %v", err)
	}
	if err := again.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	last, err := api.Listen(s.Addr(), b.gateway)
	if err != nil {
		t.Fatalf("the address is not free after Stop without Serve: %v", err)
	}
	if err := last.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	noLeaks(t)
	b := newBench(t, noConfig)
	entered, release := make(chan struct{}), make(chan struct{})
	b.before = func(context.Context) { close(entered); <-release }
	s, url, served := start(t, b)
	inFlight := make(chan int, 1)
	go func() {
		status, _, _ := get(url + "/api/v1/vessels")
		inFlight <- status
	}()
	<-entered

	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	eventually(t, "the address closes", func() bool {
		_, _, err := get(url + "/healthz")
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("Stop did not wait: %v", err)
	default:
	}
	close(release)
	if status := <-inFlight; status != http.StatusOK {
		t.Errorf("the request in flight: %d", status)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve after Stop: %v", err)
	}
}

func TestReadinessSaysNoBeforeTheAddressCloses(t *testing.T) {
	noLeaks(t)
	b := newBench(t, api.Config{MaxBody: 1 << 20, RequestTimeout: time.Second, DrainDelay: time.Hour})
	s, url, served := start(t, b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	eventually(t, "readiness says no", func() bool {
		status, _, err := get(url + "/readyz")
		if err != nil {
			t.Fatalf("the address closed before its delay: %v", err)
		}
		return status == http.StatusServiceUnavailable
	})
	if status, _, err := get(url + "/api/v1/vessels"); status != http.StatusOK {
		t.Errorf("a request within the delay: %d, %v", status, err)
	}
	cancel() // ends the delay; what Stop then says depends on whether the last connection is gone yet
	<-stopped
	if err := <-served; err != nil {
		t.Errorf("Serve after Stop: %v", err)
	}
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	noLeaks(t)
	b := newBench(t, api.Config{MaxBody: 1 << 20, RequestTimeout: time.Hour})
	entered := make(chan struct{})
	b.before = func(ctx context.Context) { close(entered); <-ctx.Done() }
	s, url, served := start(t, b)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_, _, _ = get(url + "/api/v1/vessels")
	}()
	<-entered

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Stop: %v", err)
	}
	<-finished
	if err := <-served; err != nil {
		t.Errorf("Serve after Stop: %v", err)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	noLeaks(t)
	b := newBench(t, noConfig)
	s, url, served := start(t, b)
	status, _, err := get(url + "/healthz?x=" + strings.Repeat("x", 64<<10))
	if err != nil || status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of header: %d, %v", status, err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
}
