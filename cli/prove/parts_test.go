package prove

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestRoomOfContainersByTheirLength(t *testing.T) {
	for sizeType, want := range map[string]int64{"": 4, "12G1": 2, "22G1": 4, "32G1": 6, "42G1": 8, "45G1": 8, "L5G1": 9, "M5G1": 10} {
		if got := quartersOf(sizeType); got != want {
			t.Errorf("%q takes %d quarters of a TEU, want %d", sizeType, got, want)
		}
	}
}

func TestAnAskMakesTheSameRequestAgain(t *testing.T) {
	f := &fleet{run: "prove-x", voyages: []*voyage{{id: "v0"}, {id: "v1", ports: []string{"AA222", "AA223", "AA224"}}}}
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 200 {
		v := n % 2
		a := randomAsk(rng, v, f.voyages[v])
		first := string(encode(f.wish(serial{3, n}, a)))
		if again := string(encode(f.wish(serial{3, n}, a))); first != again {
			t.Fatalf("%s and then %s", first, again)
		}
		c := f.wish(serial{3, n}, a)
		if len(c.Containers) < 1 || len(c.Containers) > maxBoxes || c.Weight < 1 || c.Weight > maxBooking {
			t.Errorf("%s is no booking", first)
		}
		if _, _, ok := f.voyages[v].span(c.From, c.To); !ok || (c.From == "") != (c.To == "") {
			t.Errorf("%s does not sail on voyage %s", first, f.voyages[v].id)
		}
		if c.VoyageID == "" && c.From == "" {
			t.Errorf("%s could go on anybody's voyage", first)
		}
		if problem := f.differs(serial{3, n}, a, &c); problem != "" {
			t.Errorf("%s differs from itself %s", first, problem)
		}
	}
}

func TestHarboursAreLocodes(t *testing.T) {
	for _, text := range []string{"234567", "A2B3", "QQQQ", ""} {
		if text == "" {
			text = "77"
		}
		seen := map[string]bool{}
		for _, port := range harbours(text) {
			seen[port] = true
			country, place := port[:2], port[2:]
			if len(port) != 5 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || strings.Trim(place, "ABCDEFGHIJKLMNOPQRSTUVWXYZ23456789") != "" {
				t.Errorf("%q is no UN/LOCODE", port)
			}
		}
		if len(seen) != 5 {
			t.Errorf("%v are not 5", seen)
		}
	}
}

func TestAnOutageLastsUntilABookingAskedForAfterItIsAnswered(t *testing.T) {
	o := &outages{}
	if o.around(time.Now()) || !o.back() {
		t.Fatal("an outage before the first kill")
	}
	before := time.Now()
	o.killing()
	o.served(time.Now(), true) // while the command is running nothing is dead yet
	if !o.around(time.Now()) || o.back() {
		t.Fatal("no outage while something is killed")
	}
	o.killed(true)
	o.served(before, true)
	o.served(time.Now(), false)
	if o.back() {
		t.Fatal("an answer to what was asked before, or one that only reads, ends the outage")
	}
	o.served(time.Now(), true)
	if !o.back() || !o.around(time.Now()) {
		t.Error("what was killed may still be felt for a while")
	}
	if o.around(time.Now().Add(aftermath + time.Second)) {
		t.Error("the outage never ends")
	}
	o.killing()
	o.killed(false)
	if !o.back() {
		t.Error("a kill that failed makes an outage")
	}
}

func TestHistoryThatExplainsAState(t *testing.T) {
	for name, tc := range map[string]struct {
		logged history
		state  string
		last   int64
		want   bool
	}{
		"confirmed":                     {history{{1, "received"}, {2, "confirmed"}}, "CONFIRMED", 2, true},
		"resumed, then confirmed":       {history{{1, "received"}, {3, "confirmed"}}, "CONFIRMED", 3, true},
		"rejected":                      {history{{1, "received"}, {2, "rejected"}}, "REJECTED", 2, true},
		"cancelled":                     {history{{1, "received"}, {2, "confirmed"}, {3, "cancelled"}}, "CANCELLED", 4, true},
		"cancelled before confirmation": {history{{1, "received"}, {2, "cancelled"}}, "CANCELLED", 3, true},
		"completed":                     {history{{1, "received"}, {2, "confirmed"}, {3, "completed"}}, "COMPLETED", 3, true},
		"nothing":                       {nil, "CONFIRMED", 2, false},
		"no beginning":                  {history{{2, "received"}, {3, "confirmed"}}, "CONFIRMED", 3, false},
		"one version for two":           {history{{1, "received"}, {1, "confirmed"}}, "CONFIRMED", 2, false},
		"ahead of the consignment":      {history{{1, "received"}, {3, "confirmed"}}, "CONFIRMED", 2, false},
		"another end":                   {history{{1, "received"}, {2, "rejected"}}, "CONFIRMED", 2, false},
		"the same change again":         {history{{1, "received"}, {2, "confirmed"}, {3, "confirmed"}}, "CONFIRMED", 3, false},
		"a change too many":             {history{{1, "received"}, {2, "confirmed"}, {3, "cancelled"}}, "CONFIRMED", 3, false},
		"the wrong order":               {history{{1, "confirmed"}, {2, "received"}}, "CONFIRMED", 2, false},
	} {
		if got := tc.logged.explains(expected(tc.state, tc.logged.has("confirmed")), tc.last); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTextOfAServerIsSafeToShow(t *testing.T) {
	got := clean("a\x1b[31mb\nc\u202e" + strings.Repeat("x", 10_000))
	if strings.ContainsAny(got, "\x1b\n\u202e") || len([]rune(got)) > 700 {
		t.Errorf("%q", got)
	}
}

func FuzzParseSerial(f *testing.F) {
	for _, s := range []string{"0/0", "12/345", "/", "1/", "-1/2", "1/2/3", "9999999999999999999/1"} {
		f.Add(s)
	}
	l := newLedger(2)
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseSerial(text)
		if l.at(s) != nil {
			t.Error("an empty ledger has a record")
		}
		if back, again := parseSerial(s.String()); ok && (!again || back != s) {
			t.Errorf("%q is read as %v, then as %v", text, s, back)
		}
	})
}
