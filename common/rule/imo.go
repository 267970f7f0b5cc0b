package rule

import "strings"

// imoDigits is the length of an IMO ship number without its prefix.
const imoDigits = 7

// normalizeIMO takes away the optional prefix: "IMO 9074729" is 9074729.
func normalizeIMO(s *string) {
	code(s)
	*s = strings.TrimSpace(strings.TrimPrefix(*s, "IMO"))
}

// imo checks an optional IMO ship number (IMO resolution A.1117(30)): seven digits of which the last is the check digit.
func (f *findings) imo(field, s string) {
	switch {
	case s == "":
	case !isIMO(s):
		f.add(field, Format, "must be an IMO ship number: %d digits", imoDigits)
	case !imoFits(s):
		f.add(field, Checksum, "is not an IMO ship number: the check digit does not fit")
	}
}

func isIMO(s string) bool {
	if len(s) != imoDigits {
		return false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// imoFits weighs the first six digits 7 down to 2; the last digit of the sum is the check digit. It proves typing, not
// that there is such a ship: 1234567 fits. Company numbers follow another rule and do not pass for ships.
func imoFits(s string) bool {
	sum := 0
	for i := range imoDigits - 1 {
		sum += int(s[i]-'0') * (imoDigits - i)
	}
	return sum%10 == int(s[imoDigits-1]-'0')
}
