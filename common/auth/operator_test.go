package auth_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
)

// incoming is a call as it reaches a handler's wrappers.
type incoming struct {
	server.Request
	service, endpoint string
	header            map[string]string
}

func (r incoming) Service() string           { return r.service }
func (r incoming) Endpoint() string          { return r.endpoint }
func (r incoming) Header() map[string]string { return r.header }

// arrives puts a call with a token, which also claims to be made for an admin, through the wrapper and returns the identity
// that the handler saw.
func (h *house) arrives(t *testing.T, service, endpoint, token string) (seen auth.Identity, err error) {
	t.Helper()
	handler := auth.HandlerWrapper(h.verifier)(func(ctx context.Context, _ server.Request, _ any) error {
		seen, _ = auth.FromContext(ctx)
		return nil
	})
	err = handler(t.Context(), incoming{service: service, endpoint: endpoint, header: map[string]string{
		rpc.KeyAuthorization: auth.Bearer(token), rpc.KeyActorID: "boss", rpc.KeyActorRoles: auth.RoleAdmin,
	}}, nil)
	return seen, err
}

func TestOnlyTheOperatorGrants(t *testing.T) {
	h, foreign := newHouse(t), newHouse(t)
	for _, tc := range []struct {
		name, token string
		want        fault.Code
	}{
		{"the operator", h.serviceToken(t, auth.Operator), ""},
		{"a person", h.userToken(t, auth.RoleShipper), fault.PermissionDenied},
		{"an admin", h.userToken(t, auth.RoleAdmin), fault.PermissionDenied},
		{"a service", h.serviceToken(t, "vessel"), fault.PermissionDenied},
		{"another Fairway's operator", foreign.serviceToken(t, auth.Operator), fault.Unauthenticated},
		{"nobody", "", fault.Unauthenticated},
	} {
		seen, err := h.arrives(t, "user", "UserService.Grant", tc.token)
		if fault.CodeOf(err) != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err == nil && (seen.Service != auth.Operator || seen.UserID != "" || len(seen.Roles) != 0) {
			t.Errorf("%s is %+v: the operator acts for nobody", tc.name, seen)
		}
	}
}

func TestTheOperatorDoesNothingElse(t *testing.T) {
	h := newHouse(t)
	token := h.serviceToken(t, auth.Operator)
	allowed := 0
	for _, m := range auth.Methods() {
		service, endpoint, _ := strings.Cut(m, ".")
		seen, err := h.arrives(t, service, endpoint, token)
		switch {
		case err == nil && seen.Service != "":
			allowed++
		case err == nil: // public: nobody is asked who they are
		case fault.CodeOf(err) != fault.PermissionDenied:
			t.Errorf("%s: %v", m, err)
		}
	}
	if allowed != 1 {
		t.Errorf("the operator may call %d methods", allowed)
	}
}

func TestAServiceStillNamesThePersonForWhomItActs(t *testing.T) {
	h := newHouse(t)
	seen, err := h.arrives(t, "vessel", "VesselService.Reserve", h.serviceToken(t, "consignment"))
	if err != nil || seen.UserID != "boss" || !seen.Has(auth.RoleAdmin) {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestADirectoryOlderThanTheOperatorsKeyGetsIt(t *testing.T) {
	h := newHouse(t)
	before, err := h.dir.Service("vessel")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"operator.pem", "operator.pub.pem"} {
		if err := os.Remove(filepath.Join(string(h.dir), name)); err != nil {
			t.Fatal(err)
		}
	}
	if public, err := h.dir.Services(); err != nil || len(public) != 2 {
		t.Errorf("without the operator's: %v, %v", public, err)
	}
	if _, err := h.dir.Service(auth.Operator); err == nil || !strings.Contains(err.Error(), "operator.pem is missing; make it with: fairway keys create ") {
		t.Errorf("got %v", err)
	}
	if err := h.dir.Create("consignment", "vessel"); err != nil {
		t.Fatal(err)
	}
	public, err := h.dir.Services()
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.dir.Service(auth.Operator)
	if err != nil || !key.Public().Equal(public[auth.Operator]) {
		t.Errorf("public keys %v, %v", public, err)
	}
	if after, err := h.dir.Service("vessel"); err != nil || after.ID != before.ID {
		t.Errorf("the key of vessel was replaced, %v", err)
	}
	if _, err := os.Stat(filepath.Join(string(h.dir), "service-operator.pem")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the operator passes for a service: %v", err)
	}
}

func TestAnOperatorWhoseKeyIsUnknownIsRefused(t *testing.T) {
	h := newHouse(t)
	public, err := h.dir.Services()
	if err != nil {
		t.Fatal(err)
	}
	delete(public, auth.Operator)
	h.verifier = auth.NewVerifier(func(context.Context) (auth.KeySet, error) { return h.issuer.Keys(), nil }, public, h.now)
	if _, err := h.arrives(t, "user", "UserService.Grant", h.serviceToken(t, auth.Operator)); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("got %v", err)
	}
}

func TestTheOperatorsTokenExpires(t *testing.T) {
	h := newHouse(t)
	token := h.serviceToken(t, auth.Operator)
	h.advance(time.Minute + 31*time.Second) // its minute, and the leeway between clocks
	if _, err := h.arrives(t, "user", "UserService.Grant", token); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("got %v", err)
	}
}
