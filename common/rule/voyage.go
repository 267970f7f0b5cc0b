package rule

import (
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/fault"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

const (
	maxVoyageNumber = 50
	minCalls        = 2
)

// NormalizeVoyage trims the number and brings the ports into their written form.
func NormalizeVoyage(v *vesselpb.Voyage) {
	trim(&v.Number)
	for _, call := range v.Calls {
		if call != nil {
			normalizePort(&call.Port)
		}
	}
}

// Voyage checks the number and the port calls of a new voyage, and where given the cut-off and the room offered on it. The
// vessel and other fields are not read.
func Voyage(v *vesselpb.Voyage) []fault.Field {
	var f findings
	f.text("number", v.GetNumber(), 1, maxVoyageNumber)
	switch n := len(v.GetCalls()); {
	case n == 0:
		f.add("calls", Required, "must hold at least %d port calls", minCalls)
	case n < minCalls || n > MaxCalls:
		f.add("calls", Length, "must hold %d to %d port calls", minCalls, MaxCalls)
	default:
		f.calls(v.GetCalls())
	}
	f.cutOff(v)
	if v.GetCapacity() != 0 {
		f.within("capacity", int64(v.GetCapacity()), 1, MaxCapacity, "TEU")
	}
	if v.GetMaxWeight() != 0 {
		f.within("max_weight", int64(v.GetMaxWeight()), 1, MaxWeight, "kg")
	}
	return f
}

// cutOff checks that booking ends before the ship leaves its first port, where it is said when it does.
func (f *findings) cutOff(v *vesselpb.Voyage) {
	if v.GetCutOff() == nil || !f.time("cut_off", v.GetCutOff()) || len(v.GetCalls()) == 0 {
		return
	}
	first := v.GetCalls()[0].GetDeparture()
	if first != nil && first.CheckValid() == nil && v.GetCutOff().AsTime().After(first.AsTime()) {
		f.add("cut_off", Order, "must not be after the first departure")
	}
}

// NormalizeVoyageQuery brings the ports into their written form.
func NormalizeVoyageQuery(q *vesselpb.VoyageQuery) {
	normalizePort(&q.From)
	normalizePort(&q.To)
}

// VoyageQuery checks what voyages are looked for: the size of the page, and where given the ports, the time and the room. The
// cursor is for the list itself to judge.
func VoyageQuery(q *vesselpb.VoyageQuery) []fault.Field {
	f := findings(Page(q.GetLimit()))
	if q.GetFrom() != "" {
		f.port("from", q.GetFrom())
	}
	if q.GetTo() != "" {
		f.port("to", q.GetTo())
	}
	if isLocode(q.GetFrom()) && q.GetFrom() == q.GetTo() {
		f.add("to", Pair, "must be another port than from")
	}
	if q.GetAfter() != nil {
		f.time("after", q.GetAfter())
	}
	f.within("teu", int64(q.GetTeu()), 0, MaxCapacity, "TEU")
	f.within("weight", int64(q.GetWeight()), 0, MaxWeight, "kg")
	return f
}

// calls checks the port calls and that each time is later than the one before: a ship may leave the moment it arrives, but
// it takes time to the next port.
func (f *findings) calls(calls []*vesselpb.PortCall) {
	var left *timestamppb.Timestamp // the last departure
	for i, call := range calls {
		field := "calls[" + strconv.Itoa(i) + "]"
		if i > 0 && isLocode(call.GetPort()) && call.GetPort() == calls[i-1].GetPort() {
			f.add(field+".port", Pair, "must be another port than the call before")
		}
		f.port(field+".port", call.GetPort())

		arrival, departure := call.GetArrival(), call.GetDeparture()
		if arrival == nil && i > 0 {
			f.add(field+".arrival", Required, "is needed on every call but the first")
		}
		if departure == nil && i < len(calls)-1 {
			f.add(field+".departure", Required, "is needed on every call but the last")
		}
		arrives := arrival != nil && f.time(field+".arrival", arrival)
		departs := departure != nil && f.time(field+".departure", departure)
		if arrives && left != nil && !arrival.AsTime().After(left.AsTime()) {
			f.add(field+".arrival", Order, "must be after the departure from the call before")
		}
		if arrives && departs && departure.AsTime().Before(arrival.AsTime()) {
			f.add(field+".departure", Order, "must not be before the arrival")
		}
		if departs {
			left = departure
		}
	}
}
