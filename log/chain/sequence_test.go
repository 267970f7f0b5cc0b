package chain_test

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

// signedLog is a log of n entries, signed after each.
func signedLog(t *testing.T, n int) ([]chain.Link, []chain.Signed) {
	t.Helper()
	links := grow(n)
	var heads []chain.Heads
	for i, l := range links {
		heads = append(heads, headsAt(l, noon.Add(time.Duration(i+1)*time.Minute)))
	}
	return links, signAll(t, heads...)
}

// claim is what signed heads say.
func claim(t *testing.T, s chain.Signed) chain.Heads {
	t.Helper()
	h, err := s.Claim()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhatTheVerifierFindsAmongSignedHeads(t *testing.T) {
	type list = []chain.Signed
	links, _ := signedLog(t, 8)
	other := ed25519.NewKeyFromSeed([]byte("the seed of somebody else's key."))
	for _, tc := range []struct {
		name   string
		tamper func(list) list
		want   []string
	}{
		{"nothing", func(l list) list { return l }, nil},
		{"the newest ones taken out", func(l list) list { return l[:5] }, nil}, // that takes an anchor
		{"one taken out", func(l list) list { return slices.Delete(l, 3, 4) },
			[]string{"missing heads 4: there are no signed heads with this number, though there are heads 5"}},
		{"some taken out", func(l list) list { return append(l[:2:2], l[5:]...) },
			[]string{"missing heads 3 to 5: there are no signed heads with these numbers, though there are heads 6"}},
		{"the first ones taken out", func(l list) list { return l[3:] }, []string{"missing heads 1 to 3"}},
		{"two gaps", func(l list) list { return list{l[1], l[2], l[5], l[7]} },
			[]string{"missing heads 1", "missing heads 4 to 5", "missing heads 7"}},
		{"one there twice", func(l list) list { return append(l, l[4]) },
			[]string{"repeated heads 5: there is more than one with this number; one is of 2026-11-21T12:05:00Z"}},
		{"renumbered by somebody without the key", func(l list) list {
			l = slices.Delete(l, 3, 4)
			h := claim(t, l[3])
			h.Number, h.Previous = 4, l[2].Digest()
			content := sign(t, h).Content
			l[3] = chain.Signed{Content: content, KeyID: l[3].KeyID, Signature: ed25519.Sign(other, content)}
			return l
		}, []string{"forged the heads of 2026-11-21T12:05:00Z: their signature is false", "missing heads 4 to 5"}},
		{"signed behind others than those before", func(l list) list {
			h := claim(t, l[4])
			h.Previous = l[2].Digest()
			l[4] = sign(t, h)
			return l
		}, []string{
			"changed heads 5: they do not follow from heads 4: other heads stood there when they were signed",
			"changed heads 6: they do not follow from heads 5",
		}},
		{"not from the beginning", func(l list) list {
			h := claim(t, l[0])
			h.Previous = l[4].Digest()
			return list{sign(t, h)}
		}, []string{"changed heads 1: they do not begin the heads"}},
		{"signed over a cut", func(l list) list {
			h := claim(t, l[6])
			h.Chains = claim(t, l[3]).Chains
			return append(l[:6:6], sign(t, h))
		}, []string{fmt.Sprintf("cut chain %d, positions 5 to 6: heads 6 of 2026-11-21T12:06:00Z were signed up to position 6, and heads 7 of 2026-11-21T12:07:00Z only up to 4: the end of the chain was cut off in between", home)}},
		{"signed over a cut behind a gap", func(l list) list {
			h := claim(t, l[6])
			h.Chains = claim(t, l[2]).Chains
			return append(l[:5:5], sign(t, h))
		}, []string{"missing heads 6", fmt.Sprintf("cut chain %d, positions 4 to 5", home)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, signed := signedLog(t, 8)
			signed = tc.tamper(signed)
			for name, arrange := range map[string]func(list){
				"in order":  func(list) {},
				"turned":    func(l list) { slices.Reverse(l) },
				"any order": func(l list) { rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] }) },
			} {
				arranged := slices.Clone(signed)
				arrange(arranged)
				v := chain.NewVerifier(pub)
				for _, s := range arranged {
					v.Heads(s)
				}
				for _, l := range links {
					v.Link(home, l)
				}
				r := v.Report()
				if expect(t, r.Findings(), tc.want); t.Failed() {
					t.Fatal(name)
				}
			}
		})
	}
}

