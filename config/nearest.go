package config

import "strings"

// didYouMean ends a sentence about an unknown word with the known one that it is closest to, if any is close. A prefix that
// all of them share says nothing about how close they are.
func didYouMean(prefix, word string, known []string) string {
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

// distance is the number of bytes to add, drop or change to get from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
