package rule

import "google.golang.org/protobuf/types/known/timestamppb"

// routed is what says where freight goes and from when on: a consignment or a reservation.
type routed interface {
	GetFrom() string
	GetTo() string
	GetNotBefore() *timestamppb.Timestamp
}

// route checks that from and to are two different ports or both absent, and that not_before comes with them: sailings
// without ports have no times.
func (f *findings) route(r routed) {
	from, to := r.GetFrom(), r.GetTo()
	if from != "" {
		f.port("from", from)
	}
	if to != "" {
		f.port("to", to)
	}
	switch {
	case from == "" && to != "":
		f.add("from", Pair, "is needed when to is given")
	case from != "" && to == "":
		f.add("to", Pair, "is needed when from is given")
	case from == to && isLocode(from):
		f.add("to", Pair, "must be another port than from")
	}
	if r.GetNotBefore() == nil {
		return
	}
	f.time("not_before", r.GetNotBefore())
	if from == "" && to == "" {
		f.add("not_before", Pair, "needs from and to beside it")
	}
}

// time checks that a time lies in the years 1 to 9999, all that can be written in RFC 3339.
func (f *findings) time(field string, t *timestamppb.Timestamp) bool {
	if t.CheckValid() != nil {
		f.add(field, Range, "must be a time in the years 1 to 9999")
		return false
	}
	return true
}
