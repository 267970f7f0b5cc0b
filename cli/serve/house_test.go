package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/cli/serve"
	"github.com/fairwayfreight/fairway/config"
)

// patience is how long a test waits for what must happen; only a broken Fairway makes it wait that long.
const patience = 30 * time.Second

// testConfig is the default configuration on free ports and a data directory of the test's own.
func testConfig(t testing.TB) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Data.Dir = filepath.Join(t.TempDir(), "data")
	cfg.API.Address = "127.0.0.1:0"
	cfg.RPC.Address = "127.0.0.1:0"
	return cfg
}

// house is a whole Fairway, started as make run starts it, and a way to talk to it.
type house struct {
	t testing.TB
	*serve.Fairway
	cfg  config.Config
	base string
}

func open(t testing.TB, cfg config.Config) *house {
	t.Helper()
	f, err := serve.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return &house{t: t, Fairway: f, cfg: cfg, base: "http://" + f.HTTP() + "/api/v1"}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    []byte
}

// at walks into the answer: names of objects, numbers of lists.
func (a answer) at(path ...any) any {
	var v any = a.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (a answer) text(path ...any) string { s, _ := a.at(path...).(string); return s }
func (a answer) number(path ...any) float64 {
	n, _ := a.at(path...).(float64)
	return n
}

// send makes one HTTP request; headers come in pairs.
func send(ctx context.Context, method, url, token string, body any, headers ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(b))
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer rsp.Body.Close()
	a := answer{status: rsp.StatusCode, header: rsp.Header}
	if a.raw, err = io.ReadAll(rsp.Body); err != nil {
		return a, err
	}
	if len(a.raw) > 0 {
		_ = json.Unmarshal(a.raw, &a.body)
	}
	return a, nil
}

// call makes a request that must come back with the given status.
func (h *house) call(want int, method, path, token string, body any, headers ...string) answer {
	h.t.Helper()
	a, err := send(h.t.Context(), method, h.base+path, token, body, headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	if a.status != want {
		h.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, want, a.raw)
	}
	return a
}

type object = map[string]any

// person signs up and in and returns id and token.
func (h *house) person(email string, roles ...string) (id, token string) {
	h.t.Helper()
	req := object{"name": "Test", "email": email, "password": "a good password"}
	if len(roles) > 0 {
		req["roles"] = roles
	}
	h.call(http.StatusCreated, "POST", "/users", "", req)
	a := h.call(http.StatusOK, "POST", "/sessions", "", object{"email": email, "password": "a good password"})
	return a.text("user", "id"), a.text("token")
}

// vessel offers a vessel and returns the id of its sailing.
func (h *house) vessel(token string, teu, kg int) string {
	h.t.Helper()
	a := h.call(http.StatusCreated, "POST", "/vessels", token, object{"name": "Test", "capacity": teu, "max_weight": kg})
	for _, v := range h.call(http.StatusOK, "GET", "/voyages?limit=200", token, nil).at("voyages").([]any) {
		if v.(object)["vessel_id"] == a.text("vessel", "id") {
			return v.(object)["id"].(string)
		}
	}
	h.t.Fatal("the vessel has no sailing")
	return ""
}

// used is the room taken on the first leg of a voyage, in TEU and kg.
func (h *house) used(token, voyage string) (teu, kg float64) {
	h.t.Helper()
	a := h.call(http.StatusOK, "GET", "/voyages/"+voyage, token, nil)
	return a.number("voyage", "legs", 0, "used"), a.number("voyage", "legs", 0, "used_weight")
}

func booking(containers int) object {
	list := make([]object, containers)
	for i := range list {
		list[i] = object{}
	}
	return object{"description": "Tea", "weight": 1000, "containers": list}
}

// all walks every page of a list.
func (h *house) all(path, name, token string) []object {
	h.t.Helper()
	var list []object
	for next := path; ; {
		a := h.call(http.StatusOK, "GET", next, token, nil)
		items, _ := a.at(name).([]any)
		for _, i := range items {
			list = append(list, i.(object))
		}
		cursor := a.text("next_cursor")
		if cursor == "" {
			return list
		}
		next = fmt.Sprintf("%s&cursor=%s", path, cursor)
	}
}

// await waits until done says so.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
