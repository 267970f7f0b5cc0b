package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// forgeBlock writes a block with one entry beside the log, whose body says first and which the index of chains has under key.
func (l *testLog) forgeBlock(t *testing.T, db store.DB, first int64, key string) (entryID string) {
	t.Helper()
	s := spec()
	for i := range s.Indexes {
		if s.Indexes[i].Name == byChain {
			s.Indexes[i].Keys = func(*block) []store.Key { return []store.Key{{Match: chainKey(home), Order: key}} }
		}
	}
	forger, err := store.Open(t.Context(), db, s)
	if err != nil {
		t.Fatal(err)
	}
	e := fromEvent(booking(entity, 666))
	content, err := e.content()
	if err != nil {
		t.Fatal(err)
	}
	b := block{ID: blockID(1, home), Chain: home, First: first, Links: []link{{Hash: "00", Content: string(content), entry: &e}}}
	if _, err := forger.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return e.ID
}

// What the log shows to those who read it, its verification sees, wherever in the chain somebody has put it.
func TestAForgedEntryThatIsListedIsFound(t *testing.T) {
	full := func(t *testing.T) (*testLog, store.DB) { // blocks begin at 1, 33 and 65 and end at 96
		db := newDB(t)
		l := openLog(t, db)
		for n := range 3 {
			var events []event.Envelope
			for v := range blockLength {
				events = append(events, booking(entity, int64(n*blockLength+v+1)))
			}
			l.addTogether(t, events...)
		}
		if err := l.signMinute(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l, db
	}
	pages := []int32{1, 31, 32, 64, 1000}
	found := func(t *testing.T, l *testLog, forged string) {
		t.Helper()
		if !slices.Contains(l.walk(t, boss, &logpb.ListRequest{Limit: 10}, nil), forged) {
			return // hidden from both
		}
		for _, limit := range pages {
			if r := l.verifyBy(t, limit); len(r.Findings()) == 0 {
				t.Errorf("it is listed, and not found by pages of %d", limit)
			}
		}
	}
	places := []int64{-50, 0, 2, 33, 64, 66, 97}
	for _, first := range places {
		for _, key := range places {
			if key < 0 || key == 1 || key == 33 { // no key, and taken
				continue
			}
			t.Run(fmt.Sprintf("%d under %d", first, key), func(t *testing.T) {
				l, db := full(t)
				found(t, l, l.forgeBlock(t, db, first, positionKey(key)))
			})
		}
	}
	t.Run("a link too many", func(t *testing.T) {
		l, _ := full(t)
		e := fromEvent(booking(entity, 666))
		content, err := e.content()
		if err != nil {
			t.Fatal(err)
		}
		l.alterBlock(t, home, 64, func(b *block) { b.Links = append(b.Links, link{Hash: "00", Content: string(content), entry: &e}) })
		found(t, l, e.ID)
	})
}

// The index is what refuses the next block, so it is what says where that begins.
func TestAnAppendGoesOnBehindABlockThatIsNotWhereItSays(t *testing.T) {
	l := openLog(t, newDB(t))
	l.add(t, booking(entity, 1), booking(entity, 2))
	l.alterBody(t, home, 2, func(b *block) { b.First = 1 })
	l.forget()
	l.add(t, booking(entity, 3))
	if r := l.verify(t); len(r.Findings()) == 0 {
		t.Error("nothing was found")
	}
}
