package sqlite

import (
	"slices"
	"testing"

	"github.com/fairwayfreight/fairway/common/store"
)

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	want := []entry{
		{"owner", store.Key{Match: "o", Order: ""}}, {"tag", store.Key{}}, {"tag", store.Key{Match: "😀\x01", Order: "\xff"}},
	}
	got, err := decodeEntries(encodeEntries(want))
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
}

// FuzzDecode: damaged rows give an error, never a panic, and what can be read is written the same again.
func FuzzDecode(f *testing.F) {
	f.Add(encodeEntries([]entry{{"owner", store.Key{Match: "a", Order: "b"}}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := decodeEntries(b); err == nil {
			if again, err := decodeEntries(encodeEntries(list)); err != nil || !slices.Equal(again, list) {
				t.Fatalf("entries %v came back as %v, %v", list, again, err)
			}
		}
	})
}
