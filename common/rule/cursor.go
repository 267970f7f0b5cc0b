package rule

import "github.com/fairwayfreight/fairway/common/fault"

// Cursor is what is wrong with a cursor that did not come from an answer to the same list.
func Cursor() []fault.Field {
	return []fault.Field{{Name: "cursor", Rule: Format, Message: "must be the next_cursor of an earlier page of the same list"}}
}
