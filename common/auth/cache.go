package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	shards   = 16
	perShard = 1024
)

// cache remembers verified tokens by their hash. It is split so that requests do not wait for one lock, and bounded: 16,384
// tokens, about 3 MB.
type cache struct {
	shard [shards]shard
}

type shard struct {
	mu      sync.RWMutex
	entries map[[sha256.Size]byte]entry
}

type entry struct {
	identity Identity
	until    time.Time
}

func (c *cache) get(sum [sha256.Size]byte, now time.Time) (Identity, bool) {
	s := &c.shard[sum[0]%shards]
	s.mu.RLock()
	e, ok := s.entries[sum]
	s.mu.RUnlock()
	if !ok || !now.Before(e.until) {
		return Identity{}, false
	}
	return e.identity, true
}

func (c *cache) put(sum [sha256.Size]byte, i Identity, until, now time.Time) {
	s := &c.shard[sum[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil {
		s.entries = make(map[[sha256.Size]byte]entry)
	}
	if len(s.entries) >= perShard {
		s.makeRoom(now)
	}
	s.entries[sum] = entry{identity: i, until: until}
}

// makeRoom drops what has expired, and when that is nothing, an arbitrary entry: it costs one more verification.
func (s *shard) makeRoom(now time.Time) {
	for sum, e := range s.entries {
		if !now.Before(e.until) {
			delete(s.entries, sum)
		}
	}
	for sum := range s.entries {
		if len(s.entries) < perShard {
			return
		}
		delete(s.entries, sum)
	}
}
