package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Spec describes a collection of documents of type T, which is stored as its JSON.
type Spec[T any] struct {
	Name string
	// ID reads the document's id, which never changes.
	ID func(*T) string
	// Indexes are the ways to find documents other than by id.
	Indexes []Index[T]
}

// Index is one index of a collection.
type Index[T any] struct {
	Name   string
	Unique bool
	// Keys reads the document's entries; none leaves the document out of the index.
	Keys func(*T) []Key
}

// Document is a value with the version at which it was read or written.
type Document[T any] struct {
	Value   T
	Version int64
	// Order is that of the key under which Find found the document in an index, else empty.
	Order string
}

// Collection is a set of documents of type T. It is safe for concurrent use.
type Collection[T any] struct {
	table Table
	spec  Spec[T]
}

// Open opens a collection in db, creating what is missing.
func Open[T any](ctx context.Context, db DB, spec Spec[T]) (*Collection[T], error) {
	schema := Schema{Name: spec.Name}
	for _, ix := range spec.Indexes {
		schema.Indexes = append(schema.Indexes, IndexSchema{Name: ix.Name, Unique: ix.Unique})
	}
	table, err := db.Table(ctx, schema)
	if err != nil {
		return nil, fmt.Errorf("open collection %s: %w", spec.Name, err)
	}
	return &Collection[T]{table: table, spec: spec}, nil
}

// Outbox is the collection's outbox, for the relay.
func (c *Collection[T]) Outbox() Outbox { return c.table }

// Insert adds a document together with the events of its making. Errors: DuplicateError.
func (c *Collection[T]) Insert(ctx context.Context, value T, events ...Event) (Document[T], error) {
	r, err := c.record(&value, 0, events)
	if err != nil {
		return Document[T]{}, err
	}
	if err := c.table.Insert(ctx, r); err != nil {
		return Document[T]{}, c.wrap("insert", err)
	}
	return Document[T]{Value: value, Version: 1}, nil
}

// InsertMany adds documents without events, in order, until one is refused, and returns how many were added, as Table's does.
// At most 1,000. Errors: DuplicateError.
func (c *Collection[T]) InsertMany(ctx context.Context, values []T) (added int, err error) {
	list := make([]Record, len(values))
	for i := range values {
		if list[i], err = c.record(&values[i], 0, nil); err != nil {
			return 0, err
		}
	}
	added, err = c.table.InsertMany(ctx, list)
	return added, c.wrap("insert", err)
}

// ReplaceMany writes documents over those that are still at their version, each whether or not others are refused, as Table's
// does. At most 1,000, of different ids.
func (c *Collection[T]) ReplaceMany(ctx context.Context, documents []Document[T]) (refused []error, err error) {
	list := make([]Record, len(documents))
	for i := range documents {
		if list[i], err = c.record(&documents[i].Value, documents[i].Version, nil); err != nil {
			return nil, err
		}
	}
	refused, err = c.table.ReplaceMany(ctx, list)
	return refused, c.wrap("replace", err)
}

// Get finds a document. Errors: ErrNotFound.
func (c *Collection[T]) Get(ctx context.Context, id string) (Document[T], error) {
	r, err := c.table.Get(ctx, id)
	if err != nil {
		return Document[T]{}, c.wrap("get", err)
	}
	return c.document(r)
}

// GetMany finds the documents of these ids, at most 1,000; those that are not there are missing from the map.
func (c *Collection[T]) GetMany(ctx context.Context, ids []string) (map[string]Document[T], error) {
	records, err := c.table.GetMany(ctx, ids)
	if err != nil {
		return nil, c.wrap("get", err)
	}
	found := make(map[string]Document[T], len(records))
	for _, r := range records {
		if found[r.ID], err = c.document(r); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Replace writes value over the document if that is still at version, together with the events of the change.
// Errors: ErrNotFound, ErrConflict, DuplicateError.
func (c *Collection[T]) Replace(ctx context.Context, value T, version int64, events ...Event) (Document[T], error) {
	r, err := c.record(&value, version, events)
	if err != nil {
		return Document[T]{}, err
	}
	if err := c.table.Replace(ctx, r); err != nil {
		return Document[T]{}, c.wrap("replace", err)
	}
	return Document[T]{Value: value, Version: version + 1}, nil
}

// ErrUnchanged is returned by the function given to Update to leave the document as it is.
var ErrUnchanged = errors.New("unchanged")

// Update reads the document, lets change alter it and writes it back with the events that change returns, again and again
// until no other write came between, or ctx ends. So change may run several times, each time on a fresh value; it must do
// nothing but decide. doc.Version is the version that the write will make.
//
// An error of change ends the update and is returned as it is. ErrUnchanged ends it without error and without a write; the
// document is then read again, because change may have altered its copy, so the answer can be newer than what change saw.
// Errors: ErrNotFound, DuplicateError, those of change.
func (c *Collection[T]) Update(ctx context.Context, id string, change func(doc *Document[T]) ([]Event, error)) (Document[T], error) {
	for attempt := 0; ; attempt++ {
		current, err := c.Get(ctx, id)
		if err != nil {
			return Document[T]{}, err
		}
		next := Document[T]{Value: current.Value, Version: current.Version + 1}
		events, err := change(&next)
		if errors.Is(err, ErrUnchanged) {
			return c.Get(ctx, id)
		}
		if err != nil {
			return Document[T]{}, err
		}
		written, err := c.Replace(ctx, next.Value, current.Version, events...)
		if !errors.Is(err, ErrConflict) {
			return written, err
		}
		if err := pause(ctx, attempt); err != nil {
			return Document[T]{}, err
		}
	}
}

// Delete removes a document if it is still at version, or at any version when version is 0. Errors: ErrNotFound, ErrConflict.
func (c *Collection[T]) Delete(ctx context.Context, id string, version int64) error {
	return c.wrap("delete", c.table.Delete(ctx, id, version))
}

func (c *Collection[T]) record(value *T, version int64, events []Event) (Record, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return Record{}, fmt.Errorf("%s: encode: %w", c.spec.Name, err)
	}
	keys := make(map[string][]Key, len(c.spec.Indexes))
	for _, ix := range c.spec.Indexes {
		if k := ix.Keys(value); len(k) > 0 {
			keys[ix.Name] = k
		}
	}
	return Record{ID: c.spec.ID(value), Version: version, Body: body, Keys: keys, Outbox: events}, nil
}

func (c *Collection[T]) document(r Record) (Document[T], error) {
	doc := Document[T]{Version: r.Version}
	if err := json.Unmarshal(r.Body, &doc.Value); err != nil {
		return doc, fmt.Errorf("%s: decode %s: %w", c.spec.Name, r.ID, err)
	}
	return doc, nil
}

func (c *Collection[T]) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, c.spec.Name, err)
}

// pause waits a little longer with each attempt, with jitter so that rivals part, up to 50 ms.
func pause(ctx context.Context, attempt int) error {
	limit := min(time.Millisecond<<min(attempt, 6), 50*time.Millisecond)
	t := time.NewTimer(time.Duration(rand.Int64N(int64(limit)) + 1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// TimeOrder writes a time so that the order of bytes is the order of time, to the nanosecond.
func TimeOrder(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// Matches makes keys without an order of their own, one for each value that is not empty.
func Matches(values ...string) []Key {
	var keys []Key
	for _, v := range values {
		if v != "" {
			keys = append(keys, Key{Match: v})
		}
	}
	return keys
}
