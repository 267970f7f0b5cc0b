package store

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxBatch is the most that one read takes or gives: ids of GetMany, records of Find.
const MaxBatch = 1_000

// The checks below are what every implementation of DB refuses before it touches its database. A failed check is a mistake
// in the calling program, so the errors have no names to match on; only the position of a cursor comes from outside.

// Check tells whether the names can be used: 1 to 48 lower-case letters, digits and underscores, each index once.
func (s Schema) Check() error {
	if !validName(s.Name) {
		return fmt.Errorf("collection name %q: want 1 to 48 of a-z, 0-9 and _", s.Name)
	}
	seen := make(map[string]bool, len(s.Indexes))
	for _, ix := range s.Indexes {
		if !validName(ix.Name) {
			return fmt.Errorf("index name %q of collection %s: want 1 to 48 of a-z, 0-9 and _", ix.Name, s.Name)
		}
		if ix.Name == ByID || seen[ix.Name] {
			return fmt.Errorf("index name %q of collection %s is taken", ix.Name, s.Name)
		}
		seen[ix.Name] = true
	}
	return nil
}

// Index finds an index by name.
func (s Schema) Index(name string) (IndexSchema, bool) {
	for _, ix := range s.Indexes {
		if ix.Name == name {
			return ix, true
		}
	}
	return IndexSchema{}, false
}

// Check tells whether a record can be written to a collection of this schema.
func (r Record) Check(s Schema) error {
	if r.ID == "" {
		return errors.New("a record needs an id")
	}
	if !validText(r.ID) {
		return fmt.Errorf("id %q is not UTF-8 text without NUL", r.ID)
	}
	for index, keys := range r.Keys {
		if _, ok := s.Index(index); !ok {
			return fmt.Errorf("collection %s has no index %q", s.Name, index)
		}
		for _, k := range keys {
			if !validText(k.Match) || !validText(k.Order) {
				return fmt.Errorf("key %q, %q of index %s is not UTF-8 text without NUL", k.Match, k.Order, index)
			}
		}
	}
	for _, e := range r.Outbox {
		if e.ID == "" || !validText(e.ID) {
			return fmt.Errorf("event id %q is not UTF-8 text without NUL", e.ID)
		}
	}
	return nil
}

// Check tells whether a query can be put to a collection of this schema. Errors: ErrCursor for a position that no answer to
// such a query can have given.
func (q Query) Check(s Schema) error {
	if q.Limit < 1 || q.Limit > MaxBatch {
		return fmt.Errorf("limit %d: want 1 to %d", q.Limit, MaxBatch)
	}
	if !validText(q.After.ID) || !validText(q.After.Order) || (q.After.ID == "" && q.After.Order != "") {
		return ErrCursor
	}
	if q.Index == "" {
		if q.Match != "" || q.From != "" || q.Until != "" {
			return errors.New("a query without an index has no match and no bounds")
		}
		if q.After.Order != "" {
			return ErrCursor
		}
		return nil
	}
	if _, ok := s.Index(q.Index); !ok {
		return fmt.Errorf("collection %s has no index %q", s.Name, q.Index)
	}
	return nil
}

func validName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	return name != "" && len(name) <= 48 && strings.Trim(name, letters) == ""
}

// validText: databases differ in what they do to other strings, and so does JSON.
func validText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
