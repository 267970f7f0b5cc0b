package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shaky is a gateway that answers its first requests as it is told, and then as it should.
type shaky struct {
	*httptest.Server

	mu   sync.Mutex
	keys []string // of the requests, in order
}

// breakOff lets the connection end without an answer.
func breakOff(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func refuse(status int, code string, retryAfter string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		problem(w, status, code, "Title", "detail")
	}
}

func newShaky(t *testing.T, first ...func(http.ResponseWriter)) *shaky {
	s := &shaky{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		n := len(s.keys)
		s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
		s.mu.Unlock()
		if n < len(first) {
			first[n](w)
			return
		}
		answer(w, http.StatusCreated, map[string]any{"vessel": map[string]any{"id": "v1"}, "user": map[string]any{"id": "u1"}, "consignment": map[string]any{"id": "c1"}, "voyage": map[string]any{"id": "y1"}})
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shaky) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

func (s *shaky) person(t *testing.T) *person {
	return newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN=t", "FAIRWAY_PASSWORD="+testPassword)
}

var newVessel = []string{"vessel", "create", "--name", "A", "--capacity", "1", "--max-weight", "1"}

// changing are the commands that change something.
var changing = [][]string{
	newVessel,
	{"user", "create", "--name", "A", "--email", "a@example.com"},
	{"voyage", "create", "--vessel", "v", "--number", "1", "--call", "CNSHA,departure=2030-03-01", "--call", "NLRTM,arrival=2030-04-01"},
	{"voyage", "close", "y1"},
	{"voyage", "depart", "y1"},
	{"voyage", "complete", "y1"},
	{"consignment", "create", "--description", "Tea", "--weight", "1", "--containers", "1"},
	{"consignment", "cancel", "c1"},
}

func TestEveryChangeHasAKeyOfItsOwnOrTheOneThatIsChosen(t *testing.T) {
	s := newShaky(t)
	p := s.person(t)
	seen := map[string]bool{}
	for _, args := range changing {
		p.must(args...)
		p.must(slices.Concat(args, []string{"--key", "order-17"})...)
		keys := s.seen()
		fresh, chosen := keys[len(keys)-2], keys[len(keys)-1]
		if len(fresh) < 20 || seen[fresh] || chosen != "order-17" {
			t.Errorf("%v: %q, %q", args, fresh, chosen)
		}
		seen[fresh] = true
	}
}

func TestEachOfSeveralVesselsHasAKeyThatFollowsFromTheCommands(t *testing.T) {
	s := newShaky(t)
	p := s.person(t)
	p.stdin = `[{"name":"A"},{"name":"B"}]`
	p.must("vessel", "create", "-f", "-", "--key", "k")
	if got := s.seen(); !slices.Equal(got, []string{"k.1", "k.2"}) {
		t.Errorf("got %q", got)
	}
}

func TestAKeyThatCannotBeOneIsAWrongCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "two.json")
	if err := os.WriteFile(file, []byte(`[{"name":"A"},{"name":"B"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShaky(t)
	for _, args := range [][]string{
		slices.Concat(newVessel, []string{"--key", "a b"}),
		slices.Concat(newVessel, []string{"--key", ""}),
		slices.Concat(newVessel, []string{"--key", strings.Repeat("k", 129)}),
		{"vessel", "create", "-f", file, "--key", strings.Repeat("k", 127)},
	} {
		if r := s.person(t).run(args...); r.code != 2 || !strings.Contains(r.err, "--key must") || len(s.seen()) != 0 {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestAChangeWhoseAnswerIsLostIsSentAgainUnderItsKey(t *testing.T) {
	inFlight := refuse(http.StatusConflict, "conflict", "1")
	for _, tt := range []struct {
		name  string
		first []func(http.ResponseWriter)
	}{
		{"broken connection", []func(http.ResponseWriter){breakOff}},
		{"service away", []func(http.ResponseWriter){refuse(503, "unavailable", "")}},
		{"out of time", []func(http.ResponseWriter){refuse(504, "deadline_exceeded", "")}},
		{"proxy without a gateway", []func(http.ResponseWriter){func(w http.ResponseWriter) { w.WriteHeader(502) }}},
		{"the first is still in flight", []func(http.ResponseWriter){breakOff, inFlight}},
		{"several", []func(http.ResponseWriter){breakOff, refuse(503, "unavailable", "")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newShaky(t, tt.first...)
			r := s.person(t).run(newVessel...)
			if r.code != 0 || r.err != "" || len(s.seen()) != len(tt.first)+1 {
				t.Errorf("sent %d times: %+v", len(s.seen()), r)
			}
			for _, key := range s.seen() {
				if key == "" || key != s.seen()[0] {
					t.Errorf("keys %q", s.seen())
				}
			}
		})
	}
}

func TestWhatIsNotSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first func(http.ResponseWriter)
		args  []string
		code  int
	}{
		{"a mistake", refuse(400, "invalid", ""), newVessel, 1},
		{"no capacity", refuse(409, "no_capacity", ""), newVessel, 5},
		{"another's request in flight", refuse(409, "conflict", "1"), newVessel, 5},
		{"key reused", refuse(422, "idempotency_key_reused", ""), newVessel, 1},
		{"too many requests", refuse(429, "too_many_requests", "1"), newVessel, 6},
		{"a defect", refuse(500, "internal", ""), newVessel, 1},
		{"a service away for longer than there is time", refuse(503, "unavailable", "3600"), newVessel, 6},
		{"a log-in", breakOff, []string{"login", "--email", "a@example.com"}, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShaky(t, tt.first, breakOff, breakOff, breakOff, breakOff)
			start := time.Now()
			r := s.person(t).run(tt.args...)
			if took := time.Since(start); r.code != tt.code || len(s.seen()) != 1 || took > 20*time.Second {
				t.Errorf("sent %d times in %v: %+v", len(s.seen()), took, r)
			}
		})
	}
}

func TestAChangeThatStaysLostCanBeRepeatedByItsKey(t *testing.T) {
	s := newShaky(t, breakOff, breakOff, breakOff, breakOff, breakOff)
	p := s.person(t)
	r := p.run(newVessel...)
	key := s.seen()[0]
	if r.code != 6 || len(s.seen()) != 5 || !strings.Contains(r.err, "whether it took effect is not known: repeat the command with --key "+key+",") {
		t.Fatalf("sent %d times with %s: %+v", len(s.seen()), key, r)
	}
	p.must(slices.Concat(newVessel, []string{"--key", key})...)
	if last := s.seen()[5]; last != key {
		t.Errorf("repeated with %s", last)
	}
}

func TestTriesEndWithTheTimeout(t *testing.T) {
	s := newShaky(t, breakOff, breakOff, breakOff, breakOff, breakOff)
	start := time.Now()
	r := s.person(t).run(slices.Concat(newVessel, []string{"--timeout", "50ms"})...)
	if took := time.Since(start); r.code != 6 || len(s.seen()) != 1 || took > 10*time.Second {
		t.Errorf("sent %d times in %v: %+v", len(s.seen()), took, r)
	}
}

func TestInterruptEndsThePauseBeforeAnotherTry(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newShaky(t, func(w http.ResponseWriter) {
		refuse(503, "unavailable", "20")(w)
		time.AfterFunc(50*time.Millisecond, cancel)
	})
	start := time.Now()
	r := s.person(t).runContext(ctx, newVessel...)
	if took := time.Since(start); r.code != 130 || took > 15*time.Second {
		t.Errorf("after %v: %+v", took, r)
	}
	if want := fmt.Sprintf("--key %s", s.seen()[0]); !strings.Contains(r.err, want) {
		t.Errorf("no %s in %s", want, r.err)
	}
}
