package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fairwayfreight/fairway/common/store"
)

// The functions that run in the writer leave nothing behind of a write that they refuse: it shares its transaction with others,
// which are committed. The writer is alone, so what it finds in the tables stays true until it writes.

// Insert adds a record.
func (t *table) Insert(ctx context.Context, r store.Record) error {
	if err := r.Check(t.schema); err != nil {
		return err
	}
	p := t.prepare(r)
	var waiting []waitingEvent
	w := &write{size: len(r.Body), applied: func() { t.waitlist.add(waiting) }}
	w.apply = func(s *session) (err error) {
		waiting, err = t.insert(s, p)
		return err
	}
	return t.db.write(ctx, w)
}

// InsertMany adds records until one is refused.
func (t *table) InsertMany(ctx context.Context, list []store.Record) (int, error) {
	if len(list) > store.MaxBatch {
		return 0, fmt.Errorf("%d records: want at most %d", len(list), store.MaxBatch)
	}
	w := &write{}
	all := make([]prepared, len(list))
	for i, r := range list {
		if err := r.Check(t.schema); err != nil {
			return 0, err
		}
		all[i] = t.prepare(r)
		w.size += len(r.Body)
	}
	var (
		n       int
		refused error
		waiting []waitingEvent
	)
	w.apply = func(s *session) error {
		for ; n < len(all); n++ {
			events, err := t.insert(s, all[n])
			if refusal(err) {
				refused = err
				return nil
			}
			if err != nil {
				return err
			}
			waiting = append(waiting, events...)
		}
		return nil
	}
	w.applied = func() { t.waitlist.add(waiting) }
	if err := t.db.write(ctx, w); err != nil {
		return 0, err
	}
	return n, refused
}

// insert returns the events that wait once it has been committed.
func (t *table) insert(s *session, r prepared) ([]waitingEvent, error) {
	changed, err := s.exec(t.sql.insert, r.ID, r.Body, r.keys)
	if err != nil {
		return nil, err
	}
	if changed == 0 {
		return nil, &store.DuplicateError{Index: store.ByID}
	}
	if err := t.addEntries(s, r.ID, r.entries); err != nil {
		if refusal(err) {
			_, undone := s.exec(t.sql.destroy, r.ID)
			err = cmp.Or(undone, err)
		}
		return nil, err
	}
	t.db.documents.Add(1)
	return t.addEvents(s, r.ID, r.Outbox)
}

// prepared is a record with all that can be made of it before it is the writer's turn, which everybody waits for.
type prepared struct {
	store.Record
	entries []entry
	keys    []byte // the entries, encoded
}

func (t *table) prepare(r store.Record) prepared {
	list := entries(t.schema, r.Keys)
	return prepared{Record: r, entries: list, keys: encodeEntries(list)}
}

// Replace writes over a record.
func (t *table) Replace(ctx context.Context, r store.Record) error {
	if err := r.Check(t.schema); err != nil {
		return err
	}
	p := t.prepare(r)
	var waiting []waitingEvent
	w := &write{size: len(r.Body), applied: func() { t.waitlist.add(waiting) }}
	w.apply = func(s *session) (err error) {
		waiting, err = t.replace(s, p)
		return err
	}
	return t.db.write(ctx, w)
}

// ReplaceMany writes over those records that can be written over.
func (t *table) ReplaceMany(ctx context.Context, list []store.Record) ([]error, error) {
	if len(list) > store.MaxBatch {
		return nil, fmt.Errorf("%d records: want at most %d", len(list), store.MaxBatch)
	}
	w := &write{}
	all := make([]prepared, len(list))
	for i, r := range list {
		if err := r.Check(t.schema); err != nil {
			return nil, err
		}
		all[i] = t.prepare(r)
		w.size += len(r.Body)
	}
	refused := make([]error, len(list))
	var waiting []waitingEvent
	w.apply = func(s *session) error {
		for i, r := range all {
			events, err := t.replace(s, r)
			if err != nil && !refusal(err) {
				return err
			}
			refused[i] = err
			waiting = append(waiting, events...)
		}
		return nil
	}
	w.applied = func() { t.waitlist.add(waiting) }
	if err := t.db.write(ctx, w); err != nil {
		return nil, err
	}
	return refused, nil
}

