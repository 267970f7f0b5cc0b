package rule

import "strings"

// numberLength is the length of a container number: owner code (3), category (1), serial number (6), check digit (1).
const numberLength = 11

// normalizeNumber brings a container number into its stored form: people write it "CSQU 305438-3".
func normalizeNumber(s *string) {
	*s = strings.ReplaceAll(strings.ReplaceAll(*s, " ", ""), "-", "")
	code(s) // last, for white space that stood behind a hyphen
}

// number checks an optional container number (ISO 6346).
func (f *findings) number(field, s string) {
	switch {
	case s == "":
	case !isNumber(s):
		f.add(field, Format, "must be a container number: three letters, U, J or Z, and seven digits")
	case !numberFits(s):
		f.add(field, Checksum, "is not a container number: the check digit does not fit")
	}
}

// isNumber tells whether s has the form of a container number. The category is U for a freight container, J for detachable
// equipment, Z for a trailer or chassis.
func isNumber(s string) bool {
	if len(s) != numberLength {
		return false
	}
	for i := range numberLength {
		switch c := s[i]; {
		case i < 3 && !isUpper(c):
			return false
		case i == 3 && c != 'U' && c != 'J' && c != 'Z':
			return false
		case i > 3 && !isDigit(c):
			return false
		}
	}
	return true
}

// numberFits weighs the value of the character at position i with 2^i; the sum modulo 11 is the check digit. A remainder of
// 10 is written 0: the standard advises against such numbers, but containers that carry one are afloat.
func numberFits(s string) bool {
	sum := 0
	for i := range numberLength - 1 {
		sum += numberValue(s[i]) << i
	}
	return sum%11%10 == int(s[numberLength-1]-'0')
}

// numberValue is a digit's own value; letters count up from A = 10, leaving out 11, 22 and 33, the multiples of the modulus.
func numberValue(c byte) int {
	if isDigit(c) {
		return int(c - '0')
	}
	v := int(c-'A') + 10
	switch {
	case c >= 'V':
		return v + 3
	case c >= 'L':
		return v + 2
	case c >= 'B':
		return v + 1
	}
	return v
}
