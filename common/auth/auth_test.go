package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a key directory with an issuer and a verifier.
type house struct {
	*clock
	dir      auth.KeyDir
	issuer   *auth.Issuer
	verifier *auth.Verifier
	fetches  atomic.Int32
	down     atomic.Bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{clock: newClock(), dir: auth.KeyDir(filepath.Join(t.TempDir(), "keys"))}
	if err := h.dir.Create("consignment", "vessel"); err != nil {
		t.Fatal(err)
	}
	key, err := h.dir.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	services, err := h.dir.Services()
	if err != nil {
		t.Fatal(err)
	}
	h.issuer = auth.NewIssuer(key, time.Hour, h.now)
	h.verifier = auth.NewVerifier(func(context.Context) (auth.KeySet, error) {
		h.fetches.Add(1)
		if h.down.Load() {
			return nil, errors.New("away")
		}
		return h.issuer.Keys(), nil
	}, services, h.now)
	return h
}

func (h *house) serviceToken(t *testing.T, name string) string {
	t.Helper()
	key, err := h.dir.Service(name)
	if err != nil {
		t.Fatal(err)
	}
	token, err := auth.NewServiceTokens(name, key, h.now).Token()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) userToken(t *testing.T, roles ...string) string {
	t.Helper()
	token, _, err := h.issuer.Issue("user-1", roles)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensSayWhoseTheyAre(t *testing.T) {
	h := newHouse(t)
	person, err := h.verifier.Verify(t.Context(), h.userToken(t, auth.RoleShipper))
	if err != nil || person.UserID != "user-1" || !person.Has(auth.RoleShipper) || person.Has(auth.RoleAdmin) || person.Service != "" {
		t.Errorf("person %+v, %v", person, err)
	}
	service, err := h.verifier.Verify(t.Context(), h.serviceToken(t, "vessel"))
	if err != nil || service.Service != "vessel" || service.UserID != "" || len(service.Roles) != 0 {
		t.Errorf("service %+v, %v", service, err)
	}
}

func TestATokenHoldsNothingButIDAndRoles(t *testing.T) {
	h := newHouse(t)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(h.userToken(t, auth.RoleShipper), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"password", "hash", "email", "name"} {
		if strings.Contains(string(payload), never) {
			t.Errorf("the token holds %s: %s", never, payload)
		}
	}
}

// forge makes a token with a header and claims of the attacker's choice.
func forge(header, claims string, sign func(signed string) []byte) string {
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(header)) + "." + enc([]byte(claims))
	return signed + "." + enc(sign(signed))
}

func TestBadTokensAreRefused(t *testing.T) {
	h := newHouse(t)
	good := h.userToken(t, auth.RoleShipper)
	key, _ := h.dir.Tokens()
	_, foreign, _ := ed25519.GenerateKey(nil)
	claims := fmt.Sprintf(`{"iss":"fairway/user","aud":["fairway/api"],"sub":"user-1","exp":%d}`, h.now().Add(time.Hour).Unix())
	with := func(old, new string) string { return strings.Replace(claims, old, new, 1) }
	eddsa := fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, key.ID)
	byForeign := func(s string) []byte { return ed25519.Sign(foreign, []byte(s)) }
	byPublicKeyAsSecret := func(s string) []byte {
		mac := hmac.New(sha256.New, key.Public())
		mac.Write([]byte(s))
		return mac.Sum(nil)
	}
	unsigned := func(string) []byte { return nil }
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"empty":                    "",
		"garbage":                  "garbage",
		"two parts":                parts[0] + "." + parts[1],
		"huge":                     strings.Repeat("a", 1<<20),
		"cut":                      good[:len(good)-4],
		"another payload":          parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + parts[2],
		"another's key":            forge(eddsa, claims, byForeign),
		"alg none":                 forge(`{"alg":"none"}`, claims, unsigned),
		"alg None":                 forge(fmt.Sprintf(`{"alg":"None","kid":%q}`, key.ID), claims, unsigned),
		"HS256 with public key":    forge(fmt.Sprintf(`{"alg":"HS256","kid":%q}`, key.ID), claims, byPublicKeyAsSecret),
		"no key id":                forge(`{"alg":"EdDSA"}`, claims, byForeign),
		"unknown key id":           forge(`{"alg":"EdDSA","kid":"nope"}`, claims, byForeign),
		"a service's name, forged": forge(eddsa, `{"iss":"fairway/service","aud":["fairway/internal"],"sub":"vessel","exp":99999999999}`, byForeign),
		"no expiry":                forge(eddsa, with(`,"exp"`, `,"never"`), byForeign),
	} {
		t.Run(name, func(t *testing.T) {
			if i, err := h.verifier.Verify(t.Context(), token); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("got %+v, %v", i, err)
			}
		})
	}
	if _, err := h.verifier.Verify(t.Context(), good); err != nil {
		t.Errorf("the good token is refused: %v", err)
	}
}

