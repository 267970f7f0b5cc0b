package log

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// at reads the document at a place, ready to be written back.
func (l *testLog) at(t testing.TB, number int, position int64) store.Document[record] {
	t.Helper()
	page, err := l.handler.records.Find(t.Context(), store.List[record]{Index: byChain, Match: chainKey(number), From: positionKey(position), Limit: 1})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("read position %d of chain %d: %d found, %v", position, number, len(page.Items), err)
	}
	doc := page.Items[0]
	if err := doc.Value.decode(); err != nil {
		t.Fatal(err)
	}
	return doc
}

// alter writes over the document at a place, as somebody with the database in their hands can.
func (l *testLog) alter(t testing.TB, number int, position int64, change func(r *record)) {
	t.Helper()
	doc := l.at(t, number, position)
	change(&doc.Value)
	if _, err := l.handler.records.Replace(t.Context(), doc.Value, doc.Version); err != nil {
		t.Fatal(err)
	}
}

func (l *testLog) delete(t testing.TB, number int, position int64) {
	t.Helper()
	doc := l.at(t, number, position)
	if err := l.handler.records.Delete(t.Context(), doc.Value.entry.ID, doc.Version); err != nil {
		t.Fatal(err)
	}
}

// rewrite changes an entry and hashes the chain anew from there to its end.
func (l *testLog) rewrite(t testing.TB, number int, from, to int64) {
	t.Helper()
	previous := chain.Genesis(number)
	if from > 1 {
		previous, _ = hex.DecodeString(l.at(t, number, from-1).Value.Hash)
	}
	for p := from; p <= to; p++ {
		l.alter(t, number, p, func(r *record) {
			if p == from {
				r.Content = strings.Replace(r.Content, "confirmed", "cancelled", 1)
			}
			previous = chain.Next(previous, []byte(r.Content))
			r.Hash = hex.EncodeToString(previous)
		})
	}
}

func TestTamperingWithTheDatabaseIsFound(t *testing.T) {
	const entity, other = "c", "another" // in different chains
	number := chain.Of(entity)
	for _, tc := range []struct {
		name   string
		tamper func(t *testing.T, l *testLog)
		want   []string // of the sentences
	}{
		{"nothing is done", func(*testing.T, *testLog) {}, nil},
		{"a byte of an entry is changed", func(t *testing.T, l *testLog) {
			l.alter(t, number, 5, func(r *record) { r.Content = strings.Replace(r.Content, "confirmed", "confirmeD", 1) })
		}, []string{"chain %d, position 5: the entry does not follow from the one before it"}},
		{"a hash is changed", func(t *testing.T, l *testLog) {
			l.alter(t, number, 12, func(r *record) { r.Hash = "no hash" })
		}, []string{"chain %d, position 12: the entry does not follow"}},
		{"an entry is deleted", func(t *testing.T, l *testLog) { l.delete(t, number, 5) },
			[]string{"chain %d, position 5: 1 entry is missing"}},
		{"two entries are swapped", func(t *testing.T, l *testLog) {
			l.alter(t, number, 3, func(r *record) { r.Position = 1000 })
			l.alter(t, number, 5, func(r *record) { r.Position = 3 })
			l.alter(t, number, 1000, func(r *record) { r.Position = 5 })
		}, []string{"chain %d, positions 3 to 5: the entries at 3 and 5 are in each other's places"}},
		{"the end is cut off below the last signed heads", func(t *testing.T, l *testLog) {
			for p := int64(7); p <= 12; p++ {
				l.delete(t, number, p)
			}
		}, []string{"chain %d, positions 7 to 10: the end of the chain is cut off: at 2026-11-21T12:01:30Z it was signed up to position 10"}},
		// What a cut takes that nobody has signed cannot be missed: this is the limit that package chain tells of.
		{"the end is cut off above the last signed heads", func(t *testing.T, l *testLog) {
			l.delete(t, number, 12)
			l.delete(t, number, 11)
		}, nil},
		{"everything is hashed anew from a changed entry on", func(t *testing.T, l *testLog) { l.rewrite(t, number, 7, 12) },
			[]string{"chain %d, position 10: the hash is not the one signed at 2026-11-21T12:01:30Z: something behind position 6 was changed"}},
		{"the same, and the heads are changed to match", func(t *testing.T, l *testLog) {
			signed := l.at(t, number, 10).Value.Hash
			l.rewrite(t, number, 7, 12)
			l.forge(t, func(h *signedHeads) {
				h.Content = strings.Replace(h.Content, signed, l.at(t, number, 10).Value.Hash, 1)
			})
		}, []string{"the heads of 2026-11-21T12:01:30Z: their signature is false"}},
		{"heads are signed by somebody else", func(t *testing.T, l *testLog) {
			l.forge(t, func(h *signedHeads) { h.KeyID = "mine" })
		}, []string{`the heads of 2026-11-21T12:01:30Z: they are signed with the key "mine"`}},
		{"the log is restarted behind a cut and goes on", func(t *testing.T, l *testLog) {
			for p := int64(7); p <= 12; p++ {
				l.delete(t, number, p)
			}
			l.forget()
			for v := range 6 {
				l.add(t, booking(entity, int64(v+13)))
			}
		}, []string{"chain %d, position 10: the hash is not the one signed at 2026-11-21T12:01:30Z"}},
		{"an entry is deleted while the log is running", func(t *testing.T, l *testLog) {
			l.delete(t, number, 12)
			l.add(t, booking(entity, 13))
		}, []string{"chain %d, position 12: 1 entry is missing"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := openLog(t, newDB(t))
			for v := range 12 { // signed at 6 and at 10
				l.add(t, booking(entity, int64(v+1)), booking(other, int64(v+1)))
				if v == 5 || v == 9 {
					if err := l.signMinute(t.Context()); err != nil {
						t.Fatal(err)
					}
					l.clock.pass(time.Minute)
				}
			}
			tc.tamper(t, l)
			r := l.verify(t)
			found := r.Findings()
			ok := len(found) == len(tc.want)
			for i := 0; ok && i < len(found); i++ {
				want := tc.want[i]
				if strings.Contains(want, "%d") {
					want = fmt.Sprintf(want, number)
				}
				ok = strings.HasPrefix(found[i].Text, want)
			}
			if !ok {
				t.Errorf("found\n%+v, want\n%q", found, tc.want)
			}
		})
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
