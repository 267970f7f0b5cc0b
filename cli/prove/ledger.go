package prove

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// told is what the final answer to a request said.
type told uint8

const (
	nothing    told = iota // no final answer came
	success                // 201 for a booking, 200 for a cancellation
	noCapacity             // 409
	wrongState             // 409
	refused                // anything else, which is a finding by itself
)

// record is one booking: what was asked, under which key, and what was told.
type record struct {
	ask
	booking told
	// cancel is what was told about its cancellation, asked that one was sent.
	cancel      told
	cancelAsked bool
	// attempts is how often the booking was sent until its first final answer.
	attempts uint16
	id       string
	trace    traceID
}

// traceID is that of the last answer about a booking, in half the room.
type traceID [16]byte

func (t *traceID) set(s string) {
	if raw, err := hex.DecodeString(s); err == nil && len(raw) == len(t) {
		copy(t[:], raw)
	}
}

func (t traceID) String() string {
	if t == (traceID{}) {
		return "unknown"
	}
	return hex.EncodeToString(t[:])
}

// ledger is the run's own account of what was asked and told. Each writer alone writes its own column; others read when all
// writers have ended.
type ledger struct {
	columns [][]record
}

func newLedger(writers int) *ledger { return &ledger{columns: make([][]record, writers)} }

// at finds a record, nil where nothing was asked under that number.
func (l *ledger) at(s serial) *record {
	if s.writer < 0 || s.writer >= len(l.columns) || s.n < 0 || s.n >= len(l.columns[s.writer]) {
		return nil
	}
	return &l.columns[s.writer][s.n]
}

// outcome reads the final answer to a booking.
func outcome(a answer) told {
	switch {
	case !a.final():
		return nothing
	case a.status == 201:
		return success
	case a.status == 409 && a.code == "no_capacity":
		return noCapacity
	case a.status == 409 && a.code == "wrong_state":
		return wrongState
	}
	return refused
}

func (t told) String() string {
	return [...]string{"not answered", "success", "no_capacity", "wrong_state", "refused"}[t]
}

// states are those that a consignment may be in.
type states []string

func (s states) has(state string) bool { return slices.Contains(s, state) }

func (s states) String() string { return strings.Join(s, " or ") }

// wants are the states that agree with what was told.
func (r *record) wants() states {
	switch {
	case r.booking == nothing:
		return states{"CONFIRMED", "REJECTED"}
	case r.booking != success:
		return states{"REJECTED"}
	case r.cancel == success:
		return states{"CANCELLED"}
	case r.cancelAsked:
		return states{"CONFIRMED", "CANCELLED"}
	}
	return states{"CONFIRMED"}
}

// differs tells in what a consignment is not what was asked for, empty when in nothing.
func (f *fleet) differs(id serial, a ask, c *consignment) string {
	want := f.wish(id, a)
	switch {
	case c.Description != want.Description:
		return fmt.Sprintf("(description %q, asked for %q)", c.Description, want.Description)
	case c.Weight != want.Weight:
		return fmt.Sprintf("(%d kg, asked for %d)", c.Weight, want.Weight)
	case !slices.Equal(c.Containers, want.Containers):
		return fmt.Sprintf("(containers %v, asked for %v)", c.Containers, want.Containers)
	case c.From != want.From || c.To != want.To:
		return fmt.Sprintf("(from %s to %s, asked for %s to %s)", c.From, c.To, want.From, want.To)
	case want.VoyageID != "" && c.VoyageID != want.VoyageID:
		return fmt.Sprintf("(voyage %s, asked for %s)", c.VoyageID, want.VoyageID)
	case c.live() && f.byID[c.VoyageID] == nil:
		return fmt.Sprintf("(voyage %s, which does not call at its ports)", c.VoyageID)
	}
	return ""
}
