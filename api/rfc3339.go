package api

import (
	"regexp"
	"time"
)

// rfc3339 is the grammar of RFC 3339, section 5.6, in the upper case that it recommends. Package time is laxer than its
// name for the layout: it takes one-digit hours, a comma before fractions, offsets of 24 hours.
var rfc3339 = regexp.MustCompile(`\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\z`)

// parseTime reads an RFC 3339 time. It knows no leap seconds.
func parseTime(s string) (time.Time, bool) {
	if !rfc3339.MatchString(s) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}
