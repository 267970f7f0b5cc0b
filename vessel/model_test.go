package vessel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// errDead is what a process that has died gets from its database.
var errDead = errors.New("the process is dead")

// mortal is a database that a process loses after a number of writes: the last one may or may not be made, and from then on
// everything fails, as nothing more comes from a process that was killed.
type mortal struct {
	store.DB
	left atomic.Int64 // writes until its death; below zero it is dead
	made bool         // whether the last write is made
}

func (m *mortal) Table(ctx context.Context, s store.Schema) (store.Table, error) {
	t, err := m.DB.Table(ctx, s)
	return &mortalTable{t, m}, err
}

type mortalTable struct {
	store.Table
	db *mortal
}

func (t *mortalTable) write(do func() error) error {
	switch left := t.db.left.Add(-1); {
	case left > 0:
		return do()
	case left == 0 && t.db.made:
		return errors.Join(do(), errDead)
	}
	return errDead
}

func (t *mortalTable) Insert(ctx context.Context, r store.Record) error {
	return t.write(func() error { return t.Table.Insert(ctx, r) })
}

func (t *mortalTable) InsertMany(ctx context.Context, list []store.Record) (n int, err error) {
	err = t.write(func() (err error) { n, err = t.Table.InsertMany(ctx, list); return err })
	return n, err
}

func (t *mortalTable) Replace(ctx context.Context, r store.Record) error {
	return t.write(func() error { return t.Table.Replace(ctx, r) })
}

func (t *mortalTable) Get(ctx context.Context, id string) (store.Record, error) {
	if t.db.left.Load() <= 0 {
		return store.Record{}, errDead
	}
	return t.Table.Get(ctx, id)
}

func (t *mortalTable) GetMany(ctx context.Context, ids []string) ([]store.Record, error) {
	if t.db.left.Load() <= 0 {
		return nil, errDead
	}
	return t.Table.GetMany(ctx, ids)
}

// voyager plays one history: one voyage, its bookings, and a model of them that does nothing but add up.
type voyager struct {
	t    *testing.T
	name string
	rng  *rand.Rand
	db   store.DB
	// rooms and settler are the process; it is replaced when it dies.
	rooms   *registrar
	settler *settler
	truth   *truth

	voyage string
	legs   []Room
	closed bool
	live   map[string]Hold // bookings that have room
	ended  map[string]bool // bookings that were given up
	log    []string
}

func newVoyager(t *testing.T, db store.DB, seed uint64) *voyager {
	v := &voyager{
		t:     t,
		name:  fmt.Sprint("history ", seed),
		rng:   rand.New(rand.NewPCG(seed, 11)),
		db:    db,
		truth: &truth{outcomes: map[string]*consignmentpb.Outcome{}},
		live:  map[string]Hold{},
		ended: map[string]bool{},
	}
	v.voyage = fmt.Sprint("voyage-", seed)
	v.start(db)
	l := Ledger{VoyageID: v.voyage, VesselID: "vessel", OwnerID: "carrier"}
	room := Room{Quarters: 4 * (1 + v.rng.Int64N(12)), Weight: 1 + v.rng.Int64N(40_000)}
	for range 1 + v.rng.IntN(4) {
		l.Legs = append(l.Legs, room)
	}
	for i := range len(l.Legs) + 1 {
		l.Calls = append(l.Calls, PortCall{Port: port(i), Departure: modelTime.Add(time.Hour)})
	}
	v.legs = append([]Room(nil), l.Legs...)
	v.check(v.rooms.ledgers.Insert(context.Background(), l))
	return v
}

var modelTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func port(i int) string { return string(rune('A' + i)) }

// start is the start of a process on a database.
func (v *voyager) start(db store.DB) {
	ctx := context.Background()
	ledgers, err := openLedgers(ctx, db)
	if err != nil {
		v.t.Fatal(err)
	}
	allocations, err := openAllocations(ctx, db)
	if err != nil {
		v.t.Fatal(err)
	}
	now := func() time.Time { return modelTime }
	v.rooms = &registrar{allocations: allocations, ledgers: ledgers, books: newBooks(ledgers, allocations, now), now: now}
	v.settler = &settler{rooms: v.rooms, consignments: v.truth}
}

