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

// Verifier checks the chains against themselves and against the signed heads. Give it all signed heads first, in any order,
// then all links, each chain's in its order; then ask for the Report. Taking the heads before the links makes it right for a
// log that is growing meanwhile.
//
// It remembers 16 bytes for each entry and the distinct heads, but no contents except of links that are broken: about 50 MB for
// a million entries. It is for one goroutine.
type Verifier struct {
	keys   map[string]ed25519.PublicKey
	ids    map[[16]byte]struct{}
	chains [Count]checked

	heads  int       // those with a good signature
	newest time.Time // of them
	forged findings
}

// NewVerifier makes a verifier that trusts heads signed with these keys.
func NewVerifier(keys ...ed25519.PublicKey) *Verifier {
	v := &Verifier{keys: make(map[string]ed25519.PublicKey), ids: make(map[[16]byte]struct{}), forged: findings{chain: NoChain}}
	for _, key := range keys {
		v.keys[KeyID(key)] = key
	}
	for c := range v.chains {
		v.chains[c] = checked{number: c, hash: Genesis(c), signed: make(map[int64]mark), findings: findings{chain: c}}
	}
	return v
}

// Heads takes signed heads. Those without a good signature become a finding and count for nothing else.
func (v *Verifier) Heads(s Signed) {
	h, err := s.Open(v.keys)
	if err != nil {
		v.forge(s, err)
		return
	}
	v.heads++
	if h.Time.After(v.newest) {
		v.newest = h.Time
	}
	for c := range v.chains {
		v.chains[c].expect(h.Chains[c], h.Time)
	}
}

func (v *Verifier) forge(s Signed, err error) {
	// The content is anybody's, but it is all there is to tell which heads are meant.
	when := "heads that bear no time"
	var claimed struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(s.Content, &claimed) == nil && !claimed.Time.IsZero() {
		when = "the heads of " + stamp(claimed.Time)
	}
	reason := "their signature is false: they were changed or forged"
	if errors.Is(err, ErrUnknownKey) {
		reason = fmt.Sprintf("they are signed with the key %q, which is not known as a key of the log", s.KeyID)
	}
	if len(v.forged.list) == maxFindings {
		v.forged.more++
		return
	}
	v.forged.list = append(v.forged.list, Finding{Kind: Forged, Chain: NoChain, Text: when + ": " + reason})
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
	// Heads is the number of heads with a good signature, Newest the time of the youngest, zero if there is none.
	Heads  int
	Newest time.Time
	// Forged are the findings about signed heads, at most 100 and one that counts the others.
	Forged []Finding
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

// Findings are all findings, chain by chain.
func (r *Report) Findings() []Finding {
	all := append([]Finding{}, r.Forged...)
	for _, c := range r.Chains {
		all = append(all, c.Findings...)
	}
	return all
}

// Report ends the verification.
func (v *Verifier) Report() Report {
	r := Report{Heads: v.heads, Newest: v.newest, Forged: v.forged.list}
	if v.forged.more > 0 {
		r.Forged = append(r.Forged, Finding{Kind: Forged, Chain: NoChain, Text: fmt.Sprintf("there are %d more forged heads", v.forged.more)})
	}
	for c := range v.chains {
		r.Chains[c] = v.chains[c].result()
	}
	return r
}

// stamp writes a time for a sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fits tells whether a link follows from the hash before it.
func fits(previous []byte, l Link) bool { return bytes.Equal(Next(previous, l.Content), l.Hash) }
