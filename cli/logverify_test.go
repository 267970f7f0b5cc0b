package cli_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

var (
	logKey   = ed25519.NewKeyFromSeed([]byte("the seed of a key for tests only"))
	otherKey = ed25519.NewKeyFromSeed([]byte("the seed of somebody else's key."))
)

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// logbook plays the gateway to a log: what it has, one page of two links or one head at a time.
type logbook struct {
	*httptest.Server
	chains [chain.Count][]chain.Link
	heads  []chain.Signed
	key    ed25519.PrivateKey
}

// newLogbook makes a sound log of n entries about different entities, signed after every seventh.
func newLogbook(t *testing.T, n int) *logbook {
	t.Helper()
	b := &logbook{key: logKey}
	for i := range n {
		entity := fmt.Sprintf("consignment-%d", i)
		number := chain.Of(entity)
		links := b.chains[number]
		previous := chain.Genesis(number)
		if len(links) > 0 {
			previous = links[len(links)-1].Hash
		}
		content := fmt.Appendf(nil, `{"id":"e%d","entity_id":%q,"data":{"text":"<ä> \u2028"}}`, i, entity)
		b.chains[number] = append(links, chain.Link{Position: int64(len(links) + 1), Hash: chain.Next(previous, content), Content: content})
		if i%7 == 6 {
			b.sign(t, time.Date(2026, 11, 21, 12, i, 0, 0, time.UTC))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/log-chains", b.serveChain)
	mux.HandleFunc("GET /api/v1/log-heads", b.serveHeads)
	b.Server = httptest.NewServer(mux)
	t.Cleanup(b.Close)
	return b
}

func (b *logbook) sign(t *testing.T, at time.Time) {
	t.Helper()
	h := chain.Heads{Number: int64(len(b.heads) + 1), Previous: chain.HeadsGenesis(), Time: at}
	if len(b.heads) > 0 {
		h.Previous = b.heads[0].Digest()
	}
	for number, links := range b.chains {
		if n := len(links); n > 0 {
			h.Chains[number] = chain.Head{Position: int64(n), Hash: hex.EncodeToString(links[n-1].Hash)}
		}
	}
	s, err := chain.Sign(h, b.key)
	if err != nil {
		t.Fatal(err)
	}
	b.heads = append([]chain.Signed{s}, b.heads...)
}

func (b *logbook) serveChain(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.URL.Query().Get("chain"))
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	page := []map[string]any{}
	for _, l := range b.chains[number] {
		if l.Position > after && len(page) < 2 {
			page = append(page, map[string]any{"position": l.Position, "hash": hex.EncodeToString(l.Hash), "content": string(l.Content)})
		}
	}
	answer(w, http.StatusOK, map[string]any{"chain": number, "links": page})
}

func (b *logbook) serveHeads(w http.ResponseWriter, r *http.Request) {
	at, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	result := map[string]any{"heads": []any{}, "keys": map[string][]byte{chain.KeyID(publicOf(b.key)): publicOf(b.key)}}
	if at < len(b.heads) {
		h := b.heads[at]
		result["heads"] = []any{map[string]any{"content": string(h.Content), "key_id": h.KeyID, "signature": h.Signature}}
		if at+1 < len(b.heads) {
			result["next_cursor"] = strconv.Itoa(at + 1)
		}
	}
	answer(w, http.StatusOK, result)
}

// longest is the number of the longest chain.
func (b *logbook) longest() int {
	most := 0
	for number := range b.chains {
		if len(b.chains[number]) > len(b.chains[most]) {
			most = number
		}
	}
	return most
}

func auditor(t *testing.T, b *logbook) *person {
	return newPerson(t, "FAIRWAY_API="+b.URL, "FAIRWAY_TOKEN="+testToken)
}

func TestASoundLogIsVerified(t *testing.T) {
	b := newLogbook(t, 50)
	out := auditor(t, b).must("log", "verify")
	lines := strings.Split(out, "\n")
	if !strings.HasPrefix(lines[0], "CHAIN  ENTRIES  SIGNED  HEAD") || len(lines) != 1+chain.Count+3 ||
		lines[chain.Count+2] != "entries: 50, signed heads: 7, the last of 2026-11-21T12:48:00Z: sound" {
		t.Errorf("got\n%s", out)
	}
	var report struct {
		Sound    bool
		Entries  int
		Heads    int
		SignedAt time.Time `json:"signed_at"`
		Chains   []struct {
			Chain, Entries, Last, Signed int
			Head, Verdict                string
		}
		Findings []any
	}
	if err := json.Unmarshal([]byte(auditor(t, b).must("log", "verify", "-o", "json")), &report); err != nil {
		t.Fatal(err)
	}
	number := b.longest()
	links := b.chains[number]
	got := report.Chains[number]
	if !report.Sound || report.Entries != 50 || report.Heads != 7 || len(report.Chains) != chain.Count || report.Findings == nil ||
		got.Entries != len(links) || got.Last != len(links) || got.Head != hex.EncodeToString(links[len(links)-1].Hash) || got.Verdict != "sound" {
		t.Errorf("got %+v", report)
	}
}

func TestWhatIsWrongWithTheLogIsTold(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(b *logbook, links *[]chain.Link)
		want   string
	}{
		{"changed", func(b *logbook, l *[]chain.Link) { (*l)[1].Content[7] ^= 1 }, "chain %d, position 2: the entry does not follow from the one before it"},
		{"missing", func(b *logbook, l *[]chain.Link) { *l = append((*l)[:1:1], (*l)[2:]...) }, "chain %d, position 2: 1 entry is missing"},
		{"cut", func(b *logbook, l *[]chain.Link) { *l = (*l)[:1] }, "the end of the chain is cut off"},
		{"misplaced", func(b *logbook, l *[]chain.Link) {
			foreign := []byte(`{"id":"x","entity_id":"\u001b[31mred"}`)
			last := (*l)[len(*l)-1]
			*l = append(*l, chain.Link{Position: last.Position + 1, Hash: chain.Next(last.Hash, foreign), Content: foreign})
		}, `the entry belongs to the entity "\x1b[31mred"`},
		{"forged", func(b *logbook, l *[]chain.Link) { b.heads[2].Signature[3] ^= 1 }, "the heads of 2026-11-21T12:34:00Z: their signature is false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newLogbook(t, 50)
			number := b.longest()
			tc.tamper(b, &b.chains[number])
			want := tc.want
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, number)
			}
			r := auditor(t, b).run("log", "verify")
			if r.code != 1 || !strings.Contains(r.out, want) || strings.Contains(r.out, ": sound") || !strings.Contains(r.err, "fairway: the log is not what it was") {
				t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
			}
			if tc.name != "forged" && !strings.Contains(r.out, tc.name+"\n") {
				t.Errorf("no verdict %s in\n%s", tc.name, r.out)
			}
			if strings.Contains(r.out, "\x1b") {
				t.Errorf("raw text of the log on the terminal: %q", r.out)
			}
			var report struct {
				Sound    bool
				Findings []struct {
					Kind  string
					Chain *int
				}
			}
			r = auditor(t, b).run("log", "verify", "-o", "json")
			if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 1 {
				t.Fatalf("exit %d, %v: %s", r.code, err, r.out)
			}
			if f := report.Findings; report.Sound || len(f) == 0 || f[0].Kind != tc.name || (f[0].Chain == nil) != (tc.name == "forged") {
				t.Errorf("got %+v", report)
			}
		})
	}
}