func (v *voyager) check(_ any, err error) {
	if err != nil {
		v.fail("%v", err)
	}
}

func (v *voyager) fail(format string, args ...any) {
	v.t.Errorf("%s: %s\n%v", v.name, fmt.Sprintf(format, args...), v.log)
	panic(v)
}

func (v *voyager) note(format string, args ...any) {
	v.log = append(v.log, fmt.Sprintf(format, args...))
}

// play plays a number of random steps and ends when one does not do what the model says.
func (v *voyager) play(steps int) {
	defer func() {
		if p := recover(); p != nil && p != any(v) {
			panic(p)
		}
	}()
	for range steps {
		switch v.rng.IntN(12) {
		case 0, 1, 2, 3, 4:
			v.book()
		case 5, 6:
			v.cancel()
		case 7, 8:
			v.settle()
		case 9:
			v.note("restart")
			v.start(v.db) // a restart in good order, or another replica
		case 10:
			v.crash()
		case 11:
			if v.rng.IntN(6) == 0 {
				v.note("close")
				v.check(nil, v.rooms.books.close(context.Background(), v.voyage))
				v.closed = true
			}
		}
		v.compare()
	}
	v.settle()
	v.settle()
	v.compare()
	if pending := v.ledger().Pending; len(pending) > 0 {
		v.fail("still pending: %v", pending)
	}
}

func (v *voyager) pick() (booking string, h Hold) {
	booking = fmt.Sprint(v.voyage, "-b", v.rng.IntN(8))
	if h, ok := v.live[booking]; ok {
		return booking, h
	}
	first := v.rng.IntN(len(v.legs))
	return booking, Hold{
		Quarters: 1 + v.rng.Int64N(12), Weight: 1 + v.rng.Int64N(12_000),
		First: first, End: first + 1 + v.rng.IntN(len(v.legs)-first),
	}
}

func (v *voyager) reserve(booking string, h Hold) error {
	_, err := v.rooms.reserve(context.Background(), v.voyage, booking, wish{need: h.need(), from: port(h.First), to: port(h.End), notBefore: modelTime})
	return err
}

// want is what the model says to a booking.
func (v *voyager) want(booking string, h Hold) fault.Code {
	_, has := v.live[booking]
	switch {
	case has:
		return ""
	case v.ended[booking], v.closed:
		return fault.WrongState
	}
	for i := h.First; i < h.End; i++ {
		used := v.sum(i)
		if used.Quarters+h.Quarters > v.legs[i].Quarters || used.Weight+h.Weight > v.legs[i].Weight {
			return fault.NoCapacity
		}
	}
	return ""
}

func (v *voyager) book() {
	booking, h := v.pick()
	want := v.want(booking, h)
	err := v.reserve(booking, h)
	v.note("book %s %+v: %v", booking, h, err)
	if fault.CodeOf(err) != want {
		v.fail("booking %s %+v: got %v, the model says %q", booking, h, err, want)
	}
	if err == nil {
		v.live[booking] = h
		v.truth.say(booking, consignmentpb.State_CONFIRMED, v.voyage)
	}
}

func (v *voyager) cancel() {
	booking, _ := v.pick()
	if _, ok := v.live[booking]; !ok && !v.ended[booking] {
		return
	}
	v.note("cancel %s", booking)
	v.truth.say(booking, consignmentpb.State_CANCELLED, v.voyage)
	named := v.voyage
	if v.rng.IntN(4) == 0 && v.ledger().Pending[booking] != (Hold{}) {
		named = "" // where it is pending the vessel service finds it by itself
	}
	v.check(nil, v.rooms.release(context.Background(), booking, named))
	delete(v.live, booking)
	v.ended[booking] = true
}

