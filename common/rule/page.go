package rule

import "github.com/fairwayfreight/fairway/common/fault"

// Sizes of a page of a list.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Page checks the limit of a list: 1 to 200, or 0 for the default.
func Page(limit int32) []fault.Field {
	var f findings
	if limit != 0 {
		f.within("limit", int64(limit), 1, MaxPage, "items")
	}
	return f
}

// PageLimit is how many items a page with this limit has, 1 to 200 whatever the limit is.
func PageLimit(limit int32) int {
	if limit <= 0 {
		return DefaultPage
	}
	return int(min(limit, MaxPage))
}