func TestAPinnedKeyIsTrustedAndNoOther(t *testing.T) {
	file := filepath.Join(t.TempDir(), "service-log.pub.pem")
	der, err := x509.MarshalPKIXPublicKey(publicOf(logKey))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	digits := hex.EncodeToString(publicOf(logKey))
	other := hex.EncodeToString(publicOf(otherKey))
	sound := newLogbook(t, 20)
	// The service has been taken over: its heads are signed, and its key is told, by somebody else.
	taken := newLogbook(t, 20)
	taken.key, taken.heads = otherKey, nil
	taken.sign(t, time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))
	// The key has been changed: older heads have the old one.
	changed := newLogbook(t, 20)
	changed.key = otherKey
	changed.sign(t, time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))

	for _, tc := range []struct {
		name  string
		b     *logbook
		pins  []string
		code  int
		wants string
	}{
		{"file", sound, []string{file}, 0, "signed heads: 2"},
		{"digits", sound, []string{digits}, 0, "signed heads: 2"},
		{"wrong key", sound, []string{other}, 1, "is not known as a key of the log"},
		{"nothing pinned", taken, nil, 0, "sound"},
		{"taken over", taken, []string{file}, 1, "is not known as a key of the log"},
		{"changed key, nothing pinned", changed, nil, 1, "is not known as a key of the log"},
		{"changed key, both pinned", changed, []string{digits, other}, 0, "signed heads: 3"},
		{"no such file", sound, []string{file + "x"}, 2, "no such file"},
		{"no key", sound, []string{"logverify_test.go"}, 2, "logverify_test.go holds no Ed25519 public key"},
	} {
		args := []string{"log", "verify"}
		for _, pin := range tc.pins {
			args = append(args, "--public-key", pin)
		}
		if r := auditor(t, tc.b).run(args...); r.code != tc.code || !strings.Contains(r.out+r.err, tc.wants) {
			t.Errorf("%s: exit %d, want %d\n%s%s", tc.name, r.code, tc.code, r.out, r.err)
		}
	}
}

func TestALogWithoutSignedHeadsIsWarnedAbout(t *testing.T) {
	b := newLogbook(t, 5)
	r := auditor(t, b).run("log", "verify")
	if r.code != 0 || !strings.Contains(r.out, "entries: 5, signed heads: 0: sound") || !strings.Contains(r.err, "could have been written anew") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := auditor(t, newLogbook(t, 0)).run("log", "verify"); r.code != 0 || r.err != "" {
		t.Errorf("an empty log: exit %d\n%s%s", r.code, r.out, r.err)
	}
}

func TestVerifyingEndsWhereTheGatewayDoesNot(t *testing.T) {
	for name, serve := range map[string]func(w http.ResponseWriter, r *http.Request){
		"does not advance beyond position 5": func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, map[string]any{"links": []any{map[string]any{"position": 5, "hash": "", "content": ""}}})
		},
		"does not advance beyond cursor": func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, map[string]any{"next_cursor": "same", "links": []any{}})
		},
		"needs the role admin": func(w http.ResponseWriter, r *http.Request) {
			problem(w, http.StatusForbidden, "permission_denied", "Not allowed", "this needs the role admin")
		},
	} {
		server := httptest.NewServer(http.HandlerFunc(serve))
		r := newPerson(t, "FAIRWAY_API="+server.URL, "FAIRWAY_TOKEN="+testToken).run("log", "verify")
		if r.code == 0 || !strings.Contains(r.err, name) {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.out, r.err)
		}
		server.Close()
	}
}