func (v *voyager) settle() {
	v.note("settle")
	l := v.ledger()
	v.check(nil, v.settler.ledger(context.Background(), l.VoyageID, l.Pending))
}

// crash lets the process die within a booking, a cancellation or a settling, after any of its writes, and starts it again. Then
// what the consignment service says about the booking decides, as its request died too: it was not confirmed.
func (v *voyager) crash() {
	m := &mortal{DB: v.db, made: v.rng.IntN(2) == 0}
	m.left.Store(1 + v.rng.Int64N(4))
	v.start(m)
	booking, h := v.pick()
	_, had := v.live[booking]
	ctx := context.Background()
	var err error
	switch kind := v.rng.IntN(3); {
	case kind == 0 && had:
		v.truth.say(booking, consignmentpb.State_CANCELLED, v.voyage)
		delete(v.live, booking)
		v.ended[booking] = true
		err = v.rooms.release(ctx, booking, v.voyage)
		v.note("cancel %s, dying after %d writes (made %v): %v", booking, 4-m.left.Load(), m.made, err)
		v.start(v.db)
		v.check(nil, v.rooms.release(ctx, booking, v.voyage)) // the consignment service's sweeper asks again
	case kind == 1:
		l := v.ledger()
		err = v.settler.ledger(ctx, l.VoyageID, l.Pending)
		v.note("settle, dying: %v", err)
	default:
		err = v.reserve(booking, h)
		v.note("book %s %+v, dying (made %v): %v", booking, h, m.made, err)
		if !had && !v.ended[booking] {
			if err == nil {
				v.truth.say(booking, consignmentpb.State_CONFIRMED, v.voyage)
				v.live[booking] = h
			} else if fault.CodeOf(err) == fault.Internal {
				v.truth.say(booking, consignmentpb.State_REJECTED, "")
				v.unknown(booking)
			}
		}
	}
	v.start(v.db)
	v.settle()
}

// unknown notes a booking whose room may have been taken before the process died. It is barred only if it was.
func (v *voyager) unknown(booking string) {
	if _, pending := v.ledger().Pending[booking]; pending {
		v.ended[booking] = true
	}
}

func (v *voyager) ledger() Ledger {
	ledgers, err := openLedgers(context.Background(), v.db)
	v.check(nil, err)
	doc, err := ledgers.Get(context.Background(), v.voyage)
	v.check(nil, err)
	return doc.Value
}

func (v *voyager) sum(leg int) Need {
	var n Need
	for _, h := range v.live {
		if h.First <= leg && leg < h.End {
			n.Quarters += h.Quarters
			n.Weight += h.Weight
		}
	}
	return n
}

// compare checks every leg: it holds exactly what the model has, and never more than it carries.
func (v *voyager) compare() {
	for i, leg := range v.ledger().Legs {
		if leg.UsedQuarters > leg.Quarters || leg.UsedWeight > leg.Weight {
			v.fail("leg %d is oversold: %+v", i, leg)
		}
		if want := v.sum(i); leg.UsedQuarters != want.Quarters || leg.UsedWeight != want.Weight {
			v.fail("leg %d: used %d and %d kg, the model says %+v", i, leg.UsedQuarters, leg.UsedWeight, want)
		}
	}
}

// TestTenThousandHistories plays random voyages, bookings, repeats, cancellations, closings, restarts and crashes after any
// write, and compares every leg with the model after every step. Histories run at once, so that their writes share commits.
func TestTenThousandHistories(t *testing.T) {
	histories := 10_000
	if testing.Short() {
		histories = 500
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "vessel.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var next, steps atomic.Int64
	var wait sync.WaitGroup
	for range 24 {
		wait.Go(func() {
			for !t.Failed() {
				n := next.Add(1)
				if n > int64(histories) {
					return
				}
				v := newVoyager(t, db, uint64(n))
				v.play(8 + v.rng.IntN(16))
				steps.Add(int64(len(v.log)))
			}
		})
	}
	wait.Wait()
	t.Logf("%d histories of %d steps", histories, steps.Load())
}
