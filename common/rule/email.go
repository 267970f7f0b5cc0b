package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths of RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3: a path has at most 256 octets, two of them its brackets.
const (
	maxEmail     = 254
	maxEmailName = 64
)

// email checks what can be said of an address without writing to it: one @ with something on both sides, no white space or
// control characters, the lengths of RFC 5321. Quoted local parts, which may hold an @, are refused.
func (f *findings) email(field, s string) {
	name, domain, _ := strings.Cut(s, "@")
	switch {
	case s == "":
		f.add(field, Required, "must not be empty")
	case !utf8.ValidString(s):
		f.add(field, Format, "must be valid UTF-8")
	case len(s) > maxEmail:
		f.add(field, Length, "must have at most %d bytes", maxEmail)
	case strings.Count(s, "@") != 1 || name == "" || domain == "":
		f.add(field, Format, "must have exactly one @, with a name before and a domain after it")
	case len(name) > maxEmailName:
		f.add(field, Length, "must have at most %d bytes before the @", maxEmailName)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }):
		f.add(field, Format, "must not hold spaces or control characters")
	}
}

// lowerEmail makes addresses that differ only in case one and the same: nobody has two accounts that way.
func lowerEmail(s *string) {
	trim(s)
	if utf8.ValidString(*s) { // ToLower would hide what is not
		*s = strings.ToLower(*s)
	}
}
