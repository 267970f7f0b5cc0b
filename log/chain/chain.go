// Package chain is the format of the log's hash chains, and how they are verified by whoever does not trust the log.
//
// Every entry of the log stands in one of [Count] chains, which its entity chooses ([Of]), so that the entries of an entity
// have one order and the chains can grow side by side. In a chain, entries have the positions 1, 2, 3 and so on, and
//
//	hash(0) = SHA-256("fairway log chain " and the chain's number in decimal)
//	hash(n) = SHA-256(hash(n-1) followed by the content at position n)
//
// The content is the entry's JSON, byte for byte as it was appended. So nobody can change, take out, put in or move an entry
// without changing every hash behind it. Against somebody who computes these anew there are the [Heads]: position and hash of
// every chain at one moment, signed with a key that is not in the database. They are numbered 1, 2, 3 and so on, and each has
// the hash of the one before it, so none can be taken out from among them.
//
// What the log itself cannot show: what was appended after the newest heads is chained but not yet held by them, so its end could
// be cut off unnoticed. So could the newest heads together with everything that only they hold, as the log was once without
// them. Against that there is the anchor: whoever keeps the newest heads outside the database, and gives them to the next
// verification ([Verifier.Anchor]), sees that they are gone. Nor are entries verified that somebody has put into the database
// beside the chains: lists may show them, but no chain has them.
package chain

import (
	"crypto/sha256"
	"hash/fnv"
	"strconv"
)

// Count is the number of chains. It is part of the format.
const Count = 16

// Of is the chain of an entity's entries, 0 to 15: the 32-bit FNV-1a hash of the entity's id, modulo [Count].
func Of(entityID string) int {
	h := fnv.New32a()
	h.Write([]byte(entityID))
	return int(h.Sum32() % Count)
}

// Genesis is the hash before a chain's first entry. It keeps the beginning of one chain from passing for another's.
func Genesis(chain int) []byte {
	sum := sha256.Sum256([]byte("fairway log chain " + strconv.Itoa(chain)))
	return sum[:]
}

// Next is the hash of a content that stands behind the entry with the hash previous.
func Next(previous, content []byte) []byte {
	h := sha256.New()
	h.Write(previous)
	h.Write(content)
	return h.Sum(nil)
}

// Link is an entry in its chain.
type Link struct {
	// Position counts from 1.
	Position int64
	Hash     []byte
	Content  []byte
}
