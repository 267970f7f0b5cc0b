package vessel

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// order is the order in which a booking with this wish tries voyages, when none of them takes it.
func (w *world) order(t *testing.T, ledgers *store.Collection[Ledger], wanted wish) []string {
	t.Helper()
	var list []string
	err := sailings(t.Context(), ledgers, wanted, func(l *Ledger, s Span) (bool, error) {
		list = append(list, fmt.Sprintf("%s %d-%d", l.VoyageID, s.First, s.End))
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// put stores ledgers as they are.
func (w *world) put(t *testing.T, list ...Ledger) {
	t.Helper()
	for len(list) > 0 {
		n := min(len(list), store.MaxBatch)
		if _, err := w.ledgers.InsertMany(t.Context(), list[:n]); err != nil {
			t.Fatal(err)
		}
		list = list[n:]
	}
}

// fleetOf makes ledgers of voyages whose times, ports and room are drawn from so few that many are alike.
func fleetOf(rng *rand.Rand, n int, start time.Time) []Ledger {
	ports := []string{"CNSHA", "SGSIN", "NLRTM", "USLAX"}
	list := make([]Ledger, n)
	for i := range list {
		l := Ledger{VoyageID: fmt.Sprintf("voyage-%03d", rng.IntN(1000)*1000+i), Closed: rng.IntN(12) == 0}
		at := start.Add(time.Duration(rng.IntN(8)-2) * 24 * time.Hour)
		if rng.IntN(4) == 0 {
			l.CutOff = at.Add(-time.Duration(rng.IntN(60)) * time.Hour)
		}
		last := ""
		for range 2 + rng.IntN(5) {
			port := ports[rng.IntN(len(ports))]
			if port == last {
				continue
			}
			last = port
			l.Calls = append(l.Calls, PortCall{Port: port, Arrival: at, Departure: at.Add(6 * time.Hour)})
			at = at.Add(time.Duration(1+rng.IntN(3)) * 24 * time.Hour)
		}
		if len(l.Calls) < 2 {
			l.Calls = []PortCall{{Port: "CNSHA", Departure: at}, {Port: "NLRTM", Arrival: at.Add(time.Hour)}}
		}
		for range len(l.Calls) - 1 {
			leg := Room{Quarters: 4 * (1 + rng.Int64N(3)), Weight: 1000 * (1 + rng.Int64N(3))}
			leg.UsedQuarters, leg.UsedWeight = rng.Int64N(leg.Quarters+1), rng.Int64N(leg.Weight+1)
			l.Legs = append(l.Legs, leg)
		}
		list[i] = l
	}
	return list
}

// model says in which order a booking should try voyages: the rule written down again, without an index, in fractions.
func model(list []Ledger, w wish) []string {
	type candidate struct {
		id         string
		span       Span
		arrival    time.Time
		left       *big.Rat
		legsInSpan int
	}
	less := func(a, b candidate) int {
		if c := a.arrival.Compare(b.arrival); c != 0 {
			return c
		}
		if c := a.left.Cmp(b.left); c != 0 {
			return c
		}
		if c := strings.Compare(a.id, b.id); c != 0 {
			return c
		}
		return a.legsInSpan - b.legsInSpan
	}
	var best []candidate
	for _, l := range list {
		var own []candidate
		for i := range l.Calls {
			for j := i + 1; j < len(l.Calls); j++ {
				if l.Calls[i].Port != w.from || l.Calls[j].Port != w.to || l.Calls[i].Departure.Before(w.notBefore) ||
					l.Closed || !l.CutOff.IsZero() && !w.now.Before(l.CutOff) {
					continue
				}
				left := new(big.Rat)
				room := true
				for _, leg := range l.Legs[i:j] {
					for _, free := range [][2]int64{
						{leg.Quarters - leg.UsedQuarters - w.need.Quarters, leg.Quarters},
						{leg.Weight - leg.UsedWeight - w.need.Weight, leg.Weight},
					} {
						room = room && free[0] >= 0
						if r := big.NewRat(free[0], free[1]); r.Cmp(left) > 0 {
							left = r
						}
					}
				}
				if room {
					own = append(own, candidate{l.VoyageID, Span{i, j}, l.Calls[j].Arrival, left, j - i})
				}
			}
		}
		if len(own) > 0 {
			best = append(best, slices.MinFunc(own, less))
		}
	}
	slices.SortFunc(best, less)
	var order []string
	for _, c := range best {
		order = append(order, fmt.Sprintf("%s %d-%d", c.id, c.span.First, c.span.End))
	}
	return order
}

func TestTheChoiceIsTheModels(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 8
	}
	found := 0
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 11))
		w := newWorld(t)
		list := fleetOf(rng, 50<<(round%4), w.clock.now())
		w.put(t, list...)
		for _, route := range [][2]string{{"CNSHA", "NLRTM"}, {"NLRTM", "CNSHA"}, {"SGSIN", "USLAX"}} {
			wanted := wish{
				from: route[0], to: route[1], now: w.clock.now(),
				notBefore: w.clock.now().Add(time.Duration(rng.IntN(48)) * time.Hour),
				need:      Need{Quarters: 1 + rng.Int64N(4), Weight: 1 + rng.Int64N(1000)},
			}
			got, want := w.order(t, w.ledgers, wanted), model(list, wanted)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, %+v: tried\n%v, want\n%v", round, wanted, got, want)
			}
			found += len(want)
		}
		w.db.Close()
	}
	if found < rounds*20 {
		t.Errorf("only %d sailings in all: the test shows little", found)
	}
}

