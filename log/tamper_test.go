package log

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// at reads the block with a place, ready to be written back, and finds the place in it.
func (l *testLog) at(t testing.TB, number int, position int64) (doc store.Document[block], place int) {
	t.Helper()
	list := store.List[block]{Index: byChain, Match: chainKey(number), Until: positionKey(position + 1), Descending: true, Limit: 1}
	page, err := l.handler.blocks.Find(t.Context(), list)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("read position %d of chain %d: %d found, %v", position, number, len(page.Items), err)
	}
	doc = page.Items[0]
	doc.Value.decode()
	if place = int(position - doc.Value.First); place >= len(doc.Value.Links) {
		t.Fatalf("no position %d in chain %d", position, number)
	}
	return doc, place
}

func (l *testLog) link(t testing.TB, number int, position int64) link {
	t.Helper()
	doc, place := l.at(t, number, position)
	return doc.Value.Links[place]
}

// alterBlock writes over the block with a place, as somebody with the database in their hands can.
func (l *testLog) alterBlock(t testing.TB, number int, position int64, change func(b *block)) {
	t.Helper()
	doc, _ := l.at(t, number, position)
	change(&doc.Value)
	if _, err := l.handler.blocks.Replace(t.Context(), doc.Value, doc.Version); err != nil {
		t.Fatal(err)
	}
}

// alterBody does so without a change in the indexes.
func (l *testLog) alterBody(t testing.TB, number int, position int64, change func(b *block)) {
	t.Helper()
	type forged struct {
		block
		id    string
		index block // what the indexes have of it
	}
	forger := store.Spec[forged]{Name: spec().Name, ID: func(f *forged) string { return f.id }}
	for _, ix := range spec().Indexes {
		forger.Indexes = append(forger.Indexes, store.Index[forged]{
			Name: ix.Name, Unique: ix.Unique, Keys: func(f *forged) []store.Key { return ix.Keys(&f.index) },
		})
	}
	blocks, err := store.Open(t.Context(), l.db, forger)
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := l.at(t, number, position)
	f := forged{block: doc.Value, id: doc.Value.ID, index: doc.Value}
	f.Links = slices.Clone(f.Links)
	change(&f.block)
	if _, err := blocks.Replace(t.Context(), f, doc.Version); err != nil {
		t.Fatal(err)
	}
}

// alter writes over the link at a place.
func (l *testLog) alter(t testing.TB, number int, position int64, change func(k *link)) {
	t.Helper()
	_, place := l.at(t, number, position)
	l.alterBlock(t, number, position, func(b *block) { change(&b.Links[place]) })
}

// swap puts two links into each other's places.
func (l *testLog) swap(t testing.TB, number int, one, other int64) {
	t.Helper()
	a, b := l.link(t, number, one), l.link(t, number, other)
	l.alter(t, number, one, func(k *link) { *k = link{Hash: b.Hash, Content: b.Content} })
	l.alter(t, number, other, func(k *link) { *k = link{Hash: a.Hash, Content: a.Content} })
}

// refuses checks that what is stored now is not signed.
func (l *testLog) refuses(t testing.TB) {
	t.Helper()
	if err := l.signMinute(t.Context()); err == nil || !strings.Contains(err.Error(), "it was cut off or changed") {
		t.Errorf("signed over a cut: %v", err)
	}
}

// delete takes the block with a place away.
func (l *testLog) delete(t testing.TB, number int, position int64) {
	t.Helper()
	doc, _ := l.at(t, number, position)
	if err := l.handler.blocks.Delete(t.Context(), doc.Value.ID, doc.Version); err != nil {
		t.Fatal(err)
	}
}

// rewrite changes an entry and hashes the chain anew from there to its end.
func (l *testLog) rewrite(t testing.TB, number int, from, to int64) {
	t.Helper()
	previous := chain.Genesis(number)
	if from > 1 {
		previous, _ = hex.DecodeString(l.link(t, number, from-1).Hash)
	}
	for p := from; p <= to; p++ {
		l.alter(t, number, p, func(k *link) {
			if p == from {
				k.Content = strings.Replace(k.Content, "confirmed", "cancelled", 1)
			}
			previous = chain.Next(previous, []byte(k.Content))
			k.Hash = hex.EncodeToString(previous)
		})
	}
}

