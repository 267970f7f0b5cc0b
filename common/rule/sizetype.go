package rule

// QuartersPerTEU is how many quarters of a TEU make one TEU. Room is counted in quarters, so that a 45-foot container (2.25
// TEU) is exact.
const QuartersPerTEU = 4

// quarters is the room that a container takes by the first character of its size and type code, its length (ISO 6346,
// annex D), in quarters of a TEU. A 45-foot container counts 2.25 TEU: some carriers say 2, which would oversell the deck.
var quarters = map[byte]int64{
	'1': 2,  // 10 feet
	'2': 4,  // 20 feet
	'3': 6,  // 30 feet
	'4': 8,  // 40 feet
	'L': 9,  // 45 feet
	'M': 10, // 48 feet
}

// Quarters is the room that a container of an ISO 6346 size and type code takes, in quarters of a TEU. A container without
// a code counts one TEU. It is false for a code that is not four capital letters and digits or of unknown length.
func Quarters(sizeType string) (int64, bool) {
	if sizeType == "" {
		return QuartersPerTEU, true
	}
	if len(sizeType) != 4 {
		return 0, false
	}
	for i := range len(sizeType) {
		if !isDigit(sizeType[i]) && !isUpper(sizeType[i]) {
			return 0, false
		}
	}
	n, ok := quarters[sizeType[0]]
	return n, ok
}

// sizeType checks an optional size and type code.
func (f *findings) sizeType(field, s string) {
	if _, ok := Quarters(s); !ok {
		f.add(field, Format, "must be an ISO 6346 size and type code such as 22G1, of 10, 20, 30, 40, 45 or 48 feet")
	}
}
