package chain

import (
	"cmp"
	"slices"
	"time"
)

// sequence is the chain of the signed heads while they come by, in any order. It keeps only the ends of what it has without a
// gap, so heads that come in their order, or against it, take no memory.
type sequence struct {
	findings
	// runs are in the order of their numbers; between any two, at least one number is missing.
	runs []run
}

// run are heads whose numbers follow each other.
type run struct{ first, last seal }

// seal is what one of the signed heads says.
type seal struct {
	number           int64
	digest, previous string
	at               time.Time
	positions        [Count]int64
}

// take puts heads into their place. The chains are told where they went backwards.
func (s *sequence) take(h Heads, digest string, chains *[Count]checked) {
	is := seal{number: h.Number, digest: digest, previous: h.Previous, at: h.Time}
	for c, head := range h.Chains {
		is.positions[c] = head.Position
	}
	next, known := slices.BinarySearchFunc(s.runs, is.number, func(r run, number int64) int { return cmp.Compare(r.first.number, number) })
	if known || next > 0 && is.number <= s.runs[next-1].last.number {
		s.add(Repeated, is.number, is.number, "there is more than one with this number; one is of %s", stamp(is.at))
		return
	}
	if is.number == 1 && is.previous != HeadsGenesis() {
		s.add(Changed, 1, 1, "they do not begin the heads, though they have the first number: what they name as the ones before them is not the genesis")
	}
	follows := next > 0 && s.runs[next-1].last.number == is.number-1
	precedes := next < len(s.runs) && s.runs[next].first.number-1 == is.number
	if follows {
		s.join(s.runs[next-1].last, is, chains)
	}
	if precedes {
		s.join(is, s.runs[next].first, chains)
	}
	switch {
	case follows && precedes:
		s.runs[next-1].last = s.runs[next].last
		s.runs = slices.Delete(s.runs, next, next+1)
	case follows:
		s.runs[next-1].last = is
	case precedes:
		s.runs[next].first = is
	default:
		s.runs = slices.Insert(s.runs, next, run{is, is})
	}
}

// join checks heads against those with the number before.
func (s *sequence) join(before, is seal, chains *[Count]checked) {
	if is.previous != before.digest {
		s.add(Changed, is.number, is.number, "they do not follow from heads %d: other heads stood there when they were signed", before.number)
	}
	checkGrowth(before, is, chains)
}

// checkGrowth checks that no chain is shorter than it was in earlier heads.
func checkGrowth(before, is seal, chains *[Count]checked) {
	for c, position := range is.positions {
		if was := before.positions[c]; position < was {
			chains[c].add(Cut, max(0, position)+1, was, "heads %d of %s were signed up to position %d, and heads %d of %s only up to %d: the end of the chain was cut off in between",
				before.number, stamp(before.at), was, is.number, stamp(is.at), position)
		}
	}
}

// result ends the heads.
func (s *sequence) result(chains *[Count]checked) []Finding {
	var before seal
	for _, r := range s.runs {
		if r.first.number > before.number+1 {
			s.add(Missing, before.number+1, r.first.number-1, "there are no signed heads with %s, though there are heads %d",
				plural(r.first.number-before.number-1, "this number", "these numbers"), r.first.number)
			checkGrowth(before, r.first, chains)
		}
		before = r.last
	}
	return s.sorted()
}
