package log

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	"github.com/fairwayfreight/fairway/log/chain"
)

// signed lists the times at which heads were signed, newest first.
func (l *testLog) signed(t testing.TB) []string {
	t.Helper()
	var rsp logpb.HeadsResponse
	if err := l.Heads(t.Context(), &logpb.HeadsRequest{}, &rsp); err != nil {
		t.Fatal(err)
	}
	var times []string
	for _, s := range rsp.GetHeads() {
		var h chain.Heads
		if err := json.Unmarshal(s.GetContent(), &h); err != nil {
			t.Fatal(err)
		}
		times = append(times, h.Time.Format(time.TimeOnly))
	}
	return times
}

func TestHeadsAreSignedWhenSomethingWasAppended(t *testing.T) {
	db := newDB(t)
	l := openLog(t, db)
	sign := func(l *testLog, sign func() error, want ...string) {
		t.Helper()
		if err := sign(); err != nil {
			t.Fatal(err)
		}
		got := l.signed(t)
		if len(got) != len(want) {
			t.Fatalf("signed at %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("signed at %v, want %v", got, want)
			}
		}
	}
	minute := func(l *testLog) func() error { return func() error { return l.signMinute(t.Context()) } }
	last := func(l *testLog) func() error { return func() error { return l.signLast(t.Context()) } }

	sign(l, minute(l)) // nothing was appended
	l.add(t, booking("a", 1))
	sign(l, minute(l), "12:00:30")
	sign(l, minute(l), "12:00:30")
	l.clock.pass(time.Minute)
	sign(l, minute(l), "12:00:30") // nothing since
	l.add(t, booking("a", 2))
	sign(l, minute(l), "12:01:30", "12:00:30")

	// Another replica, in the same minute: the first wins, and the next minute has what that lacks.
	other := openLog(t, db)
	other.clock.pass(time.Minute + 10*time.Second)
	other.add(t, booking("b", 1))
	sign(other, minute(other), "12:01:30", "12:00:30")
	other.clock.pass(time.Minute)
	sign(other, minute(other), "12:02:40", "12:01:30", "12:00:30")

	// An orderly stop signs within the minute.
	other.add(t, booking("b", 2))
	other.clock.pass(5 * time.Second)
	sign(other, last(other), "12:02:45", "12:02:40", "12:01:30", "12:00:30")
	sign(other, last(other), "12:02:45", "12:02:40", "12:01:30", "12:00:30")

	// A replica that starts knows what was signed before.
	third := openLog(t, db)
	third.clock.pass(time.Hour)
	sign(third, minute(third), "12:02:45", "12:02:40", "12:01:30", "12:00:30")
	third.sound(t, 4)
}

