package config

import "strings"

// DidYouMean ends a sentence about an unknown word with the known one that it is closest to: ", did you mean vessel?", or with
// nothing when none is close. A prefix that all of them share says nothing about how close they are.
func DidYouMean(prefix, word string, known []string) string {
	word = strings.TrimPrefix(word, prefix)
	best, least := "", len(word)/3+1
	for _, k := range known {
		if d := distance(word, strings.TrimPrefix(k, prefix)); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}

// distance is the number of bytes to add, drop, change or swap with their neighbour to get from a to b (Damerau and
// Levenshtein's, without changes to what was swapped).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			least := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				least++
			}
			least = min(least, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				least = min(least, rows[i-2][j-2]+1)
			}
			rows[i][j] = least
		}
	}
	return rows[len(a)][len(b)]
}
