// Package rule says what a well-formed request is.
//
// The gateway asks it to name everything that is wrong with a body at once; the services ask it again, because they are
// the authority and have other callers than the gateway. A check looks at one message alone: whether a vessel exists or a
// caller may do something is not its business. It returns one finding for each broken rule, in the order of the message,
// and none for a message that is fine.
//
// The Normalize functions change a message in place into the form that is checked and stored. Checks expect it. Normalizing
// twice is the same as once, and text that is not valid UTF-8 is left for the check to find.
package rule

import (
	"fmt"

	"github.com/fairwayfreight/fairway/common/fault"
)

// The words that Field.Rule may hold. Programs match on them: the list only grows.
const (
	Required = "required" // it is missing or empty
	Length   = "length"   // too short, too long, too few or too many
	Range    = "range"    // the number is out of its bounds
	Format   = "format"   // it is not written as it must be
	Type     = "type"     // it is of another JSON type
	Unknown  = "unknown"  // there is no such field
	Pair     = "pair"     // it needs another field beside it, or must differ from one
	Order    = "order"    // it must come after, or before, another time
	Checksum = "checksum" // its check digit does not fit: a typing error
	Choice   = "choice"   // it is not one of the allowed words
	Unique   = "unique"   // it is there twice
	Route    = "route"    // the voyage does not sail from there to there at that time
)

// Bounds that more than one message has.
const (
	MaxCapacity   = 1_000_000     // TEU of a vessel or voyage
	MaxWeight     = 2_000_000_000 // kg of a vessel, voyage or consignment
	MaxContainers = 500           // containers of a consignment
	MaxCalls      = 50            // port calls of a voyage

	maxName = 200 // characters
	maxID   = 128 // bytes
)

// findings collects broken rules.
type findings []fault.Field

func (f *findings) add(field, rule, format string, args ...any) {
	*f = append(*f, fault.Field{Name: field, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// within checks a number against its bounds, both included.
func (f *findings) within(field string, n, low, high int64, unit string) {
	if n < low || n > high {
		f.add(field, Range, "must be from %d to %d %s", low, high, unit)
	}
}
