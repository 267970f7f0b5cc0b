package config_test

import (
	"testing"

	"github.com/fairwayfreight/fairway/config"
)

func TestDidYouMeanNamesTheClosestWord(t *testing.T) {
	known := []string{"--limit", "--cursor", "--all"}
	for word, want := range map[string]string{
		"--limit":  ", did you mean --limit?",
		"--lmiit":  ", did you mean --limit?", // two letters swapped
		"--limt":   ", did you mean --limit?",
		"--limitt": ", did you mean --limit?",
		"--kursor": ", did you mean --cursor?",
		"--lal":    ", did you mean --all?", // two changes would be too far for so short a word
		"--alt":    ", did you mean --all?",
		"--xyz":    "",
		"--":       "",
	} {
		if got := config.DidYouMean("--", word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
	if got := config.DidYouMean("", "x", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
