package sqlite

import (
	"encoding/binary"
	"errors"

	"github.com/fairwayfreight/fairway/common/store"
)

// Index entries and waiting events are kept in their document's row as plain sequences: numbers as unsigned varints, texts
// with their length before them. That is a fraction of the time that JSON takes, and no text needs escaping.

var errCorrupt = errors.New("the stored entries or events cannot be read")

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

// waitingEvent is an event in an outbox. Sequence numbers rise over all events of a collection.
type waitingEvent struct {
	sequence int64
	store.Event
}

// encodeEvents appends to b, which may be the encoding of earlier events. It gives nil for none at all.
func encodeEvents(b []byte, list []waitingEvent) []byte {
	for _, e := range list {
		b = binary.AppendUvarint(b, uint64(e.sequence))
		b = appendText(b, e.ID)
		b = appendText(b, e.Body)
	}
	return b
}

func decodeEvents(b []byte) ([]waitingEvent, error) {
	var list []waitingEvent
	r := reader{b}
	for len(r.rest) > 0 {
		e := waitingEvent{int64(r.number()), store.Event{ID: string(r.bytes()), Body: r.bytes()}}
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

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.rest = nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if r.rest == nil || n > uint64(len(r.rest)) {
		r.rest = nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
