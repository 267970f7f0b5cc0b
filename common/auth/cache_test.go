package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"
)

// sumOf makes sums that all fall into the same shard.
func sumOf(i int) (sum [sha256.Size]byte) {
	binary.BigEndian.PutUint32(sum[1:], uint32(i))
	return sum
}

func TestTheCacheIsBoundedAndKeepsTheNewest(t *testing.T) {
	var c cache
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 2 * perShard {
		c.put(sumOf(i), Identity{UserID: "u"}, now.Add(time.Minute), now)
		if n := len(c.shard[0].entries); n > perShard {
			t.Fatalf("%d entries after %d were put", n, i+1)
		}
		if _, ok := c.get(sumOf(i), now); !ok {
			t.Fatalf("entry %d is not there after it was put", i)
		}
	}
}

func TestWhatHasExpiredLeavesTheCacheFirst(t *testing.T) {
	var c cache
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Minute)
	for i := range perShard {
		until := later // expired by then
		if i%2 == 0 {
			until = later.Add(time.Second)
		}
		c.put(sumOf(i), Identity{UserID: "u"}, until, now)
	}
	c.put(sumOf(perShard), Identity{UserID: "u"}, later.Add(time.Second), later)
	for i := 0; i <= perShard; i += 2 {
		if _, ok := c.get(sumOf(i), later); !ok {
			t.Fatalf("entry %d had to leave although others had expired", i)
		}
	}
	if n := len(c.shard[0].entries); n != perShard/2+1 {
		t.Errorf("%d entries are left", n)
	}
}
