package consignment

import (
	"slices"

	"github.com/fairwayfreight/fairway/common/fault"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// State is where a booking is in its life.
type State string

const (
	Received  State = "RECEIVED"  // stored; whether there is room is being found out
	Confirmed State = "CONFIRMED" // the vessel service holds the room
	Rejected  State = "REJECTED"  // there was no room, or it could not be found out in time
	Cancelled State = "CANCELLED" // by its shipper
	Completed State = "COMPLETED" // carried
)

// transitions is every move there is. What is not in it does not happen.
var transitions = map[State][]State{
	Received:  {Confirmed, Rejected, Cancelled},
	Confirmed: {Cancelled, Completed},
}

// move changes the state. Errors: wrong_state.
func (c *Consignment) move(to State) error {
	if !slices.Contains(transitions[c.State], to) {
		return fault.New(fault.WrongState, "a consignment that is %s cannot become %s", c.State, to)
	}
	c.State = to
	return nil
}

func (s State) message() consignmentpb.State {
	return consignmentpb.State(consignmentpb.State_value[string(s)])
}
