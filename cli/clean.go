package cli

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// clean makes text from elsewhere safe to show on a terminal: what is not printable (escape sequences, line breaks,
// characters that change the direction of writing, bytes that are not UTF-8) is written as in a Go string, such as \x1b.
func clean(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || !strconv.IsPrint(r) {
			quoted := strconv.QuoteToASCII(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func printable(s string) bool {
	for i, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}

// cleanJSON makes JSON as json.Indent writes it safe to show on a terminal without changing what it means: what is not
// printable, but for line breaks, can only stand within strings, where an escape means the same. Bytes that are not UTF-8 become U+FFFD.
func cleanJSON(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == '\n', strconv.IsPrint(r) && (r != utf8.RuneError || n > 1):
			out = append(out, data[:n]...)
		case r > 0xffff:
			// Beyond the basic plane JSON needs a surrogate pair (RFC 8259, section 7).
			r -= 0x10000
			out = appendEscape(appendEscape(out, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			out = appendEscape(out, r)
		}
		data = data[n:]
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
