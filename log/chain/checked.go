package chain

import (
	"encoding/hex"
	"slices"
	"time"
)

// maxBroken and maxBrokenBytes bound the broken links that are kept to find out whether they were reordered: each is tried in
// each one's place.
const (
	maxBroken      = 256
	maxBrokenBytes = 4 << 20
)

// checked is one chain while its links come by.
type checked struct {
	number int
	findings

	entries int64
	// last is the highest position so far, hash what is stored there.
	last int64
	hash []byte

	// signed are the heads that were signed, by position; agreed is the highest whose hash the chain has.
	signed    map[int64]mark
	agreed    int64
	disagreed bool

	missing     []span
	late        []span
	broken      []broken
	brokenBytes int
	beyond      []span // broken links that were not kept
}

// mark is what signed heads say of a position.
type mark struct {
	hash string
	at   time.Time
	// contested: other heads have another hash.
	contested bool
}

// broken is a link that does not follow from the hash before it.
type broken struct {
	previous []byte
	Link
}

// expect notes what signed heads say. The oldest word about a position stands.
func (c *checked) expect(h Head, at time.Time) {
	if h.Position < 1 {
		return
	}
	m, known := c.signed[h.Position]
	if known && m.hash != h.Hash && !m.contested {
		c.add(Rewritten, h.Position, h.Position, "the heads of %s and those of %s have different hashes: the chain was written anew in between",
			stamp(earlier(m.at, at)), stamp(later(m.at, at)))
		m.contested = true
	}
	if !known || at.Before(m.at) {
		m.hash, m.at = h.Hash, at
	}
	c.signed[h.Position] = m
}

// link takes the next link and tells whether it follows from the one before it.
func (c *checked) link(l Link) bool {
	c.entries++
	if l.Position <= c.last {
		c.comeLate(l.Position)
		return false
	}
	sound := true
	switch {
	case l.Position > c.last+1:
		// What it follows from is gone, so it is taken at its word; the signed heads have theirs to say.
		c.missing = append(c.missing, span{c.last + 1, l.Position - 1})
	case !fits(c.hash, l):
		sound = false
		c.keep(broken{c.hash, l})
	}
	c.last, c.hash = l.Position, l.Hash
	c.compare(l)
	return sound
}

func (c *checked) keep(b broken) {
	if len(c.broken) == maxBroken || c.brokenBytes+len(b.Content) > maxBrokenBytes {
		c.beyond = extend(c.beyond, b.Position)
		return
	}
	c.broken = append(c.broken, b)
	c.brokenBytes += len(b.Content)
}

// comeLate takes a position that the chain has passed already.
func (c *checked) comeLate(position int64) {
	var gap bool
	if c.missing, gap = without(c.missing, position); gap {
		c.late = extend(c.late, position)
		return
	}
	c.add(Repeated, position, position, "there is more than one entry with this position")
}

// compare holds a link against what was signed of its position. Only the first difference is told: those behind it follow.
func (c *checked) compare(l Link) {
	m, signed := c.signed[l.Position]
	switch {
	case !signed || c.disagreed:
	case m.hash == hex.EncodeToString(l.Hash):
		c.agreed = l.Position
	default:
		c.disagreed = true
		c.add(Rewritten, l.Position, l.Position, "the hash is not the one signed at %s: something behind position %d was changed and the chain written anew",
			stamp(m.at), c.agreed)
	}
}

// result ends the chain.
func (c *checked) result() Result {
	for _, s := range c.missing {
		c.add(Missing, s.first, s.last, "%d %s missing, with entries behind", s.last-s.first+1, plural(s.last-s.first+1, "entry is", "entries are"))
	}
	for _, s := range c.late {
		c.add(Reordered, s.first, s.last, "it comes after entries that it should come before: the order was changed")
	}
	c.explain()
	for _, s := range c.beyond {
		c.add(Changed, s.first, s.last, "none of these entries follows from the one before it")
	}
	c.checkEnd()
	return Result{Entries: c.entries, Last: c.last, Signed: c.agreed, Hash: c.hash, Findings: c.sorted()}
}

// explain finds out of the broken links which were only put into each other's places. Content and hash may have been moved
// together or apart, so a place is mended when some content follows from what is before the place and gives some hash.
func (c *checked) explain() {
	hashes := make(map[string]bool, len(c.broken))
	for _, b := range c.broken {
		hashes[string(b.Hash)] = true
	}
	mended := make(map[int64][]byte, len(c.broken))
	var moved, changed []int64
	for _, place := range c.broken {
		previous := place.previous
		if h, ok := mended[place.Position-1]; ok {
			previous = h
		}
		fit := slices.IndexFunc(c.broken, func(b broken) bool { return hashes[string(Next(previous, b.Content))] })
		if fit < 0 {
			changed = append(changed, place.Position)
			continue
		}
		mended[place.Position] = Next(previous, c.broken[fit].Content)
		if c.broken[fit].Position != place.Position {
			moved = append(moved, place.Position)
		}
	}
	if len(moved) > 0 {
		c.add(Reordered, moved[0], moved[len(moved)-1], "the entries at %s are in each other's places", enumerate(moved))
	}
	for _, p := range changed {
		c.add(Changed, p, p, "the entry does not follow from the one before it: one of the two was changed, or what stood between them was taken out")
	}
}

// checkEnd finds what was signed and is not there any more.
func (c *checked) checkEnd() {
	var end int64
	for position := range c.signed {
		end = max(end, position)
	}
	if end > c.last {
		c.add(Cut, c.last+1, end, "the end of the chain is cut off: at %s it was signed up to position %d", stamp(c.signed[end].at), end)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