// countingDB counts the documents that searches read.
type countingDB struct {
	store.DB
	read *int
}

type countingTable struct {
	store.Table
	read *int
}

func (db countingDB) Table(ctx context.Context, s store.Schema) (store.Table, error) {
	table, err := db.DB.Table(ctx, s)
	return countingTable{table, db.read}, err
}

func (t countingTable) Find(ctx context.Context, q store.Query) ([]store.Found, error) {
	found, err := t.Table.Find(ctx, q)
	*t.read += len(found)
	return found, err
}

// line makes ledgers of a line that leaves Shanghai for Rotterdam each day and takes a month.
func line(n int, start time.Time) []Ledger {
	list := make([]Ledger, n)
	for i := range list {
		at := start.Add(time.Duration(i) * 24 * time.Hour)
		list[i] = Ledger{
			VoyageID: fmt.Sprintf("voyage-%04d", i),
			Calls:    []PortCall{{Port: "CNSHA", Departure: at}, {Port: "NLRTM", Arrival: at.Add(30 * 24 * time.Hour)}},
			Legs:     []Room{{Quarters: 40, Weight: 10_000}},
		}
	}
	return list
}

func TestAChoiceReadsNoFurtherThanItsArrival(t *testing.T) {
	w := newWorld(t)
	w.put(t, line(1000, w.clock.now())...)
	read := 0
	ledgers, err := openLedgers(t.Context(), countingDB{w.db, &read})
	if err != nil {
		t.Fatal(err)
	}
	wanted := wish{from: "CNSHA", to: "NLRTM", notBefore: w.clock.now().Add(12 * time.Hour), now: w.clock.now(), need: oneTEU}
	var first string
	err = sailings(t.Context(), ledgers, wanted, func(l *Ledger, _ Span) (bool, error) {
		first = l.VoyageID
		return true, nil
	})
	if err != nil || first != "voyage-0001" || read > 200 {
		t.Errorf("chose %s after reading %d of 1000, %v", first, read, err)
	}
	if got := w.order(t, ledgers, wanted); len(got) != 999 || !slices.IsSorted(got) {
		t.Errorf("tried %d voyages when all refuse", len(got))
	}
}

func TestMoreOffersThanAreComparedAreAllTriedOnce(t *testing.T) {
	w := newWorld(t)
	list := line(3*maxOffers, w.clock.now())
	for i := range list { // all depart before the first arrives
		list[i].Calls[0].Departure = w.clock.now().Add(time.Duration(i) * time.Minute)
	}
	w.put(t, list...)
	got := w.order(t, w.ledgers, wish{from: "CNSHA", to: "NLRTM", notBefore: w.clock.now(), need: oneTEU})
	if n := len(got); n != len(list) || got[0] != "voyage-0000 0-1" {
		t.Errorf("tried %d of %d, first %s", n, len(list), got[0])
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != len(list) {
		t.Errorf("tried only %d different ones", n)
	}
}

func TestAnExpressThatDepartsLastArrivesFirst(t *testing.T) {
	w := newWorld(t)
	list := line(100, w.clock.now())
	for i := range list {
		list[i].Calls[0].Departure = w.clock.now().Add(time.Duration(i) * time.Hour)
	}
	list[99].Calls[1].Arrival = list[0].Calls[1].Arrival.Add(-time.Minute)
	list[98].Calls[1].Arrival = list[0].Calls[1].Arrival // and this one as the first one does
	list[98].VoyageID = "voyage--98"
	w.put(t, list...)
	got := w.order(t, w.ledgers, wish{from: "CNSHA", to: "NLRTM", notBefore: w.clock.now(), need: oneTEU})
	if want := []string{"voyage-0099 0-1", "voyage--98 0-1", "voyage-0000 0-1", "voyage-0001 0-1"}; !slices.Equal(got[:4], want) {
		t.Errorf("tried %v first, want %v", got[:4], want)
	}
}

func TestASearchEndsWhenATryFails(t *testing.T) {
	w := newWorld(t)
	w.put(t, line(3, w.clock.now())...)
	broken := errors.New("broken")
	for _, wanted := range []wish{{from: "CNSHA", to: "NLRTM"}, {}} {
		w.put(t, Ledger{VoyageID: "open-" + wanted.from, Legs: []Room{{Quarters: 4, Weight: 1000}}})
		tries := 0
		err := sailings(t.Context(), w.ledgers, wanted, func(*Ledger, Span) (bool, error) { tries++; return false, broken })
		if !errors.Is(err, broken) || tries != 1 {
			t.Errorf("%d tries, %v", tries, err)
		}
	}
}

func TestSharesAreComparedExactly(t *testing.T) {
	const most = 2_000_000_000
	for _, tc := range []struct {
		a, b share
		want int
	}{
		{share{1, 3}, share{333_333_333, 1_000_000_000}, +1},
		{share{most - 1, most}, share{most - 2, most - 1}, +1},
		{share{most, most}, share{4_000_000, 4_000_000}, 0},
		{share{0, 1}, share{0, most}, 0},
		{share{1, most}, share{1, most - 1}, -1},
	} {
		if got, back := tc.a.compare(tc.b), tc.b.compare(tc.a); got != tc.want || back != -tc.want {
			t.Errorf("%v and %v: %d, %d", tc.a, tc.b, got, back)
		}
	}
}
