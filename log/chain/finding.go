package chain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind says in one word what is wrong. Programs match on it: the list only grows.
type Kind string

const (
	// Changed: an entry does not follow from the one before it, or signed heads do not.
	Changed Kind = "changed"
	// Missing: positions without an entry, with entries behind them; or numbers without signed heads, with some behind them or
	// an anchor that has the number.
	Missing Kind = "missing"
	// Reordered: the entries are there, in each other's places.
	Reordered Kind = "reordered"
	// Repeated: a position, the id of an entry or the number of signed heads is there twice.
	Repeated Kind = "repeated"
	// Misplaced: an entry stands in a chain that is not its entity's.
	Misplaced Kind = "misplaced"
	// Rewritten: the chain is sound in itself but not the one whose heads were signed, or signed heads are not the anchor.
	Rewritten Kind = "rewritten"
	// Cut: the chain ends before a position that was signed, or did when later heads were signed.
	Cut Kind = "cut"
	// Forged: heads that no key of the log has signed.
	Forged Kind = "forged"
)

// NoChain is the chain of a finding about signed heads.
const NoChain = -1

// Finding is one thing that is wrong.
type Finding struct {
	Kind Kind
	// Chain is 0 to 15, or NoChain.
	Chain int
	// First and Last are the positions it is about, both included; for NoChain the numbers of the heads, 0 for those of
	// which nothing is believed.
	First, Last int64
	// Text says it in one sentence, for people.
	Text string
}

// maxFindings bounds what is kept per chain: who put a chain aside altogether need not be told of every entry.
const maxFindings = 100

// findings collects what is wrong with one chain, or with the signed heads.
type findings struct {
	chain int
	list  []Finding
	more  int
}

func (f *findings) add(kind Kind, first, last int64, format string, args ...any) {
	if len(f.list) == maxFindings {
		f.more++
		return
	}
	f.list = append(f.list, Finding{Kind: kind, Chain: f.chain, First: first, Last: last, Text: f.where(first, last) + fmt.Sprintf(format, args...)})
}

func (f *findings) where(first, last int64) string {
	switch {
	case f.chain == NoChain && first == 0:
		return ""
	case f.chain == NoChain && first == last:
		return fmt.Sprintf("heads %d: ", first)
	case f.chain == NoChain:
		return fmt.Sprintf("heads %d to %d: ", first, last)
	case first == last:
		return fmt.Sprintf("chain %d, position %d: ", f.chain, first)
	}
	return fmt.Sprintf("chain %d, positions %d to %d: ", f.chain, first, last)
}

// sorted gives what was found in the order of the chain, or of the numbers.
func (f *findings) sorted() []Finding {
	list := slices.Clone(f.list)
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	if f.more > 0 {
		last := list[len(list)-1]
		last.Text = fmt.Sprintf("chain %d: there are %d more findings", f.chain, f.more)
		if f.chain == NoChain {
			last.Text = fmt.Sprintf("signed heads: there are %d more findings", f.more)
		}
		list = append(list, last)
	}
	return list
}

// span is a range of positions, both included.
type span struct{ first, last int64 }

// extend adds a position to the last span where it follows it, and as a span of its own where not.
func extend(list []span, position int64) []span {
	if n := len(list); n > 0 && list[n-1].last+1 == position {
		list[n-1].last = position
		return list
	}
	return append(list, span{position, position})
}

// without takes a position out of the spans; false when it was in none.
func without(list []span, position int64) ([]span, bool) {
	for i, s := range list {
		if position < s.first || position > s.last {
			continue
		}
		var rest []span
		if s.first < position {
			rest = append(rest, span{s.first, position - 1})
		}
		if position < s.last {
			rest = append(rest, span{position + 1, s.last})
		}
		return slices.Replace(list, i, i+1, rest...), true
	}
	return list, false
}

// enumerate writes positions as people do: 3, 4 and 9.
func enumerate(positions []int64) string {
	const few = 10
	words := make([]string, 0, few+1)
	for _, p := range positions[:min(few, len(positions))] {
		words = append(words, fmt.Sprint(p))
	}
	if more := len(positions) - few; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
