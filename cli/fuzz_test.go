package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
)

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "a\xffb", "\u202e", "\ufffd", "\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if !strconv.IsPrint(r) {
				t.Fatalf("%q became %q", s, clean(s))
			}
		}
		if clean(clean(s)) != clean(s) {
			t.Fatalf("%q is not clean", clean(s))
		}
	})
}

func FuzzPrintJSON(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, "\"\u009b\u202e\x7f\"", "\"\U000e0041\"", "\"\xff\"", `"\ud800"`, "[1e9,\n null]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		var b bytes.Buffer
		if err := printJSON(&b, data); err != nil {
			t.Fatal(err)
		}
		cleaned := b.Bytes()
		for _, r := range string(cleaned) {
			if r != '\n' && !strconv.IsPrint(r) {
				t.Fatalf("%q became %q", data, cleaned)
			}
		}
		var was, is any
		if json.Unmarshal(data, &was) != nil {
			return // a number beyond float64
		}
		if err := json.Unmarshal(cleaned, &is); err != nil || !reflect.DeepEqual(was, is) {
			t.Fatalf("%q became %q: %v", data, cleaned, err)
		}
	})
}

func FuzzParseObjects(f *testing.F) {
	for _, s := range []string{`{"weight":1,"containers":[{"origin":"x","user_id":"y"}]}`, `[{"id":1}]`, `[null]`, `null`, `{"containers":[null]}`, `{"containers":7}`} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, listAllowed bool) {
		objects, _, err := parseObjects(data, consignmentFields, listAllowed)
		if err != nil {
			return
		}
		for _, object := range objects {
			for name := range object {
				if _, known := consignmentFields[name]; !known {
					t.Fatalf("%q let %q through", data, name)
				}
			}
			if _, err := encode(object); err != nil {
				t.Fatalf("%q cannot be sent: %v", data, err)
			}
		}
	})
}

func FuzzPairs(f *testing.F) {
	for _, s := range []string{"number=1,type=2", "origin=Derby, United Kingdom", "origin=a=b,type=", ",", "=", "type=x,y z=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		result, err := pairs(s, "number", "type", "origin")
		if err == nil && len(result) == 0 {
			t.Fatalf("%q said nothing and was accepted", s)
		}
	})
}
