package vessel

import (
	"slices"
	"strings"

	"github.com/fairwayfreight/fairway/common/fault"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// VoyageState is where a voyage is in its life.
type VoyageState string

const (
	Planned   VoyageState = "PLANNED"   // its documents are being written; no list shows it
	Open      VoyageState = "OPEN"      // takes bookings
	Closed    VoyageState = "CLOSED"    // takes no more bookings
	Departed  VoyageState = "DEPARTED"  // has sailed; its bookings cannot be cancelled any more
	Completed VoyageState = "COMPLETED" // has ended; its bookings are carried
)

// voyageTransitions is every move there is. What is not in it does not happen.
var voyageTransitions = map[VoyageState][]VoyageState{
	Planned:  {Open},
	Open:     {Closed},
	Closed:   {Departed},
	Departed: {Completed},
}

// move changes the state. Errors: wrong_state.
func (v *Voyage) move(to VoyageState) error {
	if !slices.Contains(voyageTransitions[v.State], to) {
		return fault.New(fault.WrongState, "a voyage that is %s cannot become %s", v.State, to)
	}
	v.State = to
	return nil
}

func (s VoyageState) message() vesselpb.VoyageState {
	return vesselpb.VoyageState(vesselpb.VoyageState_value[string(s)])
}

// action is what the event of coming into the state is called.
func (s VoyageState) action() string {
	if s == Open {
		return "opened"
	}
	return strings.ToLower(string(s))
}
