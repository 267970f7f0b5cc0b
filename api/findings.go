package api

import (
	"fmt"

	"github.com/fairwayfreight/fairway/common/fault"
)

const (
	// maxFindings bounds an answer: a body of 1 MiB can hold 200,000 unknown fields.
	maxFindings = 1000
	// maxFieldName bounds, in bytes, how much of a name that a client made up is sent back.
	maxFieldName = 200
)

// findings gathers what is wrong with a request, in the order in which it was found.
type findings struct {
	list  []fault.Field
	names map[string]bool
}

func (f *findings) add(field, rule, format string, args ...any) {
	f.put(fault.Field{Name: clip(field), Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (f *findings) put(field fault.Field) {
	if len(f.list) >= maxFindings {
		return
	}
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	f.names[field.Name] = true
	f.list = append(f.list, field)
}

// merge adds broken rules, but not those about a field that could not be read or anything within it: the rule saw a zero
// value that the client never sent.
func (f *findings) merge(broken []fault.Field) {
	var fresh []fault.Field
	for _, field := range broken {
		if !f.covers(field.Name) {
			fresh = append(fresh, field)
		}
	}
	for _, field := range fresh {
		f.put(field)
	}
}

// covers tells whether name or what it lies in is named already: containers[2] covers containers[2].number.
func (f *findings) covers(name string) bool {
	if f.names[name] {
		return true
	}
	for i, c := range []byte(name) {
		if (c == '.' || c == '[') && f.names[name[:i]] {
			return true
		}
	}
	return false
}

// err is the fault that names all findings, nil when there are none.
func (f *findings) err() error {
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return &fault.Error{Code: fault.Invalid, Message: f.list[0].Name + " " + f.list[0].Message, Fields: f.list}
	}
	return &fault.Error{
		Code:    fault.Invalid,
		Message: fmt.Sprintf("%d things are wrong with the request; errors names them", len(f.list)),
		Fields:  f.list,
	}
}

// clip shortens a name to at most maxFieldName bytes without cutting a character in half.
func clip(name string) string {
	if len(name) <= maxFieldName {
		return name
	}
	end := 0
	for i := range name {
		if i > maxFieldName {
			break
		}
		end = i
	}
	return name[:end] + "…"
}