// In tampering there are twelve entries of each of two entities. They were signed at 6 and at 10.
const entity, other = "c", "another" // in different chains

var home = chain.Of(entity)

type tampering struct {
	name   string
	tamper func(t *testing.T, l *testLog)
	want   []string // how the sentences begin; %d stands for the chain
}

// anyTampering can be done whatever the blocks are.
var anyTampering = []tampering{
	{"nothing is done", func(*testing.T, *testLog) {}, nil},
	{"a byte of an entry is changed", func(t *testing.T, l *testLog) {
		l.alter(t, home, 5, func(k *link) { k.Content = strings.Replace(k.Content, "confirmed", "confirmeD", 1) })
	}, []string{"chain %d, position 5: the entry does not follow from the one before it"}},
	{"an entry is made unreadable", func(t *testing.T, l *testLog) {
		l.alter(t, home, 5, func(k *link) { k.Content = "garbage" })
	}, []string{"chain %d, position 5: the entry does not follow from the one before it"}},
	{"a hash is changed", func(t *testing.T, l *testLog) {
		l.alter(t, home, 12, func(k *link) { k.Hash = "no hash" })
	}, []string{"chain %d, position 12: the entry does not follow"}},
	{"two entries are swapped", func(t *testing.T, l *testLog) { l.swap(t, home, 3, 5) },
		[]string{"chain %d, positions 3 to 5: the entries at 3 and 5 are in each other's places"}},
	{"two neighbours are swapped", func(t *testing.T, l *testLog) { l.swap(t, home, 3, 4) },
		[]string{"chain %d, positions 3 to 4: the entries at 3 and 4 are in each other's places"}},
	{"two entries of different blocks are swapped", func(t *testing.T, l *testLog) { l.swap(t, home, 3, 8) },
		[]string{"chain %d, positions 3 to 8: the entries at 3 and 8 are in each other's places"}},
	{"everything is hashed anew from a changed entry on", func(t *testing.T, l *testLog) { l.rewrite(t, home, 7, 12) },
		[]string{"chain %d, position 10: the hash is not the one signed at 2026-11-21T12:01:30Z: something behind position 6 was changed"}},
	{"the same, and the heads are changed to match", func(t *testing.T, l *testLog) {
		signed := l.link(t, home, 10).Hash
		l.rewrite(t, home, 7, 12)
		l.forge(t, func(h *signedHeads) {
			h.Content = strings.Replace(h.Content, signed, l.link(t, home, 10).Hash, 1)
		})
	}, []string{"the heads of 2026-11-21T12:01:30Z: their signature is false"}},
	{"heads are signed by somebody else", func(t *testing.T, l *testLog) {
		l.forge(t, func(h *signedHeads) { h.KeyID = "mine" })
	}, []string{`the heads of 2026-11-21T12:01:30Z: they are signed with the key "mine"`}},
	{"older heads are deleted", func(t *testing.T, l *testLog) { l.deleteHeads(t, 1) },
		[]string{"heads 1: there are no signed heads with this number, though there are heads 2"}},
	{"the same, and the others get other numbers", func(t *testing.T, l *testLog) {
		l.deleteHeads(t, 1)
		l.forge(t, func(h *signedHeads) { h.Content = strings.Replace(h.Content, `"number":2`, `"number":1`, 1) })
	}, []string{"the heads of 2026-11-21T12:01:30Z: their signature is false"}},
	{"heads are there twice", func(t *testing.T, l *testLog) {
		doc := l.storedHeads(t)[0].Value
		doc.ID = headsID(3)
		if _, err := l.handler.heads.Insert(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}, []string{"heads 1: there is more than one with this number"}},
}

func TestTamperingWithTheDatabaseIsFound(t *testing.T) {
	for _, tc := range append(anyTampering, []tampering{
		{"an entry is deleted", func(t *testing.T, l *testLog) { l.delete(t, home, 5) },
			[]string{"chain %d, position 5: 1 entry is missing"}},
		{"two documents are swapped", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 3, func(b *block) { b.First = 1000 })
			l.alterBlock(t, home, 5, func(b *block) { b.First = 3 })
			l.alterBlock(t, home, 1000, func(b *block) { b.First = 5 })
		}, []string{"chain %d, positions 3 to 5: the entries at 3 and 5 are in each other's places"}},
		{"the end is cut off below the last signed heads", func(t *testing.T, l *testLog) {
			for p := int64(12); p >= 7; p-- {
				l.delete(t, home, p)
			}
		}, []string{"chain %d, positions 7 to 10: the end of the chain is cut off: at 2026-11-21T12:01:30Z it was signed up to position 10"}},
		// What a cut takes that nobody has signed cannot be missed: this is the limit that package chain tells of.
		{"the end is cut off above the last signed heads", func(t *testing.T, l *testLog) {
			l.delete(t, home, 12)
			l.delete(t, home, 11)
		}, nil},
		{"the log is restarted behind a cut and goes on", func(t *testing.T, l *testLog) {
			for p := int64(12); p >= 7; p-- {
				l.delete(t, home, p)
			}
			l.forget()
			for v := range 6 {
				l.add(t, booking(entity, int64(v+13)))
			}
			l.refuses(t)
		}, []string{"chain %d, position 10: the hash is not the one signed at 2026-11-21T12:01:30Z"}},
		{"an entry is deleted while the log is running", func(t *testing.T, l *testLog) {
			l.delete(t, home, 12)
			l.add(t, booking(entity, 13))
		}, []string{"chain %d, position 12: 1 entry is missing"}},
	}...) {
		t.Run(tc.name, func(t *testing.T) { tc.try(t, 1) })
	}
}

