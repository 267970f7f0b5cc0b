package log

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// storedHeads reads all signed heads, oldest first.
func (l *testLog) storedHeads(t testing.TB) (all []store.Document[signedHeads]) {
	t.Helper()
	page, err := l.handler.heads.Find(t.Context(), store.List[signedHeads]{Limit: store.MaxBatch})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// deleteHeads takes the heads with a number away.
func (l *testLog) deleteHeads(t testing.TB, number int64) {
	t.Helper()
	if err := l.handler.heads.Delete(t.Context(), headsID(number), 0); err != nil {
		t.Fatal(err)
	}
}

// signMinutes appends an entry and signs in each of so many minutes.
func (l *testLog) signMinutes(t testing.TB, minutes int) {
	t.Helper()
	for range minutes {
		l.add(t, booking(entity, 1))
		if err := l.signMinute(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.clock.pass(time.Minute)
	}
}

func TestSignedHeadsAreAChainAlsoAcrossRestarts(t *testing.T) {
	db := newDB(t)
	for range 3 {
		l := openLog(t, db)
		l.clock.pass(time.Duration(len(l.storedHeads(t))) * time.Minute)
		l.signMinutes(t, 2)
		l.stop()
	}
	l := openLog(t, db)
	previous := chain.HeadsGenesis()
	stored := l.storedHeads(t)
	for i, doc := range stored {
		s := doc.Value.signed()
		h, err := s.Claim()
		if err != nil || h.Number != int64(i+1) || h.Previous != previous {
			t.Errorf("heads %d: number %d, previous %s, %v", i+1, h.Number, h.Previous, err)
		}
		previous = s.Digest()
	}
	if len(stored) != 6 {
		t.Errorf("%d heads, want 6", len(stored))
	}
	l.sound(t, 6)
}

func TestReplicasSignNoNumberTwice(t *testing.T) {
	const replicas, rounds = 4, 10
	db := newDB(t)
	var signing sync.WaitGroup
	for r := range replicas {
		l := openLog(t, db)
		signing.Go(func() {
			for round := range int64(rounds) {
				// Two entities each, one of them in a chain that all replicas append to.
				e := booking(fmt.Sprint("c", r), round+1)
				if err := l.append(t.Context(), e); err != nil {
					t.Error(err)
				}
				e = booking("shared", round+1)
				if err := l.append(t.Context(), e); err != nil {
					t.Error(err)
				}
				sign := l.signMinute
				if round%3 == 2 {
					sign = l.signLast
				}
				if err := sign(t.Context()); err != nil {
					t.Error(err)
				}
				l.clock.pass(time.Minute)
			}
		})
	}
	signing.Wait()
	l := openLog(t, db)
	l.clock.pass(time.Hour)
	if err := l.signLast(t.Context()); err != nil {
		t.Error(err)
	}
	l.sound(t, 2*replicas*rounds)
	r := l.verify(t)
	if r.Heads < rounds {
		t.Errorf("%d heads", r.Heads)
	}
	for number, c := range r.Chains {
		if c.Signed != c.Last {
			t.Errorf("chain %d: signed to %d of %d", number, c.Signed, c.Last)
		}
	}
}

func TestAReplicaSignsWhatOthersAppended(t *testing.T) {
	db := newDB(t)
	one, two := openLog(t, db), openLog(t, db)
	one.add(t, booking(entity, 1)) // its end of the chain is now an old one
	two.add(t, booking(entity, 2), booking(entity, 3))
	if err := one.signMinute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := one.verify(t); r.Chains[home].Signed != 3 {
		t.Errorf("signed up to %d, want 3", r.Chains[home].Signed)
	}
}

func TestNothingIsSignedWhereOthersAppendedOverACut(t *testing.T) {
	db := newDB(t)
	l, rival := openLog(t, db), openLog(t, db)
	l.add(t, booking(entity, 1), booking(entity, 2))
	l.delete(t, home, 2)
	rival.add(t, booking(entity, 3), booking(entity, 4))
	want := fmt.Sprintf("chain %d no longer has at position 2 what was appended there: it was cut off or changed", home)
	if err := l.signMinute(t.Context()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if signed := l.storedHeads(t); len(signed) > 0 {
		t.Errorf("signed %+v", signed)
	}
}

func TestNothingIsSignedWhereOthersSignedSomethingElse(t *testing.T) {
	db := newDB(t)
	l := openLog(t, db)
	l.add(t, booking(entity, 1), booking(entity, 2))
	l.rewrite(t, home, 2, 2)
	rival := openLog(t, db)
	if err := rival.signMinute(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("chain %d no longer has at position 2 what heads 1 of 2026-11-21T12:00:30Z hold of it: it was cut off or changed", home)
	if err := l.signLast(t.Context()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestHeadsOfOthersAreMissedWhenTheyAreGone(t *testing.T) {
	db := newDB(t)
	openLog(t, db).signMinutes(t, 4)
	l := openLog(t, db)
	l.clock.pass(time.Hour)
	if err := l.signMinute(t.Context()); err != nil { // there is nothing to sign, but heads to see
		t.Fatal(err)
	}
	l.deleteHeads(t, 4)
	l.delete(t, home, 4)
	want := "heads 4 of 2026-11-21T12:03:30Z are gone from the database, whose newest heads are 3"
	if err := l.signMinute(t.Context()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNothingIsSignedOverADamage(t *testing.T) {
	forged := ed25519.NewKeyFromSeed([]byte("the seed of somebody else's key."))
	const restart, goOn = true, false
	chainLost := fmt.Sprintf("chain %d no longer has at position 4 what heads 4 of 2026-11-21T12:03:30Z hold of it", home)
	for _, tc := range []struct {
		name   string
		damage func(l *testLog)
		after  bool   // a restart
		want   string // empty where it signs
	}{
		{"no damage", func(*testLog) {}, restart, ""},
		{"the end is cut off", func(l *testLog) { l.delete(t, home, 4) }, restart, chainLost},
		{"the end is cut off while it runs", func(l *testLog) { l.delete(t, home, 4) }, goOn, chainLost},
		{"the end is written anew", func(l *testLog) { l.rewrite(t, home, 3, 4) }, restart, chainLost},
		{"the newest heads are taken out with their entries", func(l *testLog) {
			l.delete(t, home, 4)
			l.deleteHeads(t, 4)
		}, goOn, "heads 4 of 2026-11-21T12:03:30Z are gone from the database, whose newest heads are 3"},
		{"all heads are taken out", func(l *testLog) {
			for n := range int64(4) {
				l.deleteHeads(t, n+1)
			}
		}, goOn, "heads 4 of 2026-11-21T12:03:30Z are gone from the database, whose newest heads are 0"},
		{"the newest heads are changed", func(l *testLog) {
			l.forge(t, func(h *signedHeads) { h.Content = strings.Replace(h.Content, `"position":4`, `"position":3`, 1) })
		}, restart, `the newest signed heads, those with the id "0000000000000000004", were changed: the signature is false`},
		{"the newest heads are those of somebody else", func(l *testLog) {
			l.forge(t, func(h *signedHeads) {
				next := chain.Heads{Number: 4, Time: l.clock.Now()}
				s, err := chain.Sign(next, forged)
				if err != nil {
					t.Fatal(err)
				}
				h.Content, h.KeyID, h.Signature = string(s.Content), s.KeyID, s.Signature
			})
		}, goOn, "heads 4 of 2026-11-21T12:03:30Z were replaced in the database by others"},
		{"the newest heads are unreadable", func(l *testLog) {
			l.forge(t, func(h *signedHeads) { h.KeyID, h.Content = "k", "{" })
		}, restart, "were changed: not the heads of the chains"},
		{"older heads take the place of the next", func(l *testLog) {
			doc := l.storedHeads(t)[3].Value
			doc.ID = headsID(5)
			if _, err := l.handler.heads.Insert(t.Context(), doc); err != nil {
				t.Fatal(err)
			}
		}, restart, `those with the id "0000000000000000005", were changed: their number is 4`},
		// The key was changed: older heads have the old one.
		{"another key before", func(l *testLog) {
			s, err := chain.Sign(chain.Heads{Number: 5, Previous: l.storedHeads(t)[3].Value.signed().Digest()}, forged)
			if err != nil {
				t.Fatal(err)
			}
			doc := signedHeads{ID: headsID(5), Content: string(s.Content), KeyID: s.KeyID, Signature: s.Signature}
			if _, err := l.handler.heads.Insert(t.Context(), doc); err != nil {
				t.Fatal(err)
			}
		}, restart, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := newDB(t)
			l := openLog(t, db)
			l.signMinutes(t, 4)
			tc.damage(l)
			again := l
			if tc.after == restart {
				l.stop()
				again = openLog(t, db)
				again.clock.pass(time.Hour)
			}
			before := len(again.storedHeads(t))
			again.add(t, booking(entity, 10)) // the log goes on whatever is signed
			for range 2 {                     // and what is wrong is told each time
				for _, sign := range []func(context.Context) error{again.signMinute, again.signLast} {
					err := sign(t.Context())
					if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
						t.Errorf("error %v, want %q", err, tc.want)
					}
				}
				again.clock.pass(time.Minute)
			}
			if signed := len(again.storedHeads(t)) - before; tc.want == "" != (signed == 1) || signed > 1 {
				t.Errorf("signed %d times", signed)
			}
		})
	}
}
