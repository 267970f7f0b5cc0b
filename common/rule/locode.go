package rule

import "github.com/fairwayfreight/fairway/common/port"

// normalizePort brings a port's code into upper case, and the codes of one port that are in use into the one under which it
// is kept: CNSHG and CNSHA are both Shanghai.
func normalizePort(s *string) {
	code(s)
	*s = port.Canonical(*s)
}

// port checks a UN/LOCODE (UNECE Recommendation 16): two letters for the country (ISO 3166-1) and three characters for the
// place, letters or the digits 2 to 9; 0 and 1 are not used. Whether the place exists or has a sea port is not checked: the
// list's port flags are unreliable, CNSHA is listed as an airport.
func (f *findings) port(field, s string) {
	if !isLocode(s) {
		f.add(field, Format, "must be a UN/LOCODE such as NLRTM")
	}
}

func isLocode(s string) bool {
	if len(s) != 5 || !isUpper(s[0]) || !isUpper(s[1]) {
		return false
	}
	for i := 2; i < len(s); i++ {
		if !isUpper(s[i]) && (s[i] < '2' || s[i] > '9') {
			return false
		}
	}
	return true
}
