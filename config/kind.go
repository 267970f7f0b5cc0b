package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kind is a way to write values of type T: how to read one, how to show one, and what in it is secret.
type kind[T any] struct {
	// parse answers with what is wrong, as the end of a sentence that begins with the value.
	parse func(value string) (v T, wrong string)
	show  func(v T) string
	mask  func(value string) string
}

func text(v string) string { return v }

// path is a file's or folder's name.
func path() kind[string] {
	return kind[string]{show: text, parse: func(s string) (string, string) {
		if strings.TrimSpace(s) == "" || strings.ContainsRune(s, 0) {
			return "", "is not a path such as ./data"
		}
		return s, ""
	}}
}

// optional lets a value be empty, too.
func optional(k kind[string]) kind[string] {
	parse := k.parse
	k.parse = func(s string) (string, string) {
		if s == "" {
			return "", ""
		}
		return parse(s)
	}
	return k
}

// oneOf is one word of a list.
func oneOf(words ...string) kind[string] {
	return kind[string]{show: text, parse: func(s string) (string, string) {
		for _, w := range words {
			if s == w {
				return s, ""
			}
		}
		if len(words) == 1 {
			return "", "is not available, only " + words[0] + " is"
		}
		return "", "is not one of " + strings.Join(words, ", ")
	}}
}

// hostPort is an address to listen on. The host may be missing, which means all interfaces.
func hostPort() kind[string] {
	return kind[string]{show: text, parse: func(s string) (string, string) {
		if !isHostPort(s) {
			return "", "is not host:port such as 127.0.0.1:8080"
		}
		return s, ""
	}}
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == '/' || r == '@' || r == 0x7f }) {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// jaeger is host:port of an agent or the URL of a collector, whose password is secret.
func jaeger() kind[string] {
	return kind[string]{show: text, mask: maskPassword, parse: func(s string) (string, string) {
		const wrong = "is neither host:port such as 127.0.0.1:6831 nor a URL such as http://127.0.0.1:14268/api/traces"
		if host, _, err := net.SplitHostPort(s); err == nil && host != "" && isHostPort(s) {
			return s, ""
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return "", wrong
		}
		return s, ""
	}}
}

// userinfo finds user:password@ in anything that looks like a URL, well-formed or not.
var userinfo = regexp.MustCompile(`//([^/?#@:]*):[^/?#]*@`)

func maskPassword(s string) string {
	return userinfo.ReplaceAllString(s, "//$1:****@")
}

// duration is a time with a unit, within bounds.
func duration(example string, least, most time.Duration) kind[time.Duration] {
	return kind[time.Duration]{show: showDuration, parse: func(s string) (time.Duration, string) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, "is not a duration such as " + example
		}
		if d < least || d > most {
			return 0, fmt.Sprintf("is not from %s to %s", showDuration(least), showDuration(most))
		}
		return d, ""
	}}
}

// showDuration leaves out the zero minutes and seconds that Duration.String writes: 12h, not 12h0m0s.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// integer is a whole number within bounds.
func integer(least, most int) kind[int] {
	return kind[int]{show: strconv.Itoa, parse: func(s string) (int, string) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Sprintf("is not a whole number from %d to %d", least, most)
		}
		return n, ""
	}}
}

// number is a decimal number within bounds.
func number(least, most float64) kind[float64] {
	show := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return kind[float64]{show: show, parse: func(s string) (float64, string) {
		f, err := strconv.ParseFloat(s, 64)
		// Written so that NaN, which is neither less nor more than anything, is refused as well.
		if err != nil || !(f >= least && f <= most) {
			return 0, fmt.Sprintf("is not a number from %s to %s", show(least), show(most))
		}
		return f, ""
	}}
}

// units are powers of 1024 (IEC 80000-13) and of 1000 (SI), the longer names first as B ends all of them.
var units = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// size is a number of bytes with or without a unit, within bounds.
func size(example string, least, most int64) kind[int64] {
	return kind[int64]{show: showSize, parse: func(s string) (int64, string) {
		digits, unit := s, int64(1)
		for _, u := range units {
			if rest, ok := strings.CutSuffix(s, u.name); ok {
				digits, unit = strings.TrimSpace(rest), u.bytes
				break
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, "is not a size such as " + example
		}
		if n < 0 || n > most/unit || n*unit < least {
			return 0, fmt.Sprintf("is not from %s to %s", showSize(least), showSize(most))
		}
		return n * unit, ""
	}}
}

func showSize(n int64) string {
	for _, u := range units[:3] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