func TestTamperingWithBlocksOfEntriesIsFound(t *testing.T) {
	for _, tc := range append(anyTampering, []tampering{ // blocks begin at 1, 7 and 11
		{"an entry is taken out of the middle of a block", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 1, func(b *block) { b.Links = slices.Delete(b.Links, 4, 5) })
		}, []string{"chain %d, position 5: the entry does not follow", "chain %d, position 6: 1 entry is missing"}},
		{"an entry is taken out of the beginning of a block", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 7, func(b *block) { b.Links, b.First = b.Links[1:], 8 })
		}, []string{"chain %d, position 7: 1 entry is missing"}},
		{"an entry is taken out of the end of a block", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 1, func(b *block) { b.Links = b.Links[:5] })
		}, []string{"chain %d, position 6: 1 entry is missing"}},
		{"all entries are taken out of a block", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 7, func(b *block) { b.Links = nil })
		}, []string{"chain %d, positions 7 to 10: 4 entries are missing"}},
		{"an entry is put into a block twice", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 11, func(b *block) { b.Links = append(b.Links, b.Links[1]) })
		}, []string{"chain %d, position 13: the entry does not follow"}},
		{"a block is deleted", func(t *testing.T, l *testLog) { l.delete(t, home, 8) },
			[]string{"chain %d, positions 7 to 10: 4 entries are missing"}},
		{"a block is moved to the front", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 7, func(b *block) { b.First = 6 })
		}, []string{"chain %d, position 6: there is more than one entry", "chain %d, position 7: the entry does not follow", "chain %d, position 10: 1 entry is missing"}},
		{"the same, and the index is as it was", func(t *testing.T, l *testLog) {
			l.alterBody(t, home, 7, func(b *block) { b.First = 6 })
		}, []string{"chain %d, position 6: there is more than one entry", "chain %d, position 7: the entry does not follow", "chain %d, position 10: 1 entry is missing"}},
		{"a block is moved to the back", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 7, func(b *block) { b.First = 20 })
		}, []string{"chain %d, positions 7 to 10: 4 entries are missing", "chain %d, positions 13 to 19: 7 entries are missing"}},
		{"two blocks are swapped", func(t *testing.T, l *testLog) {
			l.alterBlock(t, home, 7, func(b *block) { b.First = 1000 })
			l.alterBlock(t, home, 11, func(b *block) { b.First = 7 })
			l.alterBlock(t, home, 1000, func(b *block) { b.First = 9 })
		}, []string{"chain %d, position 7: the entries at 7 are in each other's places", "chain %d, position 9: the entry does not follow", "chain %d, position 10: the hash is not the one signed"}},
		{"the end is cut off in a block", func(t *testing.T, l *testLog) {
			l.delete(t, home, 11)
			l.alterBlock(t, home, 7, func(b *block) { b.Links = b.Links[:2] })
		}, []string{"chain %d, positions 9 to 10: the end of the chain is cut off: at 2026-11-21T12:01:30Z it was signed up to position 10"}},
		{"the log is restarted behind a cut and goes on", func(t *testing.T, l *testLog) {
			l.delete(t, home, 11)
			l.alterBlock(t, home, 7, func(b *block) { b.Links = b.Links[:2] })
			l.forget()
			l.addTogether(t, booking(entity, 13), booking(entity, 14), booking(entity, 15))
			l.refuses(t)
		}, []string{"chain %d, position 10: the hash is not the one signed at 2026-11-21T12:01:30Z"}},
	}...) {
		t.Run(tc.name, func(t *testing.T) { tc.try(t, 12) })
	}
}

