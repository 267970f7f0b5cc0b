package chain

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is remembered of heads does not grow with their number when they come in their order or against it, and is as little in
// the end whatever order they come in.
func TestHeadsWithoutAGapTakeLittleMemory(t *testing.T) {
	const n = 1000
	order := make([]int64, n)
	for i := range order {
		order[i] = int64(i + 1)
	}
	for name, tc := range map[string]struct {
		arrange func([]int64)
		most    int // runs at any time
	}{
		"in order":  {func([]int64) {}, 1},
		"turned":    {slices.Reverse[[]int64], 1},
		"any order": {func(l []int64) { rand.Shuffle(n, func(i, j int) { l[i], l[j] = l[j], l[i] }) }, n},
	} {
		var s sequence
		var chains [Count]checked
		arranged := slices.Clone(order)
		tc.arrange(arranged)
		for _, number := range arranged {
			s.take(Heads{Number: number}, "", &chains)
			if len(s.runs) > tc.most {
				t.Fatalf("%s: %d runs", name, len(s.runs))
			}
		}
		if len(s.runs) != 1 || s.runs[0].first.number != 1 || s.runs[0].last.number != n {
			t.Errorf("%s: %d runs in the end", name, len(s.runs))
		}
	}
}
