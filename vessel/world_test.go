package vessel

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// world is the vessel service's inside on a real store, with a consignment service whose answers the test decides.
type world struct {
	*registrar
	fleet   *fleet
	settler *settler
	truth   *truth
	path    string
	db      store.DB
	clock   *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

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

// truth plays the consignment service: what has become of each booking.
type truth struct {
	mu       sync.Mutex
	outcomes map[string]*consignmentpb.Outcome
	err      error
}

func (s *truth) Settle(_ context.Context, bookings []string) ([]*consignmentpb.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	list := make([]*consignmentpb.Outcome, len(bookings))
	for i, b := range bookings {
		if list[i] = s.outcomes[b]; list[i] == nil {
			list[i] = &consignmentpb.Outcome{BookingId: b, State: consignmentpb.State_REJECTED}
		}
	}
	return list, nil
}

func (s *truth) say(booking string, state consignmentpb.State, voyage string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[booking] = &consignmentpb.Outcome{BookingId: booking, State: state, VoyageId: voyage}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		path:  filepath.Join(t.TempDir(), "vessel.db"),
		truth: &truth{outcomes: map[string]*consignmentpb.Outcome{}},
		clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
	}
	w.open(t)
	t.Cleanup(func() { w.db.Close() })
	return w
}

// open opens the documents; again after a close it is what a restart finds.
func (w *world) open(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.db, err = sqlite.Open(ctx, w.path, sqlite.Options{Now: w.clock.now})
	must(err)
	vessels, err := openVessels(ctx, w.db)
	must(err)
	voyages, err := openVoyages(ctx, w.db)
	must(err)
	ledgers, err := openLedgers(ctx, w.db)
	must(err)
	allocations, err := openAllocations(ctx, w.db)
	must(err)
	w.registrar = &registrar{allocations: allocations, ledgers: ledgers, books: newBooks(ledgers, allocations, w.clock.now), now: w.clock.now}
	w.fleet = &fleet{vessels: vessels, voyages: voyages, ledgers: ledgers, books: w.registrar.books, now: w.clock.now}
	w.settler = &settler{rooms: w.registrar, fleet: w.fleet, consignments: w.truth}
}

// sailing offers a vessel of some TEU and kg with a sailing without ports and returns the voyage's id.
func (w *world) sailing(t *testing.T, teu, kg int32) string {
	t.Helper()
	_, voyage, err := w.fleet.commission(t.Context(), Vessel{
		ID: fmt.Sprintf("vessel-%d", w.clock.now().UnixNano()), Name: "Test", OwnerID: "carrier",
		Capacity: teu, MaxWeight: kg, OpenSailing: true, CreatedAt: w.clock.now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Millisecond)
	return voyage.Value.ID
}

func (w *world) ledger(t *testing.T, voyage string) *Ledger {
	t.Helper()
	doc, err := w.ledgers.Get(t.Context(), voyage)
	if err != nil {
		t.Fatal(err)
	}
	return &doc.Value
}

// used is the room taken on the first leg, in quarters of a TEU and kg.
func (w *world) used(t *testing.T, voyage string) Need {
	t.Helper()
	leg := w.ledger(t, voyage).Legs[0]
	return Need{Quarters: leg.UsedQuarters, Weight: leg.UsedWeight}
}

func (w *world) book(t *testing.T, voyage, booking string, n Need) error {
	t.Helper()
	_, err := w.reserve(t.Context(), voyage, booking, wish{need: n})
	return err
}

func (w *world) allocation(t *testing.T, voyage, booking string) Allocation {
	t.Helper()
	doc, err := w.allocations.Get(t.Context(), allocationID(voyage, booking))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Value
}

func (w *world) settle(t *testing.T) {
	t.Helper()
	if err := w.settler.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// quiet checks that nothing is left open: no booking pending, no allocation to finish.
func (w *world) quiet(t *testing.T, voyage string) {
	t.Helper()
	if p := w.ledger(t, voyage).Pending; len(p) != 0 {
		t.Errorf("still pending: %v", p)
	}
	page, err := w.allocations.Find(t.Context(), store.List[Allocation]{Index: byOpenEnd, Match: "yes", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Items {
		t.Errorf("still open: %+v", a.Value)
	}
}
