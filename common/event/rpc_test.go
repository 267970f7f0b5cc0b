package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	deadletterpb "github.com/fairwayfreight/fairway/interface-center/out/deadletter"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

var (
	_ logpb.DeadLetterServiceHandler         = (*event.DeadLetterHandler)(nil)
	_ consignmentpb.DeadLetterServiceHandler = (*event.DeadLetterHandler)(nil)
)

func TestDeadLettersAreListedInTheOrderInWhichTheyCame(t *testing.T) {
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error { return fault.New(fault.Invalid, "no") })
	h := event.NewDeadLetterHandler(b.Consumer)
	var want []string
	for i := range 7 {
		r := record(t, fmt.Sprint("x", i), "a", 1)
		b.must(messageOf(r, "x"))
		b.now = b.now.Add(time.Second)
		want = append(want, r.ID)
	}
	if err := b.Redrive(t.Context(), want[0]); !errors.Is(err, fault.WrongState) { // which moves nothing
		t.Fatal(err)
	}
	slices.Reverse(want)
	var got []string
	for req := (&deadletterpb.ListRequest{Limit: 3}); ; {
		var rsp deadletterpb.ListResponse
		if err := h.List(t.Context(), req, &rsp); err != nil {
			t.Fatal(err)
		}
		for _, l := range rsp.GetLetters() {
			got = append(got, l.GetId())
			if len(l.GetPayload()) > 0 {
				t.Errorf("%s is listed with its payload", l.GetId())
			}
		}
		if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []*deadletterpb.ListRequest{{Cursor: "garbage"}, {Limit: -1}, {Limit: 201}} {
		if err := h.List(t.Context(), bad, &deadletterpb.ListResponse{}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestADeadLetterOverRPC(t *testing.T) {
	cured := false
	b := newBench(t, openDB(t), func(context.Context, event.Envelope) error {
		if !cured {
			return fault.New(fault.Invalid, "%s", strings.Repeat("no ", 1000))
		}
		return nil
	})
	h := event.NewDeadLetterHandler(b.Consumer)
	admin := auth.NewContext(t.Context(), auth.Identity{UserID: "root", Roles: []string{auth.RoleAdmin}})
	first, second := record(t, "x", "a", 1), record(t, "y", "a", 1)
	b.must(messageOf(first, "x"))
	b.must(messageOf(second, "y"))

	var letter deadletterpb.Letter
	if err := h.Get(admin, &deadletterpb.Ref{Id: first.ID}, &letter); err != nil {
		t.Fatal(err)
	}
	if letter.GetId() != first.ID || letter.GetSource() != topic || letter.GetType() != "thing.a" || letter.GetEntityId() != "x" ||
		!strings.HasPrefix(letter.GetReason(), "invalid: no no") || letter.GetAttempts() != 1 || !letter.GetFailedAt().AsTime().Equal(b.now) ||
		string(letter.GetPayload()) != string(first.Body) {
		t.Errorf("got %v", &letter)
	}
	err := h.Redrive(admin, &deadletterpb.Ref{Id: first.ID}, &deadletterpb.Done{})
	if f := fault.From(err); f == nil || f.Code != fault.WrongState || !strings.Contains(f.Message, "no no") || len(f.Message) > 400 {
		t.Errorf("got %v", err)
	}
	cured = true
	if err := h.Redrive(admin, &deadletterpb.Ref{Id: first.ID}, &deadletterpb.Done{}); err != nil {
		t.Error(err)
	}
	if err := h.Drop(admin, &deadletterpb.Ref{Id: second.ID}, &deadletterpb.Done{}); err != nil {
		t.Error(err)
	}
	for _, note := range []string{"a dead letter was redriven", "a dead letter was dropped"} {
		if !strings.Contains(b.log.String(), note) {
			t.Errorf("no %q in the log", note)
		}
	}
	if n := strings.Count(b.log.String(), "by=root"); n != 2 {
		t.Errorf("the log says %d times who it was", n)
	}
	for _, id := range []string{first.ID, second.ID, "", "a\x00b", "\xff"} {
		ref := &deadletterpb.Ref{Id: id}
		for name, err := range map[string]error{
			"get":     h.Get(admin, ref, &letter),
			"redrive": h.Redrive(admin, ref, &deadletterpb.Done{}),
			"drop":    h.Drop(admin, ref, &deadletterpb.Done{}),
		} {
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
}