// replace returns the events that wait once it has been committed.
func (t *table) replace(s *session, r prepared) ([]waitingEvent, error) {
	before, err := t.stored(s, r.ID, r.Version)
	if err != nil {
		return nil, err
	}
	added, dropped := without(r.entries, before.entries), without(before.entries, r.entries)
	if err := t.addEntries(s, r.ID, added); err != nil {
		return nil, err
	}
	if _, err = s.exec(t.sql.update, before.version+1, r.Body, r.keys, r.ID); err != nil {
		return nil, err
	}
	if err := t.dropEntries(s, r.ID, dropped); err != nil {
		return nil, err
	}
	t.db.documents.Add(1)
	return t.addEvents(s, r.ID, r.Outbox)
}

// Delete removes a record.
func (t *table) Delete(ctx context.Context, id string, version int64) error {
	var events int64
	w := &write{applied: func() { t.waitlist.dropped(id, events) }}
	w.apply = func(s *session) error {
		before, err := t.stored(s, id, version)
		if err != nil {
			return err
		}
		if _, err := s.exec(t.sql.destroy, id); err != nil {
			return err
		}
		if events, err = t.dropEvents(s, id); err != nil {
			return err
		}
		t.db.documents.Add(1)
		return t.dropEntries(s, id, before.entries)
	}
	return t.db.write(ctx, w)
}

// state is what a row holds besides its body.
type state struct {
	version int64
	entries []entry
}

// stored reads the row that a write was decided on; version 0 stands for any.
func (t *table) stored(s *session, id string, version int64) (state, error) {
	var (
		st   state
		keys []byte
	)
	err := s.row(t.sql.stored, []any{id}, &st.version, &keys)
	if errors.Is(err, sql.ErrNoRows) {
		return st, store.ErrNotFound
	}
	if err != nil {
		return st, err
	}
	if version != 0 && version != st.version {
		return st, store.ErrConflict
	}
	st.entries, err = decodeEntries(keys)
	return st, err
}

// addEntries adds all entries or, when one of a unique index is taken, none.
func (t *table) addEntries(s *session, id string, list []entry) error {
	for i, e := range list {
		added, err := s.exec(t.sql.indexes[e.index].add, e.Match, e.Order, id)
		if err != nil {
			return err
		}
		if added == 0 {
			if ix, _ := t.schema.Index(e.index); !ix.Unique { // nobody but this writer adds rows, and none twice
				return fmt.Errorf("index %s has a row of document %s already", e.index, id)
			}
			if err := t.dropEntries(s, id, list[:i]); err != nil {
				return err
			}
			return &store.DuplicateError{Index: e.index}
		}
	}
	return nil
}

// dropEntries also knows indexes that the schema no longer has: their rows must not outlive the document, as the index may
// come back.
func (t *table) dropEntries(s *session, id string, list []entry) error {
	for _, e := range list {
		ix, ok := t.sql.indexes[e.index]
		if !ok {
			ix = entryStatements(t.schema.Name, e.index)
		}
		if _, err := s.exec(ix.drop, e.Match, e.Order, id); err != nil {
			return err
		}
	}
	return nil
}

// without gives the entries of a that are not in b.
func without(a, b []entry) []entry {
	if slices.Equal(a, b) {
		return nil
	}
	inB := make(map[entry]bool, len(b))
	for _, e := range b {
		inB[e] = true
	}
	var rest []entry
	for _, e := range a {
		if !inB[e] {
			rest = append(rest, e)
		}
	}
	return rest
}
