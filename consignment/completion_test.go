package consignment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

const completingTrace = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

// completer makes the worker on the documents of the world.
func (w *world) completer(t testing.TB, db store.DB) *completer {
	t.Helper()
	tasks, err := openCompletions(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	return &completer{desk: w.desk, tasks: tasks}
}

func voyageEvent(action string) event.Envelope {
	return event.Envelope{ID: "event-" + action, EntityType: "voyage", EntityID: "voyage", Action: action, ActorID: "carrier", TraceParent: completingTrace}
}

func (c *completer) mustHandle(t testing.TB, e event.Envelope) {
	t.Helper()
	if err := c.handle(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func (c *completer) mustWork(t testing.TB) {
	t.Helper()
	if err := c.work(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (c *completer) waiting(t testing.TB) int {
	t.Helper()
	page, err := c.tasks.Find(context.Background(), store.List[Completion]{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Items)
}

func (w *world) state(t testing.TB, id string) State {
	t.Helper()
	doc, err := w.consignments.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Value.State
}

func TestTheEndOfAVoyageCompletesWhatItCarried(t *testing.T) {
	w, db := newWorldOn(t)
	c := w.completer(t, db)
	carried, own := w.book(t).GetId(), ""
	var rsp consignmentpb.Response
	if err := w.CreateConsignment(as(t.Context(), "carrier"), request(), &rsp); err != nil { // the carrier ships something too
		t.Fatal(err)
	}
	own = rsp.GetConsignment().GetId()
	cancelled := w.book(t).GetId()
	if _, err := w.cancelAs(t, cancelled, "shipper"); err != nil {
		t.Fatal(err)
	}
	w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) {
		return &vesselpb.Allocation{VoyageId: "another", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	elsewhere := w.book(t).GetId()
	w.events(t)

	for _, action := range []string{"opened", "closed", "departed"} {
		c.mustHandle(t, voyageEvent(action))
	}
	c.mustHandle(t, event.Envelope{ID: "e", EntityType: "consignment", EntityID: "voyage", Action: "completed", ActorID: "carrier"})
	if n := c.waiting(t); n != 0 {
		t.Errorf("%d tasks of other events", n)
	}
	for range 3 {
		c.mustHandle(t, voyageEvent("completed"))
		if n := c.waiting(t); n != 1 {
			t.Errorf("%d tasks of one event", n)
		}
		c.mustWork(t)
	}
	w.at = w.at.Add(lingering - time.Nanosecond)
	c.mustWork(t)
	if n := c.waiting(t); n != 1 {
		t.Errorf("%d tasks, though bookings may still come from where the clock is slow", n)
	}
	w.at = w.at.Add(time.Nanosecond)
	c.mustWork(t)
	if n := c.waiting(t); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
	c.mustHandle(t, voyageEvent("completed")) // once more, long after
	c.mustWork(t)
	for id, want := range map[string]State{carried: Completed, own: Completed, cancelled: Cancelled, elsewhere: Confirmed} {
		if got := w.state(t, id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	list := w.events(t)
	if len(list) != 2 {
		t.Fatalf("%d events: %s", len(list), actions(list))
	}
	for _, e := range list {
		if e.Type() != "consignment.completed" || e.ActorID != "carrier" || e.Via != Name || e.TraceParent != completingTrace || e.Version != 3 {
			t.Errorf("event %+v", e)
		}
		if e.EntityID == carried && fmt.Sprint(e.Audience) != "[carrier shipper]" {
			t.Errorf("it is for %v", e.Audience)
		}
	}
	if _, err := w.cancelAs(t, carried, "shipper"); err == nil {
		t.Error("what was carried can be cancelled")
	}
}

func TestAnEndByNobodyIsRefused(t *testing.T) {
	w, db := newWorldOn(t)
	e := voyageEvent("completed")
	e.ActorID = ""
	if err := w.completer(t, db).handle(t.Context(), e); !errors.Is(err, fault.Invalid) {
		t.Errorf("got %v, and nothing would come of it", err)
	}
}

func TestABookingThatWasCancelledJustBeforeIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	id := w.book(t).GetId()
	if _, err := w.cancelAs(t, id, "shipper"); err != nil {
		t.Fatal(err)
	}
	if err := w.complete(t.Context(), id); err != nil || w.state(t, id) != Cancelled {
		t.Errorf("it is %s, %v", w.state(t, id), err)
	}
	if got := actions(w.events(t)); got != "received/1 confirmed/2 cancelled/3" {
		t.Errorf("events %s", got)
	}
}

// A booking can be confirmed on a voyage a while after that was closed, and so after its end was heard of.
func TestABookingThatIsConfirmedAfterTheEndIsCompletedToo(t *testing.T) {
	w, db := newWorldOn(t)
	c := w.completer(t, db)
	w.vessels.reserve = func(*vesselpb.Reservation) (*vesselpb.Allocation, error) {
		w.at = w.at.Add(time.Second)
		c.mustHandle(t, voyageEvent("completed"))
		c.mustWork(t)
		return &vesselpb.Allocation{VoyageId: "voyage", VesselId: "vessel", CarrierId: "carrier"}, nil
	}
	id := w.book(t).GetId()
	if s := w.state(t, id); s != Confirmed {
		t.Fatalf("it is %s", s)
	}
	w.at = w.at.Add(lingering)
	c.mustWork(t)
	if s := w.state(t, id); s != Completed || c.waiting(t) != 0 {
		t.Errorf("it is %s, %d tasks are left", s, c.waiting(t))
	}
}

func TestATaskStaysAsLongAsABookingFromBeforeItIsReceived(t *testing.T) {
	w, db := newWorldOn(t)
	c := w.completer(t, db)
	id := w.crash(t)
	w.at = w.at.Add(time.Second)
	c.mustHandle(t, voyageEvent("completed"))
	w.at = w.at.Add(time.Hour) // nobody swept
	late := w.crash(t)         // and this one came too late for the voyage
	for range 2 {
		c.mustWork(t)
	}
	if n := c.waiting(t); n != 1 {
		t.Errorf("%d tasks while a booking may still be confirmed", n)
	}
	if _, err := w.giveUp(t.Context(), w.document(t, id)); err != nil {
		t.Fatal(err)
	}
	c.mustWork(t)
	if n := c.waiting(t); n != 0 || w.state(t, late) != Received {
		t.Errorf("%d tasks are left", n)
	}
}

func (w *world) document(t *testing.T, id string) store.Document[Consignment] {
	t.Helper()
	doc, err := w.consignments.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// failing is a database whose writes fail when it has done so many.
type failing struct {
	store.DB
	left *atomic.Int64
}

type failingTable struct {
	store.Table
	left *atomic.Int64
}

var errDisk = errors.New("the disk is gone")

func (db failing) Table(ctx context.Context, s store.Schema) (store.Table, error) {
	table, err := db.DB.Table(ctx, s)
	return failingTable{table, db.left}, err
}

func (t failingTable) Replace(ctx context.Context, r store.Record) error {
	if t.left.Add(-1) < 0 {
		return errDisk
	}
	return t.Table.Replace(ctx, r)
}

// load puts n confirmed bookings on the voyage.
func load(t testing.TB, consignments *store.Collection[Consignment], n int) {
	t.Helper()
	list := make([]Consignment, n)
	for i := range list {
		list[i] = Consignment{ID: fmt.Sprintf("booking-%06d", i), UserID: "shipper", State: Confirmed, Weight: 1000,
			Containers: []Container{{}}, VoyageID: "voyage", VesselID: "vessel", CarrierID: "carrier"}
	}
	for len(list) > 0 {
		m := min(len(list), store.MaxBatch)
		if _, err := consignments.InsertMany(context.Background(), list[:m]); err != nil {
			t.Fatal(err)
		}
		list = list[m:]
	}
}

func TestACompletionThatIsCutOffGoesOn(t *testing.T) {
	w, db := newWorldOn(t)
	const bookings = 1200 // more than two pages
	load(t, w.consignments, bookings)
	left := new(atomic.Int64)
	var err error
	if w.consignments, err = openConsignments(t.Context(), failing{db, left}); err != nil {
		t.Fatal(err)
	}
	c := w.completer(t, db)
	c.mustHandle(t, voyageEvent("completed"))
	for round := 0; ; round++ {
		left.Store(500)
		err := c.work(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, errDisk) || round > bookings/500 {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	w.at = w.at.Add(lingering)
	c.mustWork(t)
	completed := map[string]int{}
	for _, e := range w.events(t) {
		if e.Action == "completed" {
			completed[e.EntityID]++
		}
	}
	if len(completed) != bookings || c.waiting(t) != 0 {
		t.Errorf("%d of %d bookings were completed, %d tasks are left", len(completed), bookings, c.waiting(t))
	}
	for id, n := range completed {
		if n != 1 || w.state(t, id) != Completed {
			t.Fatalf("%s has %d events and is %s", id, n, w.state(t, id))
		}
	}
}

// BenchmarkCompletion completes a voyage of 20,000 bookings.
func BenchmarkCompletion(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "consignment.db"), sqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		consignments, err := openConsignments(b.Context(), db)
		if err != nil {
			b.Fatal(err)
		}
		w := &world{handler: &handler{desk: &desk{consignments: consignments, now: time.Now}}}
		c := w.completer(b, db)
		load(b, consignments, 20_000)
		c.mustHandle(b, voyageEvent("completed"))
		b.StartTimer()
		c.mustWork(b)
		b.StopTimer()
		if s := w.state(b, "booking-019999"); s != Completed {
			b.Errorf("the last one is %s", s)
		}
		db.Close()
		b.StartTimer()
	}
}
