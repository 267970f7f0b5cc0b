package rule

import "github.com/fairwayfreight/fairway/common/fault"

// KeyField is the name under which an Idempotency-Key that breaks the rule is named, as its header is.
const KeyField = "Idempotency-Key"

const maxKey = 128 // characters

// IdempotencyKey checks the key by which a client names one change: 1 to 128 visible ASCII characters.
func IdempotencyKey(key string) []fault.Field {
	var f findings
	if key == "" || len(key) > maxKey {
		f.add(KeyField, Length, "must have 1 to %d characters", maxKey)
		return f
	}
	for i := range len(key) {
		if key[i] < 0x21 || key[i] > 0x7e {
			f.add(KeyField, Format, "must hold visible ASCII characters only, and no space")
			return f
		}
	}
	return f
}
