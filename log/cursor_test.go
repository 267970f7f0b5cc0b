package log

import (
	"strings"
	"testing"
)

func TestCursorsComeBackAsTheyWere(t *testing.T) {
	id := blockID(1_795_000_000_123_456_789, 12)
	for _, c := range []cursor{{}, {behind: "eyJpIjoieCJ9"}, {block: id}, {behind: "eyJpIjoieCJ9", block: id, given: 31}} {
		if got, ok := parseCursor(c.String()); !ok || got != c {
			t.Errorf("%+v came back as %+v, %t", c, got, ok)
		}
	}
	for _, bad := range []string{
		".", "..", "..1", "a..1", "." + id, "." + id + ".", "." + id + ".-1", "." + id + ".+1", "." + id + ".01", "." + id + ".1.1",
		"." + id + ".1 ", "." + id + ".99999999999999999999", "." + id[1:] + ".1", "." + strings.ToUpper(id) + ".1", "." + id + "0.1",
		". " + id[1:] + ".1", ".\x00" + id[1:] + ".1",
	} {
		if c, ok := parseCursor(bad); ok {
			t.Errorf("%q passes for %+v", bad, c)
		}
	}
}

// FuzzCursor: whatever a client sends is refused or is what String writes.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"", "a", "a.", "a.b.c", "eyJpIjoieCJ9." + blockID(1, 2) + ".3", "." + blockID(1<<63-1, 15) + ".0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseCursor(text)
		if !ok {
			return
		}
		if c.String() != text || c.given < 0 || c.block == "" && c.given > 0 || strings.Contains(c.behind, ".") {
			t.Errorf("%q passes for %+v", text, c)
		}
	})
}