// What the database itself cannot show is found by whoever has kept the newest heads.
func TestKeptHeadsShowThatTheNewestOnesAndTheirEntriesAreGone(t *testing.T) {
	db := newDB(t)
	l := openLog(t, db)
	l.signMinutes(t, 4)
	kept := l.verify(t).Anchor
	against := func(l *testLog) []chain.Finding {
		v := chain.NewVerifier(public(testKey))
		v.Anchor(kept)
		r := l.verifyWith(t, v, 50)
		return r.Findings()
	}
	if found := against(l); len(found) > 0 {
		t.Fatalf("before anything is done, found\n%+v", found)
	}
	l.stop()
	l.deleteHeads(t, 4)
	l.delete(t, home, 4)
	l.sound(t, 3) // as far as the database shows
	lost := fmt.Sprintf("chain %d, position 4: the end of the chain is cut off", home)
	expect(t, against(l), "heads 4: the heads of 2026-11-21T12:03:30Z, which were kept, are not in the log any more", lost)

	again := openLog(t, db) // knows of nothing, and signs on
	again.clock.pass(time.Hour)
	again.signMinutes(t, 2)
	again.sound(t, 5)
	changed := fmt.Sprintf("chain %d, position 4: the heads of 2026-11-21T12:03:30Z and those of 2026-11-21T13:00:30Z have different hashes", home)
	rewritten := fmt.Sprintf("chain %d, position 4: the hash is not the one signed at 2026-11-21T12:03:30Z", home)
	expect(t, against(again), "heads 4: they are not the heads of 2026-11-21T12:03:30Z that were kept under this number", changed, rewritten)
}

// try tampers with a log whose blocks have at most so many entries, and reads what the verifier says.
func (tc tampering) try(t *testing.T, most int) {
	l := openLog(t, newDB(t))
	version := 0
	for _, until := range []int{6, 10, 12} {
		for version < until {
			var ours, others []event.Envelope
			for n := min(most, until-version); n > 0; n-- {
				version++
				ours, others = append(ours, booking(entity, int64(version))), append(others, booking(other, int64(version)))
			}
			l.addTogether(t, append(ours, others...)...)
		}
		if until == 12 {
			break
		}
		if err := l.signMinute(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.clock.pass(time.Minute)
	}
	tc.tamper(t, l)
	r := l.verify(t)
	found := r.Findings()
	var want []string
	for _, text := range tc.want {
		if strings.Contains(text, "%d") {
			text = fmt.Sprintf(text, home)
		}
		want = append(want, text)
	}
	expect(t, found, want...)
	for _, limit := range []int32{1, 5} { // whatever the pages are
		r := l.verifyBy(t, limit)
		if found := r.Findings(); len(found) == 0 != (len(tc.want) == 0) {
			t.Errorf("by pages of %d found\n%+v", limit, found)
		}
	}
}

// expect checks how the sentences of what was found begin.
func expect(t testing.TB, found []chain.Finding, want ...string) {
	t.Helper()
	ok := len(found) == len(want)
	for i := 0; ok && i < len(found); i++ {
		ok = strings.HasPrefix(found[i].Text, want[i])
	}
	if !ok {
		t.Errorf("found\n%+v, want\n%q", found, want)
	}
}

// forge writes over the newest heads.
func (l *testLog) forge(t testing.TB, change func(h *signedHeads)) {
	t.Helper()
	page, err := l.handler.heads.Find(t.Context(), store.List[signedHeads]{Descending: true, Limit: 1})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d heads found, %v", len(page.Items), err)
	}
	doc := page.Items[0]
	change(&doc.Value)
	if _, err := l.handler.heads.Replace(t.Context(), doc.Value, doc.Version); err != nil {
		t.Fatal(err)
	}
}
