package chain_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

var (
	key  = ed25519.NewKeyFromSeed([]byte("the seed of a key for tests only"))
	pub  = key.Public().(ed25519.PublicKey)
	id   = chain.KeyID(pub)
	noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// The format is for good: logs that were written must stay verifiable.
func TestTheFormatStaysAsItIs(t *testing.T) {
	for entity, want := range map[string]int{"": 5, "a": 12, "foobar": 8} {
		if got := chain.Of(entity); got != want {
			t.Errorf("chain of %q: %d, want %d", entity, got, want)
		}
	}
	first := chain.Next(chain.Genesis(7), []byte(`{"id":"1"}`))
	second := chain.Next(first, []byte(`{"id":"2"}`))
	// printf 'fairway log chain 7' | sha256sum, and so on.
	for i, c := range []struct {
		got  []byte
		want string
	}{
		{chain.Genesis(7), "d8b3cf7ef7f0660c380a74b6b97c3d1cd5ba7ceba8476e6d3218823ed7ec5db0"},
		{first, "9cbc870df76e39d7483d62799fb527590a66d10f2fa786500d9ebc6364ff2877"},
		{second, "0ad9a1cab18256b213445709a271ede8245f4405cf70bf004abf47742d9c1437"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("hash %d: %s, want %s", i, got, c.want)
		}
	}
	if got := chain.HeadsGenesis(); got != "0edbf0be2df00fceee42abbe15f6b76c234d551313e8dfa00080abb176b78663" {
		t.Errorf("before the first heads: %s", got)
	}
	signed := sign(t, chain.Heads{Number: 1, Previous: chain.HeadsGenesis(), Time: noon})
	if want := `{"number":1,"previous":"0edbf0be2df00fceee42abbe15f6b76c234d551313e8dfa00080abb176b78663","time":"2026-11-21T12:00:00Z","chains":[{"position":0,"hash":""},`; !strings.HasPrefix(string(signed.Content), want) {
		t.Errorf("signed\n%s, want\n%s", signed.Content, want)
	}
}

// entity is one whose entries are in chain home.
const entity = "foobar"

var home = chain.Of(entity)

// grow makes a sound chain of n links.
func grow(n int) []chain.Link {
	links := make([]chain.Link, n)
	for i := range links {
		links[i] = chain.Link{Position: int64(i + 1), Content: fmt.Appendf(nil, `{"id":"e%d","entity_id":%q}`, i+1, entity)}
	}
	return rehash(links)
}

// rehash makes links follow from each other.
func rehash(links []chain.Link) []chain.Link {
	previous := chain.Genesis(home)
	for i := range links {
		links[i].Hash = chain.Next(previous, links[i].Content)
		previous = links[i].Hash
	}
	return links
}

// headsAt are the heads when home ended with a link.
func headsAt(l chain.Link, at time.Time) chain.Heads {
	h := chain.Heads{Time: at}
	for c := range h.Chains {
		h.Chains[c].Hash = hex.EncodeToString(chain.Genesis(c))
	}
	h.Chains[home] = chain.Head{Position: l.Position, Hash: hex.EncodeToString(l.Hash)}
	return h
}

// signAll signs heads one behind the other.
func signAll(t *testing.T, list ...chain.Heads) []chain.Signed {
	t.Helper()
	var signed []chain.Signed
	previous := chain.HeadsGenesis()
	for i, h := range list {
		h.Number, h.Previous = int64(i+1), previous
		signed = append(signed, sign(t, h))
		previous = signed[i].Digest()
	}
	return signed
}

func sign(t *testing.T, h chain.Heads) chain.Signed {
	t.Helper()
	s, err := chain.Sign(h, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func swap(links []chain.Link, i, j int) { links[i], links[j] = links[j], links[i] }

func TestWhatTheVerifierFinds(t *testing.T) {
	type links = []chain.Link
	at := fmt.Sprintf("chain %d, position", home)
	for _, tc := range []struct {
		name   string
		tamper func(links) links
		want   []string // kind, then how the sentence begins
	}{
		{"a sound chain", func(l links) links { return l }, nil},
		{"longer than signed", func(l links) links { return rehash(append(l, grow(25)[20:]...)) }, nil},
		{"content changed", func(l links) links {
			l[4].Content[7] ^= 1
			return l
		}, []string{"changed " + at + " 5: the entry does not follow"}},
		{"hash changed", func(l links) links {
			l[4].Hash[0] ^= 1
			return l
		}, []string{"changed " + at + " 5", "changed " + at + " 6"}},
		{"content and hash changed", func(l links) links {
			l[4].Content[7] ^= 1
			l[4].Hash = chain.Next(l[3].Hash, l[4].Content)
			return l
		}, []string{"changed " + at + " 6: the entry does not follow from the one before it"}},
		{"the first one changed", func(l links) links {
			l[0].Content[7] ^= 1
			return l
		}, []string{"changed " + at + " 1"}},
		{"one taken out", func(l links) links { return slices.Delete(l, 4, 5) },
			[]string{"missing " + at + " 5: 1 entry is missing"}},
		{"the first ones taken out", func(l links) links { return l[3:] },
			[]string{"missing " + at + "s 1 to 3: 3 entries are missing"}},
		{"two gaps", func(l links) links { return append(append(l[:2:2], l[4:10]...), l[12:]...) },
			[]string{"missing " + at + "s 3 to 4", "missing " + at + "s 11 to 12"}},
		{"one taken out and the others moved up", func(l links) links {
			l = slices.Delete(l, 4, 5)
			for i := range l {
				l[i].Position = int64(i + 1)
			}
			return l
		}, []string{"changed " + at + " 5", "rewritten " + at + " 10", "cut " + at + " 20: the end of the chain is cut off: at 2026-11-21T12:20:00Z it was signed up to position 20"}},
		{"two swapped", func(l links) links {
			swap(l, 4, 11)
			l[4].Position, l[11].Position = 5, 12
			return l
		}, []string{"reordered " + at + "s 5 to 12: the entries at 5 and 12 are in each other's places"}},
		{"two neighbours swapped", func(l links) links {
			swap(l, 4, 5)
			l[4].Position, l[5].Position = 5, 6
			return l
		}, []string{"reordered " + at + "s 5 to 6: the entries at 5 and 6 are in each other's places"}},
		{"two contents swapped", func(l links) links {
			l[4].Content, l[11].Content = l[11].Content, l[4].Content
			return l
		}, []string{"reordered " + at + "s 5 to 12: the entries at 5 and 12 are in each other's places"}},
		{"told in another order", func(l links) links {
			swap(l, 4, 5)
			return l
		}, []string{"reordered " + at + " 5: it comes after"}},
		{"one swapped and one changed", func(l links) links {
			l[1].Content, l[2].Content = l[2].Content, l[1].Content
			l[15].Content[7] ^= 1
			return l
		}, []string{"reordered " + at + "s 2 to 3", "changed " + at + " 16"}},
		{"a position twice", func(l links) links { return slices.Insert(l, 5, l[4]) },
			[]string{"repeated " + at + " 5: there is more than one entry with this position"}},
		{"cut off below the newest heads", func(l links) links { return l[:15] },
			[]string{"cut " + at + "s 16 to 20: the end of the chain is cut off: at 2026-11-21T12:20:00Z it was signed up to position 20"}},
		{"cut off altogether", func(links) links { return nil }, []string{"cut " + at + "s 1 to 20"}},
		{"written anew from one on", func(l links) links {
			l[14].Content[7] ^= 1
			return rehash(l)
		}, []string{"rewritten " + at + " 20: the hash is not the one signed at 2026-11-21T12:20:00Z: something behind position 10 was changed"}},
		{"written anew altogether", func(l links) links {
			l[0].Content[7] ^= 1
			return rehash(l)
		}, []string{"rewritten " + at + " 10: the hash is not the one signed at 2026-11-21T12:10:00Z: something behind position 0"}},
		{"an entry of another chain", func(l links) links {
			l[18].Content = []byte(`{"id":"x","entity_id":"a"}`)
			return rehash(l)
		}, []string{"misplaced " + at + ` 19: the entry belongs to the entity "a", whose entries are in chain 12`, "rewritten"}},
		{"an id twice", func(l links) links {
			l[18].Content = l[3].Content
			return rehash(l)
		}, []string{"repeated " + at + ` 19: the entry "e4" is in the log for the second time`, "rewritten"}},
		{"no entry", func(l links) links {
			l[18].Content = []byte(`garbage`)
			return rehash(l)
		}, []string{"changed " + at + " 19: the content is not an entry", "rewritten"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			whole := grow(20)
			v := chain.NewVerifier(pub)
			heads := signAll(t, headsAt(whole[9], noon.Add(10*time.Minute)), headsAt(whole[19], noon.Add(20*time.Minute)))
			v.Heads(heads[1]) // newest first
			v.Heads(heads[0])
			for _, l := range tc.tamper(grow(20)) {
				v.Link(home, l)
			}
			r := v.Report()
			expect(t, r.Findings(), tc.want)
		})
	}
}

func expect(t *testing.T, found []chain.Finding, want []string) {
	t.Helper()
	ok := len(found) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.HasPrefix(string(found[i].Kind)+" "+found[i].Text, want[i])
	}
	if !ok {
		t.Errorf("found\n%+v, want\n%q", found, want)
	}
}

func TestHeadsThatNobodySigned(t *testing.T) {
	links := grow(3)
	other := ed25519.NewKeyFromSeed([]byte("the seed of somebody else's key."))
	good := signAll(t, headsAt(links[2], noon))[0]
	for _, tc := range []struct {
		name  string
		heads chain.Signed
		want  string
	}{
		{"content changed", chain.Signed{Content: []byte(strings.Replace(string(good.Content), `"position":3`, `"position":2`, 1)), KeyID: id, Signature: good.Signature},
			"forged the heads of 2026-11-21T12:00:00Z: their signature is false"},
		{"no signature", chain.Signed{Content: good.Content, KeyID: id}, "forged the heads of 2026-11-21T12:00:00Z: their signature is false"},
		{"another key", chain.Signed{Content: good.Content, KeyID: id, Signature: ed25519.Sign(other, good.Content)},
			"forged the heads of 2026-11-21T12:00:00Z: their signature is false"},
		{"another key that says so", chain.Signed{Content: good.Content, KeyID: "k2", Signature: ed25519.Sign(other, good.Content)},
			`forged the heads of 2026-11-21T12:00:00Z: they are signed with the key "k2", which is not known`},
		{"nothing", chain.Signed{}, "forged heads that bear no time"},
		{"no number", sign(t, headsAt(links[2], noon)), "forged the heads of 2026-11-21T12:00:00Z: they are signed, but what was signed are no heads with a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := chain.NewVerifier(pub)
			v.Heads(tc.heads)
			for _, l := range links {
				v.Link(home, l)
			}
			r := v.Report()
			expect(t, r.Findings(), []string{tc.want})
			if r.Heads != 0 || r.Chains[home].Signed != 0 {
				t.Errorf("forged heads count: %+v", r)
			}
		})
	}
	if _, err := good.Open(nil); !errors.Is(err, chain.ErrUnknownKey) {
		t.Errorf("without keys: %v", err)
	}
}

func TestHeadsThatContradictEachOtherAreToldOnce(t *testing.T) {
	links := grow(4)
	v := chain.NewVerifier(pub)
	forged := links[3]
	forged.Hash = links[2].Hash
	heads := signAll(t, headsAt(forged, noon), headsAt(links[3], noon.Add(time.Minute)), headsAt(links[3], noon.Add(2*time.Minute)))
	for _, i := range []int{1, 0, 2} {
		v.Heads(heads[i])
	}
	for _, l := range links {
		v.Link(home, l)
	}
	r := v.Report()
	expect(t, r.Findings(), []string{
		fmt.Sprintf("rewritten chain %d, position 4: the heads of 2026-11-21T12:00:00Z and those of 2026-11-21T12:01:00Z have different hashes", home),
		fmt.Sprintf("rewritten chain %d, position 4: the hash is not the one signed at 2026-11-21T12:00:00Z", home),
	})
}

func TestTheReportOfASoundLog(t *testing.T) {
	links := grow(5)
	v := chain.NewVerifier(pub)
	heads := signAll(t, headsAt(links[1], noon.Add(time.Hour)), headsAt(links[2], noon)) // the clock has gone back
	v.Heads(heads[1])
	v.Heads(heads[0])
	for _, l := range links {
		v.Link(home, l)
	}
	r := v.Report()
	c := r.Chains[home]
	if c.Entries != 5 || c.Last != 5 || c.Signed != 3 || !slices.Equal(c.Hash, links[4].Hash) || r.Heads != 2 || !r.Newest.Equal(noon) ||
		r.Anchor.Digest() != heads[1].Digest() || len(r.Findings()) != 0 {
		t.Errorf("got %+v", r)
	}
	if empty := r.Chains[(home+1)%chain.Count]; empty.Entries != 0 || empty.Last != 0 {
		t.Errorf("an empty chain: %+v", empty)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	v := chain.NewVerifier(pub)
	for _, l := range grow(3000) {
		l.Hash[0] ^= 1 // each breaks itself and the next
		v.Link(home, l)
	}
	found := v.Report().Chains[home].Findings
	if len(found) > 101 || !strings.Contains(found[len(found)-1].Text, "more findings") {
		t.Errorf("%d findings, the last: %+v", len(found), found[len(found)-1])
	}
}

func FuzzVerifierTakesAnything(f *testing.F) {
	f.Add(int64(1), []byte("hash"), []byte(`{"id":"1"}`), []byte(`{"number":1,"time":"2026-11-21T12:00:00Z"}`))
	f.Add(int64(-1), []byte{}, []byte{}, []byte(`{}`))
	f.Fuzz(func(t *testing.T, position int64, hash, content, head []byte) {
		v := chain.NewVerifier(pub)
		heads := chain.Signed{Content: head, KeyID: id, Signature: ed25519.Sign(key, head)}
		v.Anchor(heads)
		v.Heads(heads)
		for _, p := range []int64{position, 2, position + 1, position} {
			v.Link(home, chain.Link{Position: p, Hash: hash, Content: content})
		}
		r := v.Report()
		if len(r.Findings()) == 0 {
			t.Error("garbage was found to be sound")
		}
	})
}

// BenchmarkVerify measures one entry of a long chain.
func BenchmarkVerify(b *testing.B) {
	links := grow(10_000)
	for b.Loop() {
		v := chain.NewVerifier(pub)
		for _, l := range links {
			v.Link(home, l)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/entry")
}
