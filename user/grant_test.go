package user

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// operator is the context of a call that the operator makes.
func operator(t *testing.T) context.Context {
	return auth.NewContext(t.Context(), auth.Identity{Service: auth.Operator})
}

// events are all that wait in the outboxes, in order. It may be called once.
func events(t *testing.T, h *handler) []event.Envelope {
	t.Helper()
	waiting, err := h.accounts.Outbox().Claim(t.Context(), 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var list []event.Envelope
	for _, doc := range waiting {
		for _, e := range doc.Events {
			var envelope event.Envelope
			if err := json.Unmarshal(e.Body, &envelope); err != nil {
				t.Fatal(err)
			}
			list = append(list, envelope)
		}
	}
	return list
}

func TestTheRoleAdminIsGivenAndTakenBackOnceEach(t *testing.T) {
	h := newHandler(t)
	person := signUp(t, h, ada())
	signUp(t, h, &userpb.User{Name: "Bob", Email: "bob@example.com", Password: "correct horse"})
	for _, tc := range []struct {
		name    string
		email   string
		admin   bool
		roles   []string
		version int64
		fails   fault.Code
	}{
		{"what nobody has is taken back", "ada@example.com", false, []string{"shipper", "carrier"}, 1, ""},
		{"given", "ada@example.com", true, []string{"shipper", "carrier", "admin"}, 2, ""},
		{"given again", "ada@example.com", true, []string{"shipper", "carrier", "admin"}, 2, ""},
		{"given again, in other letters", " ADA@Example.COM\n", true, []string{"shipper", "carrier", "admin"}, 2, ""},
		{"taken back, in other letters", " ADA@Example.COM\n", false, []string{"shipper", "carrier"}, 3, ""},
		{"taken back again", "ada@example.com", false, []string{"shipper", "carrier"}, 3, ""},
		{"an unknown e-mail", "cy@example.com", true, nil, 0, fault.NotFound},
		{"part of an e-mail", "ada@example", true, nil, 0, fault.NotFound},
		{"no e-mail", " ", true, nil, 0, fault.NotFound},
		{"what no database stores", "ada@example.com\x00", true, nil, 0, fault.NotFound},
		{"given anew", "ada@example.com", true, []string{"shipper", "carrier", "admin"}, 4, ""},
	} {
		var rsp userpb.Response
		err := h.Grant(operator(t), &userpb.GrantRequest{Email: tc.email, Admin: tc.admin}, &rsp)
		if fault.CodeOf(err) != tc.fails || !slices.Equal(rsp.GetUser().GetRoles(), tc.roles) || rsp.GetUser().GetVersion() != tc.version {
			t.Errorf("%s: %v, %v", tc.name, rsp.GetUser(), err)
		}
	}
	var got []string
	for _, e := range events(t, h) {
		if e.EntityID != person.GetId() {
			continue
		}
		got = append(got, e.Type())
		if e.Action == "created" {
			continue
		}
		if e.ActorID != "" || e.Via != auth.Operator || !slices.Equal(e.Audience, []string{person.GetId()}) || strings.Contains(string(e.Data), "@") {
			t.Errorf("event %+v with %s", e, e.Data)
		}
		if e.Version != int64(len(got)) { // one event a version
			t.Errorf("%s of version %d is event %d", e.Type(), e.Version, len(got))
		}
	}
	if want := []string{"user.created", "user.admin_granted", "user.admin_revoked", "user.admin_granted"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestATokenHasTheRolesOfItsLogIn(t *testing.T) {
	h := newHandler(t)
	signUp(t, h, ada())
	roles := func() []string {
		t.Helper()
		var token userpb.Token
		if err := h.Auth(t.Context(), ada(), &token); err != nil {
			t.Fatal(err)
		}
		identity, err := h.verifier.Verify(t.Context(), token.GetToken())
		if err != nil {
			t.Fatal(err)
		}
		return identity.Roles
	}
	for _, admin := range []bool{true, false} {
		if err := h.Grant(operator(t), &userpb.GrantRequest{Email: "ada@example.com", Admin: admin}, &userpb.Response{}); err != nil {
			t.Fatal(err)
		}
		if got := roles(); slices.Contains(got, auth.RoleAdmin) != admin {
			t.Errorf("granted %v, and the token says %v", admin, got)
		}
	}
}

func TestGrantsThatMeetMakeOneChange(t *testing.T) {
	h := newHandler(t)
	person := signUp(t, h, ada())
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := h.Grant(operator(t), &userpb.GrantRequest{Email: "ada@example.com", Admin: true}, &userpb.Response{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	doc, err := h.accounts.Get(t.Context(), person.GetId())
	if err != nil || doc.Version != 2 || !slices.Equal(doc.Value.Roles, []string{"shipper", "carrier", "admin"}) {
		t.Errorf("%+v, %v", doc, err)
	}
	if n := len(events(t, h)); n != 2 {
		t.Errorf("%d events, want that of the sign-up and one", n)
	}
}
