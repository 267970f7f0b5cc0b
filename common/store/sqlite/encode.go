package sqlite

import (
	"encoding/binary"
	"errors"

	"github.com/fairwayfreight/fairway/common/store"
)

// Index entries are kept in their document's row as a plain sequence of texts, each with its length before it as an unsigned
// varint. That is a fraction of the time that JSON takes, and no text needs escaping.

var errCorrupt = errors.New("the stored index entries cannot be read")

// entry is one row of an index table, without the id.
type entry struct {
	index string
	store.Key
}

// entries lists a record's keys in the order of the schema's indexes, each once.
func entries(schema store.Schema, keys map[string][]store.Key) []entry {
	var list []entry
	seen := make(map[entry]bool)
	for _, ix := range schema.Indexes {
		for _, k := range keys[ix.Name] {
			e := entry{ix.Name, k}
			if len(keys[ix.Name]) > 1 {
				if seen[e] {
					continue
				}
				seen[e] = true
			}
			list = append(list, e)
		}
	}
	return list
}

// encodeEntries gives nil for none.
func encodeEntries(list []entry) []byte {
	var b []byte
	for _, e := range list {
		b = appendText(b, e.index)
		b = appendText(b, e.Match)
		b = appendText(b, e.Order)
	}
	return b
}

func decodeEntries(b []byte) ([]entry, error) {
	var list []entry
	r := reader{b}
	for len(r.rest) > 0 {
		e := entry{index: string(r.bytes()), Key: store.Key{Match: string(r.bytes()), Order: string(r.bytes())}}
		if r.rest == nil {
			return nil, errCorrupt
		}
		list = append(list, e)
	}
	return list, nil
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// reader takes a sequence apart; rest is nil once something did not fit.
type reader struct{ rest []byte }

func (r *reader) bytes() []byte {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.rest = nil
		return nil
	}
	b := r.rest[size:][:n:n]
	r.rest = r.rest[size:][n:]
	return b
}
