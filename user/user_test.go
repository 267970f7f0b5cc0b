package user

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

func newHandler(t *testing.T) *handler {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "user.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	accounts, err := openAccounts(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	keys := auth.KeyDir(filepath.Join(dir, "keys"))
	if err := keys.Create(); err != nil {
		t.Fatal(err)
	}
	key, err := keys.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := newHasher(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	tokens := auth.NewIssuer(key, time.Hour, time.Now)
	return &handler{
		accounts:  accounts,
		passwords: passwords,
		tokens:    tokens,
		verifier:  auth.NewVerifier(func(context.Context) (auth.KeySet, error) { return tokens.Keys(), nil }, nil, time.Now),
		now:       time.Now,
	}
}

func ada() *userpb.User {
	return &userpb.User{Name: "Ada", Company: "Engines", Email: "ada@example.com", Password: "correct horse"}
}

func signUp(t *testing.T, h *handler, u *userpb.User) *userpb.User {
	t.Helper()
	var rsp userpb.Response
	if err := h.Create(t.Context(), u, &rsp); err != nil {
		t.Fatal(err)
	}
	return rsp.GetUser()
}

func TestSignUpAndSignIn(t *testing.T) {
	h := newHandler(t)
	req := ada()
	req.Id = "chosen-by-the-client"
	user := signUp(t, h, req)
	if user.GetId() == "" || user.GetId() == "chosen-by-the-client" || len(user.GetRoles()) != 2 || user.GetVersion() != 1 {
		t.Errorf("signed up as %v", user)
	}
	var token userpb.Token
	if err := h.Auth(t.Context(), &userpb.User{Email: " ADA@example.com ", Password: "correct horse"}, &token); err != nil {
		t.Fatal(err)
	}
	if !token.GetValid() || token.GetUserId() != user.GetId() || token.GetExpiresAt().AsTime().Before(time.Now()) {
		t.Errorf("got %v", &token)
	}
	var valid userpb.Token
	if err := h.ValidateToken(t.Context(), &userpb.Token{Token: token.GetToken()}, &valid); err != nil || !valid.GetValid() || valid.GetUserId() != user.GetId() {
		t.Errorf("validated as %v, %v", &valid, err)
	}
	var invalid userpb.Token
	if err := h.ValidateToken(t.Context(), &userpb.Token{Token: "garbage"}, &invalid); err != nil || invalid.GetValid() || invalid.GetErrors().GetCode() != 401 {
		t.Errorf("garbage validated as %v, %v", &invalid, err)
	}
}

func TestNoPasswordAndNoHashLeavesTheService(t *testing.T) {
	h := newHandler(t)
	var answers []any
	var created, got, all userpb.Response
	var token userpb.Token
	if err := h.Create(t.Context(), ada(), &created); err != nil {
		t.Fatal(err)
	}
	me := auth.NewContext(t.Context(), auth.Identity{UserID: created.GetUser().GetId()})
	if err := errors.Join(
		h.Get(me, &userpb.User{Id: created.GetUser().GetId()}, &got),
		h.GetAll(me, &userpb.Request{}, &all),
		h.Auth(t.Context(), ada(), &token),
	); err != nil {
		t.Fatal(err)
	}
	waiting, err := h.accounts.Outbox().Claim(t.Context(), 10, time.Minute)
	if err != nil || len(waiting) != 1 {
		t.Fatalf("%d documents with events, %v", len(waiting), err)
	}
	doc, err := h.accounts.Get(t.Context(), created.GetUser().GetId())
	if err != nil {
		t.Fatal(err)
	}
	answers = append(answers, &created, &got, &all, &token, string(waiting[0].Events[0].Body))
	for _, a := range answers {
		text := fmt.Sprint(a)
		for _, secret := range []string{"correct horse", "argon2", doc.Value.PasswordHash} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
	var e event.Envelope
	if err := json.Unmarshal(waiting[0].Events[0].Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Type() != "user.created" || e.ActorID != doc.Value.ID || strings.Contains(string(e.Data), "@") {
		t.Errorf("event %+v", e)
	}
}

func TestAnEmailIsTakenOnceHoweverManyAskAtOnce(t *testing.T) {
	h := newHandler(t)
	var created, taken atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			err := h.Create(t.Context(), ada(), &userpb.Response{})
			switch fault.CodeOf(err) {
			case "":
				created.Add(1)
			case fault.EmailTaken:
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if created.Load() != 1 || taken.Load() != 7 {
		t.Errorf("%d created, %d refused", created.Load(), taken.Load())
	}
	page, err := h.accounts.Find(t.Context(), store.List[Account]{Limit: 10})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d accounts, %v", len(page.Items), err)
	}
}

func TestWrongPasswordAndUnknownEmailAnswerTheSame(t *testing.T) {
	h := newHandler(t)
	signUp(t, h, ada())
	wrong := h.Auth(t.Context(), &userpb.User{Email: "ada@example.com", Password: "wrong horse"}, &userpb.Token{})
	unknown := h.Auth(t.Context(), &userpb.User{Email: "bob@example.com", Password: "correct horse"}, &userpb.Token{})
	// The decoy's own password must open nothing either.
	decoy := h.Auth(t.Context(), &userpb.User{Email: "bob@example.com", Password: "nobody's password"}, &userpb.Token{})
	if !errors.Is(wrong, fault.BadCredentials) || wrong.Error() != unknown.Error() || wrong.Error() != decoy.Error() {
		t.Errorf("%v, %v, %v", wrong, unknown, decoy)
	}
}

func TestPeopleSeeThemselvesAndAdminsAll(t *testing.T) {
	h := newHandler(t)
	user := signUp(t, h, ada())
	for _, tc := range []struct {
		caller auth.Identity
		id     string
		want   fault.Code
	}{
		{auth.Identity{UserID: user.GetId()}, user.GetId(), ""},
		{auth.Identity{UserID: "another"}, user.GetId(), fault.NotFound},
		{auth.Identity{UserID: "boss", Roles: []string{auth.RoleAdmin}}, user.GetId(), ""},
		{auth.Identity{UserID: "boss", Roles: []string{auth.RoleAdmin}}, "nobody", fault.NotFound},
		{auth.Identity{UserID: "gone"}, "gone", fault.NotFound},
	} {
		var rsp userpb.Response
		err := h.Get(auth.NewContext(t.Context(), tc.caller), &userpb.User{Id: tc.id}, &rsp)
		if fault.CodeOf(err) != tc.want || (err == nil) != (rsp.GetUser().GetEmail() == "ada@example.com") {
			t.Errorf("%+v reads %s: %v, %v", tc.caller, tc.id, rsp.GetUser(), err)
		}
	}
}

func TestPasswordsAreHashedAFewAtATimeAndTheRestRefused(t *testing.T) {
	h, err := newHasher(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.running.Acquire(t.Context(), 1); err != nil { // one hash that does not end
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var refused, hashed atomic.Int32
	for range 10 {
		wait.Go(func() {
			_, err := h.Hash(t.Context(), "password")
			switch {
			case err == nil:
				hashed.Add(1)
			case errors.Is(err, fault.TooManyRequests) && fault.From(err).RetryAfter > 0:
				if refused.Add(1) == 7 { // all that do not fit have been refused, while the others wait
					h.running.Release(1)
				}
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if hashed.Load() != 3 || refused.Load() != 7 {
		t.Errorf("%d hashed, %d refused", hashed.Load(), refused.Load())
	}
}

func TestAHashingThatNobodyWaitsForIsGivenUp(t *testing.T) {
	h, err := newHasher(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.running.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "password"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMalformedHashesAreErrorsNotMatches(t *testing.T) {
	h, err := newHasher(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	good, err := h.Hash(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Matches(t.Context(), good, "password"); !ok || err != nil {
		t.Errorf("the right password: %v, %v", ok, err)
	}
	for _, bad := range []string{"x", "$argon2id$", good[:len(good)-3], strings.Replace(good, "m=19456", "m=8", 1),
		strings.Replace(good, "$argon2id$", "$argon2i$", 1), good + "!"} {
		if ok, err := h.Matches(t.Context(), bad, "password"); ok || err == nil {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
}

func TestKeysAreHandedOut(t *testing.T) {
	var rsp userpb.KeySet
	if err := newHandler(t).GetKeys(t.Context(), &userpb.KeysRequest{}, &rsp); err != nil || len(rsp.GetKeys()) != 1 || len(rsp.GetKeys()[0].GetPublicKey()) != 32 {
		t.Errorf("got %v, %v", &rsp, err)
	}
}
