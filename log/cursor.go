package log

import (
	"strconv"
	"strings"
)

// cursor is where a page of entries ended. Of entries that are not for its reader it tells no more than that some were passed
// over, and when one of them was appended.
type cursor struct {
	// behind is a cursor of the store. What comes next is behind it.
	behind string
	// block is where the next page begins, and given how many of its fitting entries were on earlier ones. Blocks never change, so
	// the number stands. Without a block the next page begins with the first that fits.
	block string
	given int
}

// String writes a cursor with full stops between its parts, which neither the store's cursors nor ids of blocks contain.
func (c cursor) String() string {
	if c.block == "" {
		return c.behind
	}
	return c.behind + "." + c.block + "." + strconv.Itoa(c.given)
}

// parseCursor reads what String wrote; false for any other text with a full stop. What is before that is for the store to judge.
func parseCursor(text string) (cursor, bool) {
	behind, place, found := strings.Cut(text, ".")
	if !found {
		return cursor{behind: text}, true
	}
	id, given, _ := strings.Cut(place, ".")
	c := cursor{behind: behind, block: id}
	var err error
	c.given, err = strconv.Atoi(given)
	return c, err == nil && c.given >= 0 && isBlockID(id) && c.String() == text
}
