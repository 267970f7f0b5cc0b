package api

import (
	"encoding/json"
	"math"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
)

// object is a JSON object that is read field by field. Each getter names the field it reads: a field that nobody reads is
// unknown, one of another type is found fault with and read as zero. null is no value of any type: leave the field out.
type object struct {
	path     string // where it lies: "", "containers[2]"
	names    []string
	values   map[string]json.RawMessage
	read     map[string]bool
	children []*object
	found    *findings
}

// newObject splits a valid JSON object into its fields. Of a field that is there twice the first counts, and the second is
// found fault with: parsers differ in which of the two they believe.
func newObject(path string, raw json.RawMessage, found *findings) *object {
	o := &object{path: path, values: map[string]json.RawMessage{}, read: map[string]bool{}, found: found}
	for name, value := range members(raw) {
		if _, twice := o.values[name]; twice {
			found.add(o.at(name), rule.Unique, "is there twice")
			continue
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	return o
}

// at is the full name of a field, as errors show it.
func (o *object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// nameUnread finds fault with the fields that no getter read, here and in the objects within.
func (o *object) nameUnread() {
	for _, name := range o.names {
		if !o.read[name] {
			o.found.add(o.at(name), rule.Unknown, "is not a field of this request")
		}
	}
	for _, child := range o.children {
		child.nameUnread()
	}
}

// ignore accepts fields and leaves them unread.
func (o *object) ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// take is the raw value of a field, if it is there and of this kind.
func (o *object) take(name string, want kind) (json.RawMessage, bool) {
	o.read[name] = true
	raw, ok := o.values[name]
	if !ok {
		return nil, false
	}
	return raw, o.is(o.at(name), raw, want)
}

func (o *object) is(path string, raw json.RawMessage, want kind) bool {
	if got := kindOf(raw); got != want {
		o.found.add(path, rule.Type, "must be %s, not %s", want, got)
		return false
	}
	return true
}

// text is a string, empty when the field is absent.
func (o *object) text(name string) string {
	raw, ok := o.take(name, kindString)
	if !ok {
		return ""
	}
	return o.unquote(o.at(name), raw)
}

func (o *object) unquote(path string, raw json.RawMessage) string {
	text, ok := unquote(raw)
	if !ok {
		o.found.add(path, rule.Format, "must not hold half of a surrogate pair")
		return ""
	}
	return text
}

// texts is a list of strings; an element that is none is read as empty. It reads at most one more than limit, enough for the
// rules to see that there are too many.
func (o *object) texts(name string, limit int) []string {
	var list []string
	o.each(name, limit+1, func(path string, raw json.RawMessage) {
		var s string
		if o.is(path, raw, kindString) {
			s = o.unquote(path, raw)
		}
		list = append(list, s)
	})
	return list
}

// count is a number that is needed: a whole one within 32 bits. Its own bounds are for the rules.
func (o *object) count(name string) int32 {
	if _, given := o.values[name]; !given {
		o.read[name] = true
		o.found.add(o.at(name), rule.Required, "is needed")
		return 0
	}
	return o.whole(name)
}

// countOrNone is a number that may be absent, but not 0: that is how the services say absent.
func (o *object) countOrNone(name string) int32 {
	n := o.whole(name)
	if _, given := o.values[name]; given && n == 0 && !o.found.covers(o.at(name)) {
		o.found.add(o.at(name), rule.Range, "must be at least 1 where it is given")
	}
	return n
}

func (o *object) whole(name string) int32 {
	raw, ok := o.take(name, kindNumber)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil {
		o.found.add(o.at(name), rule.Range, "must be a whole number of at most %d, without fraction or exponent", math.MaxInt32)
		return 0
	}
	return int32(n)
}

// flag is a boolean, nil when the field is absent.
func (o *object) flag(name string) *bool {
	raw, ok := o.take(name, kindBool)
	if !ok {
		return nil
	}
	yes := raw[0] == 't'
	return &yes
}

// moment is a point in time, nil when the field is absent.
func (o *object) moment(name string) *timestamppb.Timestamp {
	raw, ok := o.take(name, kindString)
	if !ok {
		return nil
	}
	t, ok := parseTime(o.unquote(o.at(name), raw))
	if !ok {
		o.found.add(o.at(name), rule.Format, "must be an RFC 3339 time such as 2030-01-31T15:04:05Z")
		return nil
	}
	return timestamppb.New(t)
}

// objects is a list of objects as texts is one of strings.
func (o *object) objects(name string, limit int) []*object {
	var list []*object
	o.each(name, limit+1, func(path string, raw json.RawMessage) {
		child := &object{path: path, read: map[string]bool{}, found: o.found}
		if o.is(path, raw, kindObject) {
			child = newObject(path, raw, o.found)
		}
		o.children = append(o.children, child)
		list = append(list, child)
	})
	return list
}

// each calls visit with the elements of an array, at most limit of them.
func (o *object) each(name string, limit int, visit func(path string, raw json.RawMessage)) {
	raw, ok := o.take(name, kindArray)
	if !ok {
		return
	}
	for i, value := range elements(raw) {
		if i == limit {
			return
		}
		visit(o.at(name)+"["+strconv.Itoa(i)+"]", value)
	}
}
