package vessel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/fault"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// list walks all pages of a query and returns the numbers of the voyages, in order.
func (w *world) list(t *testing.T, q *vesselpb.VoyageQuery) []string {
	t.Helper()
	q = proto.CloneOf(q)
	var numbers []string
	for {
		var rsp vesselpb.VoyageResponse
		if err := w.handler().ListVoyages(t.Context(), q, &rsp); err != nil {
			t.Fatal(err)
		}
		if limit := int(q.GetLimit()); limit > 0 && len(rsp.GetVoyages()) > limit {
			t.Errorf("%d voyages on a page of %d", len(rsp.GetVoyages()), limit)
		}
		for _, v := range rsp.GetVoyages() {
			if len(v.GetLegs()) == 0 {
				t.Errorf("%s has no legs", v.GetNumber())
			}
			numbers = append(numbers, v.GetNumber())
		}
		if q.Cursor = rsp.GetNextCursor(); q.Cursor == "" {
			return numbers
		}
	}
}

func TestVoyagesAreFoundByWayTimeAndRoom(t *testing.T) {
	w := newWorld(t)
	no, yes := false, true
	ship := w.create(t, &vesselpb.Vessel{Name: "Small", Capacity: 10, MaxWeight: 1000, OpenSailing: &no}).GetVessel().GetId()
	w.voyage(t, ship, "west", calls(10, "CNSHA", "SGSIN", "NLRTM")...)
	w.voyage(t, ship, "east", calls(12, "NLRTM", "SGSIN", "CNSHA")...)
	w.voyage(t, ship, "round", calls(14, "CNSHA", "SGSIN", "CNSHA", "NLRTM")...)
	large := w.create(t, &vesselpb.Vessel{Name: "Large", Capacity: 200, MaxWeight: 50_000}).GetVessel().GetId() // and OPEN
	closed := w.voyage(t, large, "closed", calls(20, "CNSHA", "NLRTM")...).GetId()
	gone := w.create(t, &vesselpb.Vessel{Name: "Gone", Capacity: 200, MaxWeight: 50_000}).GetVoyage().GetId() // and OPEN, the second
	for step, voyage := range map[string]string{"close": closed, "depart": gone} {
		if _, err := w.do(t, step, voyage); err != nil {
			t.Fatal(err)
		}
	}
	// Shanghai to Singapore is full on "west", in TEU; Shanghai the second time to Rotterdam on "round", in kg.
	for _, r := range []*vesselpb.Reservation{
		{BookingId: "a", From: "CNSHA", To: "SGSIN", Quarters: 40, Weight: 1},
		{BookingId: "b", From: "CNSHA", To: "NLRTM", NotBefore: timestamppb.New(time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)), Quarters: 1, Weight: 1000},
	} {
		if _, err := w.reserveRPC(t, r); err != nil {
			t.Fatal(err)
		}
	}
	on := func(day, hour int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC))
	}
	for _, tc := range []struct {
		name string
		q    *vesselpb.VoyageQuery
		want string // newest first
	}{
		{"all", &vesselpb.VoyageQuery{}, "OPEN closed OPEN round east west"},
		{"open", &vesselpb.VoyageQuery{Open: &yes}, "OPEN round east west"},
		{"not open", &vesselpb.VoyageQuery{Open: &no}, "OPEN closed"},
		{"from Shanghai", &vesselpb.VoyageQuery{From: "CNSHA"}, "closed round west"},
		{"in lower case", &vesselpb.VoyageQuery{From: " cnsha"}, "closed round west"},
		{"by another code of Shanghai", &vesselpb.VoyageQuery{From: "CNSHG"}, "closed round west"},
		{"to Rotterdam", &vesselpb.VoyageQuery{To: "NLRTM"}, "closed round west"},
		{"from where it only ends", &vesselpb.VoyageQuery{From: "NLRTM"}, "east"},
		{"to where it only begins", &vesselpb.VoyageQuery{To: "CNSHA"}, "round east"},
		{"the way there", &vesselpb.VoyageQuery{From: "SGSIN", To: "NLRTM"}, "round west"},
		{"the way back", &vesselpb.VoyageQuery{From: "NLRTM", To: "SGSIN"}, "east"},
		{"no way", &vesselpb.VoyageQuery{From: "CNSHA", To: "USLAX"}, ""},
		{"open ones on the way", &vesselpb.VoyageQuery{From: "CNSHA", To: "NLRTM", Open: &yes}, "round west"},
		{"loaded until the moment of departure", &vesselpb.VoyageQuery{From: "CNSHA", To: "SGSIN", After: on(10, 12)}, "round west"},
		{"not after it", &vesselpb.VoyageQuery{From: "CNSHA", To: "SGSIN", After: on(10, 13)}, "round"},
		{"loaded at the second call", &vesselpb.VoyageQuery{From: "CNSHA", After: on(15, 0)}, "closed round"},
		{"loaded at the first call, by what is not sailed", &vesselpb.VoyageQuery{After: on(13, 0)}, "closed OPEN round"},
		{"to, loaded at the first call", &vesselpb.VoyageQuery{To: "NLRTM", After: on(15, 0)}, "closed"},
		{"room for TEU on the whole way", &vesselpb.VoyageQuery{Teu: 1}, "OPEN closed OPEN round east"},
		{"room in kg on the whole way", &vesselpb.VoyageQuery{Weight: 1}, "OPEN closed OPEN east west"},
		{"more room than the small ship has", &vesselpb.VoyageQuery{Teu: 11}, "OPEN closed OPEN"},
		{"exactly all of it", &vesselpb.VoyageQuery{From: "SGSIN", To: "NLRTM", Teu: 10}, "west"},
		{"room from Singapore on", &vesselpb.VoyageQuery{From: "SGSIN", Teu: 1, Weight: 1000}, "east west"},
		{"room to Singapore", &vesselpb.VoyageQuery{To: "SGSIN", Teu: 1, Weight: 1000}, "round east"},
		{"room on the full leg", &vesselpb.VoyageQuery{From: "CNSHA", To: "SGSIN", Teu: 1, Weight: 1}, "round"},
		{"room on the full leg of the second call", &vesselpb.VoyageQuery{From: "CNSHA", To: "NLRTM", Teu: 1, Weight: 1}, "closed"},
	} {
		for _, limit := range []int32{0, 1, 2} {
			tc.q.Limit = limit
			if got := strings.Join(w.list(t, tc.q), " "); got != tc.want {
				t.Errorf("%s, %d a page: %s, want %s", tc.name, limit, got, tc.want)
			}
		}
	}
	w.clock.advance(9*24*time.Hour + time.Hour) // "west" is past its cut-off, and nothing has closed it yet
	if got := w.list(t, &vesselpb.VoyageQuery{From: "CNSHA", Open: &yes}); !slices.Equal(got, []string{"round"}) {
		t.Errorf("open after the cut-off: %v", got)
	}
	w.clock.advance(-10 * 24 * time.Hour) // even when the clock is put back, what was closed stays so
	if got := w.list(t, &vesselpb.VoyageQuery{Open: &no}); !slices.Equal(got, []string{"OPEN", "closed"}) {
		t.Errorf("not open: %v", got)
	}
}

