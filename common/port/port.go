// Package port knows the container ports of the world by their UN/LOCODE.
//
// Its table is curated, not complete: some 300 ports, the busiest of every coast. A well-formed code that it lacks may well be
// a port, so nothing may be refused because of it. Of a port it has, it knows the one code under which Fairway keeps
// it, other codes in use for the same place, where it is and which time it keeps. The table is part of the binary, is checked
// by the tests of this package and never changes while a process runs; all functions are safe for concurrent use.
//
// The data are those of the npm package sea-ports (MIT licence, LICENSE.sea-ports), chosen and mended by hand: tools/ports.
package port

import (
	"iter"
	"slices"
)

// Port is one container port.
type Port struct {
	// Code is its UN/LOCODE (UNECE Recommendation 16), the one that bookings and voyages should use.
	Code string `json:"code"`
	// Name is the one in use in English, in printable ASCII.
	Name string `json:"name"`
	// Country is the ISO 3166-1 alpha-2 code of its country or territory, CountryName that one's short English name.
	Country     string `json:"country"`
	CountryName string `json:"country_name"`
	// Latitude and Longitude are in degrees, north and east positive. They are where its container terminals are, not
	// its city, to a few kilometres: good for a map and for distances, not for a chart.
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	// TimeZone is the IANA name of its time zone, as time.LoadLocation takes it. Loading it is up to the caller: it needs a
	// machine with a time zone database, or a binary with time/tzdata.
	TimeZone string `json:"time_zone"`
	// Aliases are other UN/LOCODEs under which it is booked: of its town, its airport or its harbour. An alias belongs to
	// one port alone and is the Code of none.
	Aliases []string `json:"aliases,omitempty"`
}

// Lookup finds a port by its code or by an alias of it, in capitals. False says that the table lacks it, not that there is no
// such port.
func Lookup(code string) (Port, bool) {
	t := ports()
	i, ok := t.index[code]
	if !ok {
		return Port{}, false
	}
	return t.ports[i].clone(), true
}

// Canonical gives the one code of the port that has this code or alias, so that CNSHG and CNSHA are the same port. What the
// table lacks comes back unchanged: it may be a port all the same.
func Canonical(code string) string {
	t := ports()
	if i, ok := t.index[code]; ok {
		return t.ports[i].Code
	}
	return code
}

// All goes through the ports in the order of their codes.
func All() iter.Seq[Port] {
	return func(yield func(Port) bool) {
		for _, p := range ports().ports {
			if !yield(p.clone()) {
				return
			}
		}
	}
}

// clone makes a port that its caller may change.
func (p Port) clone() Port {
	p.Aliases = slices.Clone(p.Aliases)
	return p
}
