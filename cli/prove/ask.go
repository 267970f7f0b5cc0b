package prove

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Room is counted in quarters of a TEU, so that a container of 45 feet (2.25 TEU) is exact.
const quartersPerTEU = 4

// boxTypes are the containers that are booked: ISO 6346 size and type codes of 20, 40, 45 and 10 feet, and one without.
var boxTypes = [...]string{"", "22G1", "42G1", "45G1", "L5G1", "12G1"}

// lengths is the room of a container by the first character of its code, its length (ISO 6346, annex D), in quarters.
var lengths = map[byte]int64{'1': 2, '2': 4, '3': 6, '4': 8, 'L': 9, 'M': 10}

// quartersOf is the room of a container of a type; one without a type counts 1 TEU.
func quartersOf(sizeType string) int64 {
	if sizeType == "" {
		return quartersPerTEU
	}
	return lengths[sizeType[0]]
}

const (
	maxBoxes = 4
	// maxBooking is in kg.
	maxBooking = 20_000
)

// ask is a booking as it was asked for, small enough to keep all of them. The request can be made from it again.
type ask struct {
	voyage int16 // on the list of the fleet
	// named: the voyage is asked for by its id; else the ports are, and it may become another that calls at them.
	named bool
	// first and end are the calls between which it travels; both 0 asks for the whole voyage.
	first, end int8
	boxes      [maxBoxes]uint8 // of boxTypes
	count      uint8
	weight     int32
}

// randomAsk asks for containers on a voyage.
func randomAsk(rng *rand.Rand, index int, v *voyage) ask {
	a := ask{voyage: int16(index), named: true, count: uint8(1 + rng.IntN(maxBoxes)), weight: int32(1 + rng.IntN(maxBooking))}
	for i := range a.count {
		a.boxes[i] = uint8(rng.IntN(len(boxTypes)))
	}
	if calls := len(v.ports); calls > 0 && rng.IntN(8) > 0 { // else all of its legs
		a.first = int8(rng.IntN(calls - 1))
		a.end = a.first + 1 + int8(rng.IntN(calls-1-int(a.first)))
		a.named = rng.IntN(4) > 0
	}
	return a
}

// box is a container of a consignment.
type box struct {
	Type string `json:"type,omitempty"`
}

// consignment is a booking as the API takes and shows it.
type consignment struct {
	ID          string `json:"id,omitempty"`
	State       string `json:"state,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Description string `json:"description"`
	Weight      int64  `json:"weight"`
	Containers  []box  `json:"containers"`
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
	VoyageID    string `json:"voyage_id,omitempty"`
	Version     int64  `json:"version,omitempty"`
}

// quarters is the room that a consignment takes.
func (c *consignment) quarters() (sum int64) {
	for _, b := range c.Containers {
		sum += quartersOf(b.Type)
	}
	return sum
}

// live tells whether a consignment takes room.
func (c *consignment) live() bool { return c.State == "CONFIRMED" || c.State == "COMPLETED" }

// wish is what an ask means on a fleet.
func (f *fleet) wish(id serial, a ask) consignment {
	v := f.voyages[a.voyage]
	c := consignment{Description: f.run + " " + id.String(), Weight: int64(a.weight)}
	for _, b := range a.boxes[:a.count] {
		c.Containers = append(c.Containers, box{boxTypes[b]})
	}
	if a.end > 0 {
		c.From, c.To = v.ports[a.first], v.ports[a.end]
	}
	if a.named {
		c.VoyageID = v.id
	}
	return c
}

// serial numbers a booking: its writer, and which of the writer's bookings it is.
type serial struct{ writer, n int }

func (s serial) String() string { return fmt.Sprintf("%d/%d", s.writer, s.n) }

// key is the Idempotency-Key of a booking.
func (f *fleet) key(s serial) string { return fmt.Sprintf("%s-%d-%d", f.run, s.writer, s.n) }

// parseSerial reads what is left of a description without the name of the run.
func parseSerial(s string) (serial, bool) {
	writer, n, ok := strings.Cut(s, "/")
	w, err1 := strconv.Atoi(writer)
	i, err2 := strconv.Atoi(n)
	return serial{w, i}, ok && err1 == nil && err2 == nil
}

// encode writes a body. What it is given always encodes.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