func TestTwoHeadsWithOneNumberAreFoundWhicheverComesFirst(t *testing.T) {
	links, signed := signedLog(t, 8)
	h := claim(t, signed[4])
	h.Time = noon
	second := sign(t, h)
	for _, tc := range []struct {
		heads []chain.Signed
		want  []string
	}{
		{append(slices.Clone(signed), second), []string{"repeated heads 5: there is more than one with this number; one is of 2026-11-21T12:00:00Z"}},
		{append([]chain.Signed{second}, signed...), []string{"repeated heads 5: there is more than one with this number; one is of 2026-11-21T12:05:00Z", "changed heads 6"}},
	} {
		v := chain.NewVerifier(pub)
		for _, s := range tc.heads {
			v.Heads(s)
		}
		for _, l := range links {
			v.Link(home, l)
		}
		r := v.Report()
		expect(t, r.Findings(), tc.want)
	}
}

func TestAnAnchorShowsThatTheNewestHeadsAreGone(t *testing.T) {
	links, signed := signedLog(t, 8)
	other := ed25519.NewKeyFromSeed([]byte("the seed of somebody else's key."))
	cut := fmt.Sprintf("cut chain %d, positions 6 to 7: the end of the chain is cut off: at 2026-11-21T12:07:00Z it was signed up to position 7", home)
	again := claim(t, signed[6])
	again.Time = noon.Add(time.Hour)
	shorter := claim(t, signed[5])
	shorter.Chains, shorter.Time = claim(t, signed[4]).Chains, noon.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		anchor chain.Signed
		heads  []chain.Signed
		links  []chain.Link
		want   []string
	}{
		{"all is there", signed[6], signed, links, nil},
		{"the newest heads", signed[7], signed, links, nil},
		{"heads and entries taken out", signed[6], signed[:5], links[:5],
			[]string{"missing heads 7: the heads of 2026-11-21T12:07:00Z, which were kept, are not in the log any more", cut}},
		{"everything taken out", signed[6], nil, nil, []string{"missing heads 7", fmt.Sprintf("cut chain %d, positions 1 to 7", home)}},
		{"heads taken out", signed[6], signed[:5], links, []string{"missing heads 7"}},
		{"signed anew", signed[6], append(signed[:6:6], sign(t, again)), links,
			[]string{"rewritten heads 7: they are not the heads of 2026-11-21T12:07:00Z that were kept under this number"}},
		{"signed anew behind a cut", signed[6], append(signed[:5:5], sign(t, shorter)), links[:5],
			[]string{"missing heads 7", cut}},
		{"kept with a false signature", chain.Signed{Content: signed[6].Content, KeyID: id, Signature: ed25519.Sign(other, signed[6].Content)}, signed, links,
			[]string{"forged the kept heads of 2026-11-21T12:07:00Z: their signature is false"}},
		{"kept with another key", chain.Signed{Content: signed[6].Content, KeyID: "k2", Signature: signed[6].Signature}, signed, links,
			[]string{`forged the kept heads of 2026-11-21T12:07:00Z: they are signed with the key "k2"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := chain.NewVerifier(pub)
			v.Anchor(tc.anchor)
			for _, s := range tc.heads {
				v.Heads(s)
			}
			for _, l := range tc.links {
				v.Link(home, l)
			}
			r := v.Report()
			expect(t, r.Findings(), tc.want)
			if r.Heads != len(tc.heads) {
				t.Errorf("%d heads, want %d: the anchor counts for none", r.Heads, len(tc.heads))
			}
		})
	}
}

func TestFindingsAboutHeadsAreBounded(t *testing.T) {
	v := chain.NewVerifier(pub)
	for n := range int64(300) {
		v.Heads(sign(t, chain.Heads{Number: 2 * (n + 1)}))
	}
	found := v.Report().HeadFindings
	if len(found) != 101 || found[100].Text != "signed heads: there are 200 more findings" {
		t.Errorf("%d findings, the last: %+v", len(found), found[len(found)-1])
	}
}