func TestPagesOfVoyagesNeitherRepeatNorSkip(t *testing.T) {
	w := newWorld(t)
	no := false
	ship := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 1000, OpenSailing: &no}).GetVessel().GetId()
	var want []string
	for i := range 30 {
		v := w.voyage(t, ship, fmt.Sprint(i), calls(10, "CNSHA", "NLRTM")...)
		if i%3 == 0 { // a full one now and then
			if _, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: fmt.Sprint("b", i), VoyageId: v.GetId(), Quarters: 40, Weight: 1}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, v.GetNumber())
	}
	slices.Reverse(want)
	for _, q := range []*vesselpb.VoyageQuery{{Teu: 1}, {From: "CNSHA", Teu: 1}, {To: "NLRTM", Teu: 1, Weight: 1000}} {
		q.Limit = 4
		var got []string
		for page := 0; ; page++ {
			var rsp vesselpb.VoyageResponse
			if err := w.handler().ListVoyages(t.Context(), q, &rsp); err != nil {
				t.Fatal(err)
			}
			for _, v := range rsp.GetVoyages() {
				got = append(got, v.GetNumber())
			}
			if q.Cursor = rsp.GetNextCursor(); q.Cursor == "" {
				break
			}
			// Meanwhile others come and change.
			w.voyage(t, ship, "new", calls(10, "CNSHA", "NLRTM")...)
			if _, err := w.do(t, "close", rsp.GetVoyages()[0].GetId()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(slices.DeleteFunc(got, func(n string) bool { return n == "new" }), want) {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
}

func TestAPageEndsWhenManyVoyagesHaveNoRoom(t *testing.T) {
	w := newWorld(t)
	no := false
	ship := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 1000, OpenSailing: &no}).GetVessel().GetId()
	w.voyage(t, ship, "wanted", calls(10, "CNSHA", "NLRTM")...)
	for i := range maxRounds + 1 {
		v := w.voyage(t, ship, "full", calls(10, "CNSHA", "NLRTM")...)
		if _, err := w.reserveRPC(t, &vesselpb.Reservation{BookingId: fmt.Sprint("b", i), VoyageId: v.GetId(), Quarters: 40, Weight: 1}); err != nil {
			t.Fatal(err)
		}
	}
	q := &vesselpb.VoyageQuery{Limit: 1, Teu: 1}
	var rsp vesselpb.VoyageResponse
	if err := w.handler().ListVoyages(t.Context(), q, &rsp); err != nil || len(rsp.GetVoyages()) != 0 || rsp.GetNextCursor() == "" {
		t.Errorf("got %v, %v", &rsp, err)
	}
	if got := w.list(t, q); !slices.Equal(got, []string{"wanted"}) {
		t.Errorf("in all pages: %v", got)
	}
}

func TestASearchByPortReadsThatPortsVoyagesAlone(t *testing.T) {
	w := newWorld(t)
	no := false
	ship := w.create(t, &vesselpb.Vessel{Name: "A", Capacity: 10, MaxWeight: 1000, OpenSailing: &no}).GetVessel().GetId()
	w.voyage(t, ship, "wanted", calls(10, "CNSHA", "NLRTM")...)
	for range 100 {
		w.voyage(t, ship, "other", calls(10, "USLAX", "JPTYO")...)
	}
	read := 0
	var err error
	if w.fleet.voyages, err = openVoyages(t.Context(), countingDB{w.db, &read}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []*vesselpb.VoyageQuery{{From: "CNSHA"}, {To: "NLRTM"}, {From: "CNSHA", To: "NLRTM"}} {
		if got := w.list(t, q); !slices.Equal(got, []string{"wanted"}) {
			t.Errorf("%v: %v", q, got)
		}
	}
	if read != 3 {
		t.Errorf("%d voyages were read", read)
	}
}

func TestBadQueriesAreRefusedWithAllThatIsWrong(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		q    *vesselpb.VoyageQuery
		want string
	}{
		{&vesselpb.VoyageQuery{From: "Shanghai", To: "CN1HA"}, "from to"},
		{&vesselpb.VoyageQuery{From: "CNSHA", To: "cnsha"}, "to"},
		{&vesselpb.VoyageQuery{Teu: -1, Weight: -1, Limit: 201}, "limit teu weight"},
		{&vesselpb.VoyageQuery{Teu: 1_000_001, Weight: 2_000_000_001}, "teu weight"},
		{&vesselpb.VoyageQuery{After: &timestamppb.Timestamp{Seconds: 1 << 60}}, "after"},
		{&vesselpb.VoyageQuery{Cursor: "garbage"}, "cursor"},
	} {
		err := w.handler().ListVoyages(t.Context(), tc.q, &vesselpb.VoyageResponse{})
		var names []string
		if errors.Is(err, fault.Invalid) {
			for _, f := range fault.From(err).Fields {
				names = append(names, f.Name)
			}
		}
		if got := strings.Join(names, " "); got != tc.want {
			t.Errorf("%v: %v", tc.q, err)
		}
	}
}
