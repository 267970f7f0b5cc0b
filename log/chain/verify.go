package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Verifier checks the chains against themselves and against the signed heads, and the signed heads against each other. Give it
// the anchor first if there is one, then all signed heads, in any order, then all links, each chain's in its order; then ask for
// the Report. Taking the heads before the links makes it right for a log that is growing meanwhile.
//
// It remembers 16 bytes for each entry and the distinct heads, but no contents except of links that are broken: about 50 MB for
// a million entries. It is for one goroutine.
type Verifier struct {
	keys   map[string]ed25519.PublicKey
	ids    map[[16]byte]struct{}
	chains [Count]checked

	heads    int // those with a good signature
	newest   Heads
	signed   Signed // the newest, as they came
	sequence sequence
	anchor   anchor
}

// anchor are heads that must be in the log.
type anchor struct {
	Heads
	digest string
	// found: they are there. replaced: others are there under their number.
	found, replaced bool
}

// NewVerifier makes a verifier that trusts heads signed with these keys.
func NewVerifier(keys ...ed25519.PublicKey) *Verifier {
	v := &Verifier{keys: make(map[string]ed25519.PublicKey), ids: make(map[[16]byte]struct{})}
	v.sequence.chain = NoChain
	for _, key := range keys {
		v.keys[KeyID(key)] = key
	}
	for c := range v.chains {
		v.chains[c] = checked{number: c, hash: Genesis(c), signed: make(map[int64]mark), findings: findings{chain: c}}
	}
	return v
}

// Anchor takes the newest heads of an earlier Report, which were kept outside the log: the log must still have them, and its
// chains what they hold. Without a good signature they become a finding and count for nothing else.
func (v *Verifier) Anchor(s Signed) {
	h, err := s.Open(v.keys)
	if err != nil {
		v.forge("kept heads", s, err)
		return
	}
	v.anchor = anchor{Heads: h, digest: s.Digest()}
	v.expect(h)
}

// Heads takes signed heads. Those without a good signature become a finding and count for nothing else.
func (v *Verifier) Heads(s Signed) {
	h, err := s.Open(v.keys)
	if err != nil {
		v.forge("heads", s, err)
		return
	}
	v.heads++
	if h.Number > v.newest.Number {
		v.newest, v.signed = h, s
	}
	digest := s.Digest()
	if h.Number == v.anchor.Number {
		v.anchor.found = v.anchor.found || digest == v.anchor.digest
		v.anchor.replaced = v.anchor.replaced || digest != v.anchor.digest
	}
	v.sequence.take(h, digest, &v.chains)
	v.expect(h)
}

// expect tells the chains what signed heads say of them.
func (v *Verifier) expect(h Heads) {
	for c := range v.chains {
		v.chains[c].expect(h.Chains[c], h.Time)
	}
}

// forge notes heads, here or kept, that do not count.
func (v *Verifier) forge(what string, s Signed, err error) {
	// The content is anybody's, but it is all there is to tell which heads are meant.
	when := what + " that bear no time"
	var claimed struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(s.Content, &claimed) == nil && !claimed.Time.IsZero() {
		when = "the " + what + " of " + stamp(claimed.Time)
	}
	reason := "their signature is false: they were changed or forged"
	switch {
	case errors.Is(err, ErrUnknownKey):
		reason = fmt.Sprintf("they are signed with the key %q, which is not known as a key of the log", s.KeyID)
	case errors.Is(err, ErrNoHeads):
		reason = "they are signed, but what was signed are no heads with a number"
	}
	v.sequence.add(Forged, 0, 0, "%s: %s", when, reason)
}

// checkAnchor finds out whether the log has the heads that were kept.
func (v *Verifier) checkAnchor() {
	a := &v.anchor
	switch {
	case a.Number == 0 || a.found:
	case a.replaced:
		v.sequence.add(Rewritten, a.Number, a.Number, "they are not the heads of %s that were kept under this number: the log was cut off or put back to an earlier state, and signed anew",
			stamp(a.Time))
	default:
		v.sequence.add(Missing, a.Number, a.Number, "the heads of %s, which were kept, are not in the log any more: it was cut off or put back to an earlier state",
			stamp(a.Time))
	}
}

// Link takes the next link of a chain, 0 to 15.
func (v *Verifier) Link(chain int, l Link) {
	if v.chains[chain].link(l) {
		v.content(chain, l)
	}
}

// content checks what the entry says of itself.
func (v *Verifier) content(chain int, l Link) {
	found := &v.chains[chain].findings
	var e struct {
		ID       string `json:"id"`
		EntityID string `json:"entity_id"`
	}
	if err := json.Unmarshal(l.Content, &e); err != nil || e.ID == "" {
		found.add(Changed, l.Position, l.Position, "the content is not an entry of the log")
		return
	}
	if home := Of(e.EntityID); home != chain {
		found.add(Misplaced, l.Position, l.Position, "the entry belongs to the entity %q, whose entries are in chain %d", e.EntityID, home)
	}
	sum := sha256.Sum256([]byte(e.ID))
	id := [16]byte(sum[:])
	if _, twice := v.ids[id]; twice {
		found.add(Repeated, l.Position, l.Position, "the entry %q is in the log for the second time", e.ID)
	}
	v.ids[id] = struct{}{}
}

// Report is the outcome of a verification.
type Report struct {
	Chains [Count]Result
	// Heads is the number of heads with a good signature, Newest the time of those with the highest number, zero if there are
	// none.
	Heads  int
	Newest time.Time
	// Anchor are the newest heads themselves, for the Anchor of a later verification if nothing was found.
	Anchor Signed
	// HeadFindings are those about signed heads, in the order of their numbers, at most 100 and one that counts the others.
	HeadFindings []Finding
}

// Result is the outcome for one chain.
type Result struct {
	// Entries is how many there are, Last the highest position, Signed the highest that a signed head confirms.
	Entries, Last, Signed int64
	// Hash is the hash at Last.
	Hash []byte
	// Findings are in the order of the chain, at most 100 and one that counts the others.
	Findings []Finding
}

// Findings are all findings: those about signed heads, then chain by chain.
func (r *Report) Findings() []Finding {
	all := append([]Finding{}, r.HeadFindings...)
	for _, c := range r.Chains {
		all = append(all, c.Findings...)
	}
	return all
}

// Report ends the verification.
func (v *Verifier) Report() Report {
	v.checkAnchor()
	r := Report{Heads: v.heads, Newest: v.newest.Time, Anchor: v.signed, HeadFindings: v.sequence.result(&v.chains)}
	for c := range v.chains {
		r.Chains[c] = v.chains[c].result()
	}
	return r
}

// stamp writes a time for a sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fits tells whether a link follows from the hash before it.
func fits(previous []byte, l Link) bool { return bytes.Equal(Next(previous, l.Content), l.Hash) }
