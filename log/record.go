package log

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// record is the document of an entry: its place in its chain, and what was hashed there. Its id is the entry's.
type record struct {
	Chain    int    `json:"chain"`
	Position int64  `json:"position"`
	Hash     string `json:"hash"` // hexadecimal digits
	// Content is the entry's JSON, as a string: a store may keep JSON in a form of its own, and only strings are sure to come
	// back byte for byte.
	Content string `json:"content"`

	// entry is what Content says; after a read, once decode was called. sum is what Hash says, only before a write.
	entry Entry
	sum   []byte
}

// decode reads Content. It fails only where somebody has written into the database.
func (r *record) decode() error {
	if err := json.Unmarshal([]byte(r.Content), &r.entry); err != nil {
		return fmt.Errorf("decode the entry at position %d of chain %d: %w", r.Position, r.Chain, err)
	}
	return nil
}

// hash is what Hash says. Of one that is none, which only somebody who has written into the database can have left, it is what
// can be read: the log goes on behind it, and the verifier tells.
func (r *record) hash() []byte {
	hash, _ := hex.DecodeString(r.Hash)
	return hash
}

// The indexes of the collection. Those that people ask for hold entries in the order of their ids, which is the order of time
// to the millisecond and as far as the services' clocks agree.
const (
	byReader = "reader"
	byEntity = "entity"
	byTrace  = "trace"
	byChain  = "chain" // a chain in the order of its positions; no two entries share one, whichever replica wrote them
)

func openRecords(ctx context.Context, db store.DB) (*store.Collection[record], error) {
	return store.Open(ctx, db, store.Spec[record]{
		Name: "entries",
		ID:   func(r *record) string { return r.entry.ID },
		Indexes: []store.Index[record]{
			{Name: byReader, Keys: func(r *record) []store.Key { return store.Matches(r.entry.VisibleTo...) }},
			{Name: byEntity, Keys: func(r *record) []store.Key { return store.Matches(r.entry.EntityID) }},
			{Name: byTrace, Keys: func(r *record) []store.Key { return store.Matches(r.entry.TraceID) }},
			{Name: byChain, Unique: true, Keys: func(r *record) []store.Key {
				return []store.Key{{Match: chainKey(r.Chain), Order: positionKey(r.Position)}}
			}},
		},
	})
}

const hexDigits = "0123456789abcdef"

// chainKey is one hexadecimal digit.
func chainKey(number int) string { return hexDigits[number%chain.Count:][:1] }

// maxPosition is the last position that positionKey can write, about a million millions.
const maxPosition = 1<<40 - 2

// positionKey is a position in ten hexadecimal digits, so that the order of bytes is that of positions.
func positionKey(position int64) string {
	var key [10]byte
	for i := len(key) - 1; i >= 0; i-- {
		key[i] = hexDigits[position&15]
		position >>= 4
	}
	return string(key[:])
}

// lastOf reads the last entry of a chain; a record of position 0 where there is none.
func lastOf(ctx context.Context, records *store.Collection[record], number int) (record, error) {
	page, err := records.Find(ctx, store.List[record]{Index: byChain, Match: chainKey(number), Descending: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return record{Chain: number}, err
	}
	return page.Items[0].Value, nil
}
