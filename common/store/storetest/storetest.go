// Package storetest is the conformance suite of package store: what every implementation of store.DB has to do alike, so that
// a service cannot tell which one it runs on.
//
// It assumes nothing but the contract. In particular it knows no clock of the implementation, it lets claims outlive a
// reopening, and it takes signals that come for nothing.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// Opener makes a database without any collection for one test, and cleans up after the test. reopen closes the database that
// is open and opens the same data again, as a restart of the service would.
type Opener func(t *testing.T) (db store.DB, reopen func() store.DB)

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Write", writeTests}, {"Batch", batchTests}, {"Race", raceTests}, {"Find", findTests}, {"Paging", pagingTests}, {"Outbox", outboxTests},
		{"Claims", claimTests}, {"Lifecycle", lifecycleTests}, {"Collection", collectionTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, tt := range g.tests {
				t.Run(tt.name, func(t *testing.T) { tt.run(begin(t, open)) })
			}
		})
	}
}

// test is one behaviour; its name says which.
type test struct {
	name string
	run  func(*fixture)
}

// things is the collection that most tests use.
var things = store.Schema{Name: "things", Indexes: []store.IndexSchema{
	{Name: "email", Unique: true}, {Name: "owner"}, {Name: "tag"},
}}

// patience bounds every wait. It is generous, as the machine may be busy.
const patience = 20 * time.Second

// fixture is a test with a database of its own.
type fixture struct {
	*testing.T
	ctx    context.Context
	db     store.DB
	table  store.Table
	reopen func()
}

func begin(t *testing.T, open Opener) *fixture {
	t.Helper()
	db, reopen := open(t)
	f := &fixture{T: t, ctx: t.Context(), db: db}
	f.table = f.open(things)
	f.reopen = func() {
		t.Helper()
		f.db = reopen()
		f.table = f.open(things)
	}
	return f
}

func (f *fixture) open(schema store.Schema) store.Table {
	f.Helper()
	table, err := f.db.Table(f.ctx, schema)
	f.ok(err)
	return table
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("got error %v, want %v", err, want)
	}
}

func (f *fixture) duplicate(err error, index string) {
	f.Helper()
	if !store.IsDuplicate(err, index) {
		f.Fatalf("got error %v, want a duplicate %s", err, index)
	}
}

func (f *fixture) refused(err error) {
	f.Helper()
	if err == nil {
		f.Fatal("was accepted, want an error")
	}
}

func (f *fixture) insert(r store.Record) {
	f.Helper()
	f.ok(f.table.Insert(f.ctx, r))
}

// holds checks that a record is there with this version and body.
func (f *fixture) holds(id string, version int64, body string) {
	f.Helper()
	r, err := f.table.Get(f.ctx, id)
	f.ok(err)
	if r.ID != id || r.Version != version || string(r.Body) != body || len(r.Outbox) != 0 {
		f.Fatalf("got %s, want %s at version %d with body %s", show(r), id, version, body)
	}
}

func (f *fixture) missing(id string) {
	f.Helper()
	_, err := f.table.Get(f.ctx, id)
	f.is(err, store.ErrNotFound)
}

// finds checks the ids that a query gives, in order.
func (f *fixture) finds(q store.Query, want ...string) {
	f.Helper()
	if got := f.find(q); !slices.Equal(got, want) {
		f.Fatalf("%+v found %q, want %q", q, got, want)
	}
}

func (f *fixture) find(q store.Query) []string {
	f.Helper()
	if q.Limit == 0 {
		q.Limit = store.MaxBatch
	}
	found, err := f.table.Find(f.ctx, q)
	f.ok(err)
	return ids(found)
}

func (f *fixture) depth(want int) {
	f.Helper()
	got, err := f.table.Depth(f.ctx)
	f.ok(err)
	if got != want {
		f.Fatalf("%d events wait, want %d", got, want)
	}
}

// eventually waits until done tells true.
func (f *fixture) eventually(what string, done func() bool) {
	f.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

func ids(found []store.Found) []string {
	list := make([]string, len(found))
	for i, r := range found {
		list[i] = r.ID
	}
	return list
}

func show(r store.Record) string {
	return r.ID + " " + string(r.Body[:min(len(r.Body), 200)])
}

// thing is a record with one body and the keys that option functions add.
func thing(id string, options ...func(*store.Record)) store.Record {
	r := store.Record{ID: id, Body: []byte(`{"of":"` + id + `"}`), Keys: make(map[string][]store.Key)}
	for _, o := range options {
		o(&r)
	}
	return r
}

func key(index, match string) func(*store.Record) { return ordered(index, match, "") }

func ordered(index, match, order string) func(*store.Record) {
	return func(r *store.Record) {
		r.Keys[index] = append(r.Keys[index], store.Key{Match: match, Order: order})
	}
}

func body(text string) func(*store.Record) { return func(r *store.Record) { r.Body = []byte(text) } }

func at(version int64) func(*store.Record) { return func(r *store.Record) { r.Version = version } }

func events(ids ...string) func(*store.Record) {
	return func(r *store.Record) {
		for _, id := range ids {
			r.Outbox = append(r.Outbox, store.Event{ID: id, Body: []byte(`{"event":"` + id + `"}`)})
		}
	}
}
