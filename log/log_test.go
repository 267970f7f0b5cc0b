package log

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	"github.com/fairwayfreight/fairway/log/chain"
)

const (
	traceA = "0af7651916cd43dd8448eb211c80319c"
	traceB = "1af7651916cd43dd8448eb211c80319c"
)

func deliver(t *testing.T, l *testLog, e event.Envelope) {
	t.Helper()
	e = numbered(t, e)
	for range 2 { // every delivery comes twice
		if err := l.append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntriesAreFoundByThoseWhoMaySeeThem(t *testing.T) {
	h := openLog(t, newDB(t))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, e := range []event.Envelope{
		{EntityType: "vessel", EntityID: "v", Action: "created", ActorID: "carrier", TraceParent: "00-" + traceA + "-b7ad6b7169203331-00"},
		{EntityType: "consignment", EntityID: "c", Action: "received", ActorID: "shipper", Audience: []string{"shipper"}, TraceParent: "00-" + traceB + "-b7ad6b7169203331-00"},
		{EntityType: "consignment", EntityID: "c", Action: "confirmed", ActorID: "shipper", Via: "consignment", Audience: []string{"shipper", "carrier"}, TraceParent: "00-" + traceB + "-b7ad6b7169203331-00"},
	} {
		e.At, e.Version = at, int64(i+1)
		deliver(t, h, e)
	}
	admin := auth.Identity{UserID: "boss", Roles: []string{auth.RoleAdmin}}
	for _, tc := range []struct {
		who  auth.Identity
		req  *logpb.ListRequest
		want []string // newest first
	}{
		{auth.Identity{UserID: "shipper"}, &logpb.ListRequest{}, []string{"confirmed", "received"}},
		{auth.Identity{UserID: "carrier"}, &logpb.ListRequest{}, []string{"confirmed", "created"}},
		{auth.Identity{UserID: "stranger"}, &logpb.ListRequest{}, nil},
		{admin, &logpb.ListRequest{}, []string{"confirmed", "received", "created"}},
		{auth.Identity{UserID: "carrier"}, &logpb.ListRequest{EntityId: "c"}, []string{"confirmed"}},
		{auth.Identity{UserID: "stranger"}, &logpb.ListRequest{EntityId: "c"}, nil},
		{auth.Identity{UserID: "shipper"}, &logpb.ListRequest{TraceId: traceB}, []string{"confirmed", "received"}},
		{auth.Identity{UserID: "stranger"}, &logpb.ListRequest{TraceId: traceB}, nil},
		{auth.Identity{UserID: "carrier"}, &logpb.ListRequest{ActorId: "shipper"}, []string{"confirmed"}},
		{auth.Identity{UserID: "carrier"}, &logpb.ListRequest{Action: "created"}, []string{"created"}},
		{admin, &logpb.ListRequest{ActorId: "shipper", Action: "received"}, []string{"received"}},
		{admin, &logpb.ListRequest{EntityId: "c", TraceId: traceA}, nil},
	} {
		var rsp logpb.ListResponse
		if err := h.List(auth.NewContext(t.Context(), tc.who), tc.req, &rsp); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range rsp.GetEntries() {
			got = append(got, e.GetAction())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s asks %v: got %v, want %v", tc.who.UserID, tc.req, got, tc.want)
		}
	}
	var rsp logpb.ListResponse
	if err := h.List(auth.NewContext(t.Context(), admin), &logpb.ListRequest{Limit: 1}, &rsp); err != nil {
		t.Fatal(err)
	}
	e := rsp.GetEntries()[0]
	if e.GetTraceId() != traceB || e.GetVersion() != 3 || e.GetEntityType() != "consignment" || e.GetActorId() != "shipper" || e.GetVia() != "consignment" || !e.GetAt().AsTime().Equal(at) || string(e.GetData()) != `{"k":"v"}` || rsp.GetNextCursor() == "" {
		t.Errorf("got %v", e)
	}
}

func TestPagesOfTheLog(t *testing.T) {
	h := openLog(t, newDB(t))
	for i := range 5 {
		deliver(t, h, event.Envelope{EntityType: "x", EntityID: fmt.Sprint(i), Action: "made", ActorID: "me", At: time.Now()})
	}
	me := auth.NewContext(t.Context(), auth.Identity{UserID: "me"})
	var got []string
	req := &logpb.ListRequest{Limit: 2}
	for {
		var rsp logpb.ListResponse
		if err := h.List(me, req, &rsp); err != nil {
			t.Fatal(err)
		}
		for _, e := range rsp.GetEntries() {
			got = append(got, e.GetEntityId())
		}
		if req.Cursor = rsp.GetNextCursor(); req.Cursor == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"4", "3", "2", "1", "0"}) {
		t.Errorf("got %v", got)
	}
	for _, bad := range []*logpb.ListRequest{{Cursor: "garbage"}, {Limit: -1}, {Limit: 1000}} {
		if err := h.List(me, bad, &logpb.ListResponse{}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestAnEntryThatCannotBeReadHidesNoOther(t *testing.T) {
	l := openLog(t, newDB(t))
	l.add(t, booking("c", 1), booking("c", 2), booking("c", 3))
	l.alter(t, chain.Of("c"), 2, func(k *link) { k.Content = "garbage" })
	var rsp logpb.ListResponse
	admin := auth.Identity{UserID: "boss", Roles: []string{auth.RoleAdmin}}
	if err := l.List(auth.NewContext(t.Context(), admin), &logpb.ListRequest{EntityId: "c"}, &rsp); err != nil {
		t.Fatal(err)
	}
	if e := rsp.GetEntries(); len(e) != 2 || e[0].GetVersion() != 3 || e[1].GetVersion() != 1 {
		t.Errorf("got %v", e)
	}
}