func TestASignatureIsMadeWithTheServicesOwnKey(t *testing.T) {
	dir := auth.KeyDir(t.TempDir())
	if _, err := signingKey(dir); err == nil {
		t.Error("a key out of nothing")
	}
	if err := dir.Create(Name); err != nil {
		t.Fatal(err)
	}
	key, err := signingKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	services, err := dir.Services()
	if err != nil {
		t.Fatal(err)
	}
	s, err := chain.Sign(chain.Heads{Number: 1}, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(auth.KeySet{chain.KeyID(services[Name]): services[Name]}); err != nil {
		t.Error(err)
	}
}

func TestPagesOfAChain(t *testing.T) {
	l := openLog(t, newDB(t))
	for i := range 5 {
		l.add(t, booking("c", int64(i+1)))
	}
	number := int32(chain.Of("c"))
	for _, tc := range []struct {
		after int64
		limit int32
		want  []int64
	}{
		{0, 0, []int64{1, 2, 3, 4, 5}},
		{0, 2, []int64{1, 2}},
		{2, 2, []int64{3, 4}},
		{4, 1000, []int64{5}},
		{5, 2, nil},
		{maxPosition, 2, nil},
	} {
		var rsp logpb.ChainResponse
		if err := l.Chain(t.Context(), &logpb.ChainRequest{Chain: number, After: tc.after, Limit: tc.limit}, &rsp); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, k := range rsp.GetLinks() {
			got = append(got, k.GetPosition())
		}
		if len(got) != len(tc.want) || len(got) > 0 && (got[0] != tc.want[0] || got[len(got)-1] != tc.want[len(got)-1]) {
			t.Errorf("after %d, at most %d: got %v, want %v", tc.after, tc.limit, got, tc.want)
		}
	}
	for _, bad := range []*logpb.ChainRequest{{Chain: -1}, {Chain: 16}, {After: -1}, {After: maxPosition + 1}, {Limit: -1}, {Limit: 1001}} {
		if err := l.Chain(t.Context(), bad, &logpb.ChainResponse{}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for _, bad := range []*logpb.HeadsRequest{{Limit: -1}, {Limit: 201}, {Cursor: "garbage"}} {
		if err := l.Heads(t.Context(), bad, &logpb.HeadsResponse{}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestPagesOfAChainBeginAndEndAnywhereInBlocks(t *testing.T) {
	const n = 90
	l := openLog(t, newDB(t))
	home := chain.Of("c")
	blocks := 0
	for version := int64(0); version < n; {
		blocks++
		var events []event.Envelope
		for range min([]int64{1, 7, 32, 2, 1, 1, 20}[blocks%7], n-version) {
			version++
			events = append(events, booking("c", version))
		}
		l.addTogether(t, events...)
	}
	check := func(want []int64) {
		t.Helper()
		for after := int64(0); after <= n+1; after++ {
			left := want
			for len(left) > 0 && left[0] <= after {
				left = left[1:]
			}
			for _, limit := range []int32{1, 3, 32, 1000} {
				var rsp logpb.ChainResponse
				if err := l.Chain(t.Context(), &logpb.ChainRequest{Chain: int32(home), After: after, Limit: limit}, &rsp); err != nil {
					t.Fatal(err)
				}
				var got []int64
				for _, k := range rsp.GetLinks() {
					got = append(got, k.GetPosition())
				}
				if !slices.Equal(got, left[:min(len(left), int(limit))]) {
					t.Fatalf("after %d, at most %d: got %v, want %v", after, limit, got, left)
				}
			}
		}
	}
	var all []int64
	for p := int64(1); p <= n; p++ {
		all = append(all, p)
	}
	check(all)

	var lost [2]int64 // the positions of a block, from and until
	within := func(p int64) bool { return lost[0] <= p && p < lost[1] }
	for _, spoil := range []struct {
		position int64
		how      func(position int64)
	}{
		{40, func(p int64) { l.delete(t, home, p) }},
		{65, func(p int64) { l.alterBlock(t, home, p, func(b *block) { b.Links = nil }) }},
		{80, func(p int64) { l.delete(t, home, p) }},
	} {
		doc, _ := l.at(t, home, spoil.position)
		lost = [2]int64{doc.Value.First, doc.Value.First + int64(len(doc.Value.Links))}
		spoil.how(spoil.position)
		all = slices.DeleteFunc(all, within)
		check(all)
	}
}

func TestALargePageOfAChainEndsEarlyAndNeverEmpty(t *testing.T) {
	l := openLog(t, newDB(t))
	var events []event.Envelope
	for i := range 40 {
		e := booking("c", int64(i+1))
		e.Data = json.RawMessage(`"` + strings.Repeat("x", pageBytes/4) + `"`)
		events = append(events, e)
	}
	l.addTogether(t, events...)
	for _, after := range []int64{0, 1, 31, 33, 38} {
		var rsp logpb.ChainResponse
		if err := l.Chain(t.Context(), &logpb.ChainRequest{Chain: int32(chain.Of("c")), After: after, Limit: 100}, &rsp); err != nil {
			t.Fatal(err)
		}
		if links := rsp.GetLinks(); int64(len(links)) != min(4, 40-after) || links[0].GetPosition() != after+1 {
			t.Fatalf("after %d: %d links", after, len(links))
		}
	}
}

func TestPositionsSortAsTheirKeys(t *testing.T) {
	positions := []int64{0, 1, 9, 10, 15, 16, 255, 256, 1 << 20, 1<<40 - 3, maxPosition, maxPosition + 1}
	for i := 1; i < len(positions); i++ {
		if a, b := positionKey(positions[i-1]), positionKey(positions[i]); a >= b || len(a) != len(b) {
			t.Errorf("%d: %q, %d: %q", positions[i-1], a, positions[i], b)
		}
	}
	seen := map[string]bool{}
	for number := range chain.Count {
		seen[chainKey(number)] = true
	}
	if len(seen) != chain.Count {
		t.Errorf("keys of chains: %v", seen)
	}
}

func TestAClockThatGoesBackDoesNotEndTheSigning(t *testing.T) {
	l := openLog(t, newDB(t))
	for version := range int64(4) {
		l.add(t, booking("a", version+1))
		if err := l.signMinute(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.clock.pass(time.Minute)
	}
	l.clock.pass(-3 * time.Minute)
	before := len(l.signed(t))
	for version := range int64(2) {
		l.add(t, booking("a", version+5))
		if err := l.signMinute(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.clock.pass(time.Minute)
	}
	if after := len(l.signed(t)); after != before+2 {
		t.Errorf("%d heads before the clock went back and %d after two more minutes", before, after)
	}
}