func TestAServicesKeyCannotSignForPeopleOrOtherServices(t *testing.T) {
	h := newHouse(t)
	key, err := h.dir.Service("vessel")
	if err != nil {
		t.Fatal(err)
	}
	forPeople, _, err := auth.NewIssuer(key, time.Hour, h.now).Issue("user-1", []string{auth.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	forAnother, err := auth.NewServiceTokens("consignment", key, h.now).Token()
	if err != nil {
		t.Fatal(err)
	}
	asOperator, err := auth.NewServiceTokens(auth.Operator, key, h.now).Token()
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"people": forPeople, "another service": forAnother, "the operator": asOperator} {
		if i, err := h.verifier.Verify(t.Context(), token); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("for %s: got %+v, %v", name, i, err)
		}
	}
}

func TestAnExpiredTokenIsRefusedAlsoWhenItWasSeenBefore(t *testing.T) {
	h := newHouse(t)
	token := h.userToken(t)
	for range 2 { // the second comes from the cache
		if _, err := h.verifier.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	h.advance(time.Hour + 31*time.Second) // an hour, and the leeway between clocks
	_, err := h.verifier.Verify(t.Context(), token)
	if fault.CodeOf(err) != fault.Unauthenticated || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
}

func TestKeysAreKeptWhileTheirSourceIsAway(t *testing.T) {
	h := newHouse(t)
	if _, err := h.verifier.Verify(t.Context(), h.userToken(t)); err != nil {
		t.Fatal(err)
	}
	h.down.Store(true)
	h.advance(time.Minute)
	if _, err := h.verifier.Verify(t.Context(), h.userToken(t)); err != nil {
		t.Errorf("a token was refused while the source was away: %v", err)
	}
}

func TestUnknownKeysAreAskedForAtMostOnceInTenSeconds(t *testing.T) {
	h := newHouse(t)
	if _, err := h.verifier.Verify(t.Context(), h.userToken(t)); err != nil {
		t.Fatal(err)
	}
	before := h.fetches.Load()
	flood := func() {
		for i := range 50 {
			token := forge(fmt.Sprintf(`{"alg":"EdDSA","kid":"k%d"}`, i),
				`{"iss":"fairway/user","aud":["fairway/api"],"sub":"x","exp":99999999999}`, func(string) []byte { return nil })
			if _, err := h.verifier.Verify(t.Context(), token); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("got %v", err)
			}
		}
	}
	flood()
	if n := h.fetches.Load() - before; n != 0 {
		t.Errorf("asked %d times within ten seconds of the first", n)
	}
	h.advance(11 * time.Second)
	flood()
	if n := h.fetches.Load() - before; n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestWithoutAnyKeyTheCallerIsToldToComeBack(t *testing.T) {
	h := newHouse(t)
	h.down.Store(true)
	token := h.userToken(t)
	_, err := h.verifier.Verify(t.Context(), token)
	if fault.CodeOf(err) != fault.Unavailable || fault.From(err).RetryAfter == 0 {
		t.Errorf("got %v", err)
	}
	h.down.Store(false)
	h.advance(time.Second)
	if _, err := h.verifier.Verify(t.Context(), token); err != nil {
		t.Errorf("not asked again: %v", err)
	}
}

func TestManyVerifyAtOnce(t *testing.T) {
	h := newHouse(t)
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 100 {
				user := fmt.Sprintf("user-%d-%d", worker, i)
				token, _, err := h.issuer.Issue(user, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := h.verifier.Verify(t.Context(), token); err != nil || got.UserID != user {
					t.Errorf("%s is %+v, %v", user, got, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestKeyFilesAreTheOwnersAlone(t *testing.T) {
	h := newHouse(t)
	files, err := os.ReadDir(string(h.dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 7 { // tokens, the operator's pair, two services'
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", f.Name(), info.Mode().Perm())
		}
	}
	before, _ := h.dir.Tokens()
	if err := h.dir.Create("consignment", "vessel", "log"); err != nil {
		t.Fatal(err)
	}
	if after, _ := h.dir.Tokens(); after.ID != before.ID {
		t.Error("an existing key was replaced")
	}
}

func TestProcessesThatStartTogetherAgreeOnTheKeys(t *testing.T) {
	dir := auth.KeyDir(t.TempDir())
	ids := make([]string, 8)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			if err := dir.Create("vessel"); err != nil {
				t.Error(err)
				return
			}
			key, err := dir.Tokens()
			if err != nil {
				t.Error(err)
			}
			ids[i] = key.ID
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("different keys: %v", ids)
		}
	}
}

func TestDamagedKeyFilesAreNamed(t *testing.T) {
	for name, content := range map[string]string{
		"empty":       "",
		"garbage":     "garbage",
		"another PEM": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"bad DER":     "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "tokens.pem"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := auth.KeyDir(dir).Tokens(); err == nil || !strings.Contains(err.Error(), "tokens.pem") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAPublicKeyThatDoesNotBelongToItsPrivateOneIsNamed(t *testing.T) {
	h := newHouse(t)
	if err := os.Remove(filepath.Join(string(h.dir), "service-vessel.pem")); err != nil {
		t.Fatal(err)
	}
	if err := h.dir.Create("vessel"); err == nil || !strings.Contains(err.Error(), "service-vessel.pub.pem") {
		t.Errorf("got %v", err)
	}
}
