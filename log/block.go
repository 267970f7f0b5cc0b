package log

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// A block holds at most blockLength entries, and no further entry once their contents have blockBytes. So a single entry may be
// larger, and whoever looks for one entry reads few others with it.
const (
	blockLength = 32
	blockBytes  = 64 << 10
)

// block is a document of the log: entries that were appended together and follow each other in one chain. Most of what an entry
// costs is its document, so as many as come together share one.
type block struct {
	// ID rises along the chain, and from chain to chain with the time of appending, which is all that it tells of the entries.
	ID    string `json:"id"`
	Chain int    `json:"chain"`
	// First is the position of the first link; each of the others follows the one before it.
	First int64  `json:"first"`
	Links []link `json:"links"`

	// Only before a write: who waits for it, and what it makes the end of its chain.
	waiting []*waiting
	end     tip
	size    int // of the contents, in bytes
	// Only after a read: the links whose entries fit what is looked for, the last appended first.
	chosen []*link
}

// link is an entry in its chain.
type link struct {
	Hash string `json:"hash"` // hexadecimal digits
	// Content is the entry's JSON, as a string: a store may keep JSON in a form of its own, and only strings are sure to come
	// back byte for byte.
	Content string `json:"content"`

	// entry is what Content says; after a read, once decode was called and if it can be read.
	entry *Entry
}

// held are the links that count: nobody but somebody who has written into the database can have left more.
func (b *block) held() []link { return b.Links[:min(len(b.Links), blockLength)] }

// full tells whether a content of so many bytes must go into another block.
func (b *block) full(content int) bool {
	return len(b.Links) == blockLength || len(b.Links) > 0 && b.size+content > blockBytes
}

// decode reads the contents. Those that cannot be read, which only somebody who has written into the database can have left,
// are passed over.
func (b *block) decode() {
	for i := range b.held() {
		e := new(Entry)
		if json.Unmarshal([]byte(b.Links[i].Content), e) == nil {
			b.Links[i].entry = e
		}
	}
}

// choose decodes the block and tells whether any of its entries fits.
func (b *block) choose(fits func(*Entry) bool) bool {
	b.decode()
	for i := len(b.held()) - 1; i >= 0; i-- {
		// One that cannot be read is shown to nobody: who may see it? The verification of its chain finds it.
		if l := &b.Links[i]; l.entry != nil && fits(l.entry) {
			b.chosen = append(b.chosen, l)
		}
	}
	return len(b.chosen) > 0
}

// last is what the block makes the end of its chain. Where somebody has written into the database it is what can be read: the
// log goes on behind it, and the verifier tells.
func (b *block) last() tip {
	end := tip{known: true, position: b.First, stamp: stampOf(b.ID)}
	if n := len(b.held()); n > 0 {
		end.position = b.position(n - 1)
		end.hash, _ = hex.DecodeString(b.Links[n-1].Hash)
	}
	return end
}

func (b *block) position(link int) int64 { return b.First + int64(link) }

// blockID is the id of a block: a time in nanoseconds, and the chain, as no two blocks of a chain share a time.
func blockID(stamp int64, number int) string { return fmt.Sprintf("%016x%s", stamp, chainKey(number)) }

// stampOf is the time in the id of a block, 0 where it has none.
func stampOf(id string) int64 {
	if !isBlockID(id) {
		return 0
	}
	stamp, err := strconv.ParseInt(id[:16], 16, 64)
	if err != nil {
		return 0
	}
	return stamp
}

func isBlockID(id string) bool { return len(id) == 17 && strings.Trim(id, hexDigits) == "" }

// The indexes of the collection. Those that people ask for have a key for each value among a block's entries and hold blocks in
// the order of their ids.
const (
	byReader = "reader"
	byEntity = "entity"
	byTrace  = "trace"
	byEvent  = "event" // no event is in two blocks, however often it is delivered and to whichever replica
	byChain  = "chain" // a chain in the order of its positions; no two blocks begin at one, whichever replica wrote them
)

// spec has the collection's name and indexes.
func spec() store.Spec[block] {
	return store.Spec[block]{
		Name: "blocks",
		ID:   func(b *block) string { return b.ID },
		Indexes: []store.Index[block]{
			{Name: byReader, Keys: func(b *block) []store.Key { return b.keys(func(e *Entry) []string { return e.VisibleTo }) }},
			{Name: byEntity, Keys: func(b *block) []store.Key { return b.keys(func(e *Entry) []string { return []string{e.EntityID} }) }},
			{Name: byTrace, Keys: func(b *block) []store.Key { return b.keys(func(e *Entry) []string { return []string{e.TraceID} }) }},
			{Name: byEvent, Unique: true, Keys: func(b *block) []store.Key { return b.keys(func(e *Entry) []string { return []string{e.ID} }) }},
			{Name: byChain, Unique: true, Keys: func(b *block) []store.Key {
				return []store.Key{{Match: chainKey(b.Chain), Order: positionKey(b.First)}}
			}},
		},
	}
}

func openBlocks(ctx context.Context, db store.DB) (*store.Collection[block], error) {
	return store.Open(ctx, db, spec())
}

// keys has a key for each value that the entries have, once.
func (b *block) keys(values func(*Entry) []string) []store.Key {
	keys := make([]store.Key, 0, len(b.Links))
	seen := make(map[string]bool, len(b.Links))
	for _, l := range b.Links {
		if l.entry == nil {
			continue
		}
		for _, value := range values(l.entry) {
			if value != "" && !seen[value] {
				seen[value] = true
				keys = append(keys, store.Key{Match: value})
			}
		}
	}
	return keys
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

// endOf reads where a chain ends.
func endOf(ctx context.Context, blocks *store.Collection[block], number int) (tip, error) {
	page, err := blocks.Find(ctx, store.List[block]{Index: byChain, Match: chainKey(number), Descending: true, Limit: 1})
	if err != nil {
		return tip{}, err
	}
	if len(page.Items) == 0 {
		return tip{known: true, hash: chain.Genesis(number)}, nil
	}
	b := &page.Items[0].Value
	if place, err := strconv.ParseInt(page.Items[0].Order, 16, 64); err == nil {
		b.First = place // the index is what refuses the next block, whatever somebody has written into this one
	}
	return b.last(), nil
}
