package rule

import (
	"strconv"

	"github.com/fairwayfreight/fairway/common/fault"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

const maxDescription = 1000

// NormalizeConsignment trims the texts, and brings container numbers, size and type codes and ports into their written form.
func NormalizeConsignment(c *consignmentpb.Consignment) {
	trim(&c.Description)
	normalizePort(&c.From)
	normalizePort(&c.To)
	for _, box := range c.Containers {
		if box == nil {
			continue
		}
		normalizeNumber(&box.Number)
		code(&box.Type)
		trim(&box.CustomerId)
		trim(&box.Origin)
	}
}

// Consignment checks a new booking: its weight, its containers, and where given its description, route and voyage. Other
// fields are not read.
func Consignment(c *consignmentpb.Consignment) []fault.Field {
	var f findings
	f.text("description", c.GetDescription(), 0, maxDescription)
	f.within("weight", int64(c.GetWeight()), 1, MaxWeight, "kg")
	switch n := len(c.GetContainers()); {
	case n == 0:
		f.add("containers", Required, "must hold at least one container")
	case n > MaxContainers:
		f.add("containers", Length, "must hold at most %d containers", MaxContainers)
	default:
		f.containers(c.GetContainers())
	}
	f.route(c)
	f.id("voyage_id", c.GetVoyageId())
	return f
}

func (f *findings) containers(boxes []*consignmentpb.Container) {
	seen := make(map[string]bool, len(boxes))
	for i, box := range boxes {
		field := "containers[" + strconv.Itoa(i) + "]"
		f.number(field+".number", box.GetNumber())
		f.sizeType(field+".type", box.GetType())
		f.text(field+".customer_id", box.GetCustomerId(), 0, maxName)
		f.text(field+".origin", box.GetOrigin(), 0, maxName)
		if number := box.GetNumber(); number != "" {
			if seen[number] {
				f.add(field+".number", Unique, "is the number of another container of this consignment")
			}
			seen[number] = true
		}
	}
}

// ConsignmentQuarters is the room that a consignment takes, in quarters of a TEU. It counts containers whose type Consignment
// finds fault with as one TEU.
func ConsignmentQuarters(c *consignmentpb.Consignment) int64 {
	var sum int64
	for _, box := range c.GetContainers() {
		n, ok := Quarters(box.GetType())
		if !ok {
			n = QuartersPerTEU
		}
		sum += n
	}
	return sum
}
