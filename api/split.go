package api

import (
	"encoding/json"
	"iter"
	"strings"
)

// The functions here take JSON apart that is known to be valid, without copying it and without looking into what is not
// asked for.

// members yields the fields of an object in order, with their names unquoted.
func members(object json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for i := skip(object, 1); i < len(object) && object[i] != '}'; i = skip(object, i) {
			end := valueEnd(object, i)
			name, _ := unquote(object[i:end])
			i = skip(object, end)
			end = valueEnd(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = end
		}
	}
}

// elements yields the values of an array with their indexes.
func elements(array json.RawMessage) iter.Seq2[int, json.RawMessage] {
	return func(yield func(int, json.RawMessage) bool) {
		n := 0
		for i := skip(array, 1); i < len(array) && array[i] != ']'; i = skip(array, i) {
			end := valueEnd(array, i)
			if !yield(n, array[i:end]) {
				return
			}
			i, n = end, n+1
		}
	}
}

// skip is the first index from i on that is neither white space nor a separator.
func skip(raw json.RawMessage, i int) int {
	for i < len(raw) && (isSpace(raw[i]) || raw[i] == ',' || raw[i] == ':') {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// valueEnd is the index behind the value that begins at i.
func valueEnd(raw json.RawMessage, i int) int {
	open, inString := 0, false
	for ; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++ // whatever is escaped, it does not end the string
		case inString && c != '"':
		case c == '"':
			inString = !inString
			if !inString && open == 0 {
				return i + 1
			}
		case c == '{' || c == '[':
			open++
		case open == 0 && (c == ',' || c == ':' || c == '}' || c == ']' || isSpace(c)):
			return i // behind a number, true, false or null
		case c == '}' || c == ']':
			open--
			if open == 0 {
				return i + 1
			}
		}
	}
	return i
}

// depth is how deep objects and arrays lie within each other.
func depth(raw json.RawMessage) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// unquote is the text of a JSON string. It is false when the string holds half of a surrogate pair, such as \ud800, which
// stands for no character.
func unquote(raw json.RawMessage) (string, bool) {
	if text := string(raw[1 : len(raw)-1]); !strings.Contains(text, `\`) {
		return text, true
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", false
	}
	return text, !loneSurrogate(raw, text)
}

// loneSurrogate tells whether encoding/json replaced half of a surrogate pair: it puts U+FFFD in its place without a word.
// A U+FFFD that the client wrote itself is fine.
func loneSurrogate(raw json.RawMessage, text string) bool {
	const replacement = "\uFFFD"
	written := strings.Count(string(raw), replacement) + strings.Count(strings.ToLower(string(raw)), `\ufffd`)
	return strings.Count(text, replacement) > written
}

// kind is a JSON type as errors name it.
type kind string

const (
	kindObject kind = "an object"
	kindArray  kind = "an array"
	kindString kind = "a string"
	kindNumber kind = "a number"
	kindBool   kind = "true or false"
	kindNull   kind = "null"
)

// kindOf tells the kind of a value by its first byte.
func kindOf(raw json.RawMessage) kind {
	switch raw[skip(raw, 0)] {
	case '{':
		return kindObject
	case '[':
		return kindArray
	case '"':
		return kindString
	case 't', 'f':
		return kindBool
	case 'n':
		return kindNull
	}
	return kindNumber
}
