package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// text checks a string of any script: length in characters (Unicode code points), valid UTF-8, no control characters.
// An empty one is missing when low is above 0.
func (f *findings) text(field, s string, low, high int) {
	switch {
	case !utf8.ValidString(s):
		f.add(field, Format, "must be valid UTF-8")
	case s == "" && low > 0:
		f.add(field, Required, "must not be empty")
	case utf8.RuneCountInString(s) < low || utf8.RuneCountInString(s) > high:
		f.add(field, Length, "must have %d to %d characters", low, high)
	case strings.ContainsFunc(s, unicode.IsControl):
		f.add(field, Format, "must not hold control characters")
	}
}

// id checks an opaque id that may be absent.
func (f *findings) id(field, s string) {
	if s != "" && !PlausibleID(s) {
		f.add(field, Format, "is not an id")
	}
}

// PlausibleID tells whether s can be an id at all: 1 to 128 letters, digits and "-", "_", ".", ":" of ASCII. Ids are
// opaque, so this says nothing about whether there is such a thing.
func PlausibleID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case isDigit(c), isUpper(c), c >= 'a' && c <= 'z', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// trim cuts the white space around a text that people typed.
func trim(s *string) { *s = strings.TrimSpace(*s) }

// code brings a code of the trade into its written form: trimmed, ASCII letters in upper case. Other letters stay as they
// are and fail the check; Unicode's upper case would turn some of them into ASCII ones.
func code(s *string) {
	upper := []byte(strings.TrimSpace(*s))
	for i, c := range upper {
		if c >= 'a' && c <= 'z' {
			upper[i] = c - 'a' + 'A'
		}
	}
	*s = string(upper)
}
