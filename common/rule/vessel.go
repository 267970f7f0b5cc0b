package rule

import (
	"github.com/fairwayfreight/fairway/common/fault"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// NormalizeVessel trims the name and takes the prefix off the IMO number.
func NormalizeVessel(v *vesselpb.Vessel) {
	trim(&v.Name)
	normalizeIMO(&v.Imo)
}

// Vessel checks name, capacity and max_weight, and where given imo. Other fields are not read.
func Vessel(v *vesselpb.Vessel) []fault.Field {
	var f findings
	f.text("name", v.GetName(), 1, maxName)
	f.room(v.GetCapacity(), v.GetMaxWeight())
	f.imo("imo", v.GetImo())
	return f
}

// Specification checks the room that FindAvailable is asked for.
func Specification(s *vesselpb.Specification) []fault.Field {
	var f findings
	f.room(s.GetCapacity(), s.GetMaxWeight())
	return f
}

// NormalizeReservation brings the ports into their written form.
func NormalizeReservation(r *vesselpb.Reservation) {
	normalizePort(&r.From)
	normalizePort(&r.To)
}

// Reservation checks a booking's claim to room.
func Reservation(r *vesselpb.Reservation) []fault.Field {
	var f findings
	if r.GetBookingId() == "" {
		f.add("booking_id", Required, "must not be empty")
	}
	f.id("booking_id", r.GetBookingId())
	f.within("quarters", r.GetQuarters(), 1, MaxContainers*quarters['M'], "quarters of a TEU")
	f.within("weight", r.GetWeight(), 1, MaxWeight, "kg")
	f.id("voyage_id", r.GetVoyageId())
	f.route(r)
	return f
}

func (f *findings) room(capacity, maxWeight int32) {
	f.within("capacity", int64(capacity), 1, MaxCapacity, "TEU")
	f.within("max_weight", int64(maxWeight), 1, MaxWeight, "kg")
}
