package rule_test

import (
	"strings"
	"testing"

	"github.com/fairwayfreight/fairway/common/rule"
)

func TestIdempotencyKey(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		want      []string
	}{
		{"short", "k", nil},
		{"first and last visible character", "!~", nil},
		{"longest", strings.Repeat("k", 128), nil},
		{"empty", "", []string{"Idempotency-Key length"}},
		{"too long", strings.Repeat("k", 129), []string{"Idempotency-Key length"}},
		{"space", "a b", []string{"Idempotency-Key format"}},
		{"control", "a\tb", []string{"Idempotency-Key format"}},
		{"delete", "a\x7f", []string{"Idempotency-Key format"}},
		{"not ASCII", "clé", []string{"Idempotency-Key format"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, rule.IdempotencyKey(tt.key), tt.want...) })
	}
}
