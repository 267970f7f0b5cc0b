package store

import (
	"encoding/base64"
	"errors"
	"testing"
)

func TestCursorBringsBackItsPosition(t *testing.T) {
	list := List[int]{Index: "owner", Match: "o\"\\", From: "a", Until: "b", Descending: true}
	for _, at := range []Position{{ID: "1"}, {Order: "2026-11-21", ID: "x"}, {Order: "\u2028<&>", ID: "😀'\x01"}} {
		list.Cursor = list.encode("ships", at)
		got, err := list.decode("ships")
		if err != nil || got != at {
			t.Errorf("%+v came back as %+v, %v", at, got, err)
		}
		if _, err := list.decode("shipments"); !errors.Is(err, ErrCursor) {
			t.Errorf("another collection took the cursor: %v", err)
		}
	}
}

// FuzzCursor: whatever a client sends is a position that its own cursor would give, or ErrCursor.
func FuzzCursor(f *testing.F) {
	list := List[int]{Index: "owner", Match: "o"}
	good := list.encode("ships", Position{Order: "a", ID: "b"})
	f.Add(good)
	f.Add(good[1:])
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"s":0,"i":"x"}`)))
	f.Add("null")
	f.Add("%%%")
	f.Fuzz(func(t *testing.T, text string) {
		list := list
		list.Cursor = text
		at, err := list.decode("ships")
		if err != nil {
			if !errors.Is(err, ErrCursor) {
				t.Fatalf("%q: %v is not ErrCursor", text, err)
			}
			return
		}
		if text == "" {
			return
		}
		query := Query{Index: "owner", Match: "o", After: at, Limit: 1}
		if err := query.Check(Schema{Name: "ships", Indexes: []IndexSchema{{Name: "owner"}}}); err != nil && !errors.Is(err, ErrCursor) {
			t.Fatalf("%q: %v", text, err)
		}
		list.Cursor = list.encode("ships", at)
		if again, err := list.decode("ships"); err != nil || again != at {
			t.Fatalf("%q: %+v came back as %+v, %v", text, at, again, err)
		}
	})
}
