package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fairwayfreight/fairway/common/store"
)

// The functions that run in the writer check everything before they write anything: the writer is alone, so what a check
// finds stays true, and a refused write need not be undone.

// Insert adds a record.
func (t *table) Insert(ctx context.Context, r store.Record) error {
	if err := r.Check(t.schema); err != nil {
		return err
	}
	added := entries(t.schema, r.Keys)
	w := &write{size: len(r.Body), applied: func() { t.waitingChanged(false, len(r.Outbox) > 0) }}
	w.apply = func(s *session) error { return t.insert(s, r, added) }
	return t.db.write(ctx, w)
}

// InsertMany adds records until one is refused.
func (t *table) InsertMany(ctx context.Context, list []store.Record) (int, error) {
	if len(list) > store.MaxBatch {
		return 0, fmt.Errorf("%d records: want at most %d", len(list), store.MaxBatch)
	}
	added := make([][]entry, len(list))
	w := &write{}
	for i, r := range list {
		if err := r.Check(t.schema); err != nil {
			return 0, err
		}
		added[i] = entries(t.schema, r.Keys)
		w.size += len(r.Body)
	}
	n, refused := 0, error(nil)
	w.apply = func(s *session) error {
		for n, refused = 0, nil; n < len(list); n++ {
			err := t.insert(s, list[n], added[n])
			if refusal(err) {
				refused = err
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	w.applied = func() {
		for _, r := range list[:n] {
			t.waitingChanged(false, len(r.Outbox) > 0)
		}
	}
	if err := t.db.write(ctx, w); err != nil {
		return 0, err
	}
	return n, refused
}

func (t *table) insert(s *session, r store.Record, added []entry) error {
	for _, e := range added {
		if err := t.checkFree(s, e, t.sql.indexes[e.index].owner, e.Match); err != nil {
			if err := s.row(t.sql.get, []any{r.ID}, new(any), new(any), new(any)); err == nil {
				return &store.DuplicateError{Index: store.ByID}
			}
			return err
		}
	}
	waiting, outbox := t.appendEvents(nil, r.Outbox)
	changed, err := s.exec(t.sql.insert, r.ID, r.Body, encodeEntries(added), waiting, outbox)
	if err != nil {
		return err
	}
	if changed == 0 {
		return &store.DuplicateError{Index: store.ByID}
	}
	return t.addEntries(s, r.ID, added)
}

// Replace writes over a record.
func (t *table) Replace(ctx context.Context, r store.Record) error {
	if err := r.Check(t.schema); err != nil {
		return err
	}
	var had bool
	w := &write{size: len(r.Body), applied: func() { t.waitingChanged(had, had || len(r.Outbox) > 0) }}
	w.apply = func(s *session) (err error) {
		had, err = t.replace(s, r, entries(t.schema, r.Keys))
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
	for _, r := range list {
		if err := r.Check(t.schema); err != nil {
			return nil, err
		}
		w.size += len(r.Body)
	}
	refused, had := make([]error, len(list)), make([]bool, len(list))
	w.apply = func(s *session) error {
		for i, r := range list {
			had[i], refused[i] = t.replace(s, r, entries(t.schema, r.Keys))
			if refused[i] != nil && !refusal(refused[i]) {
				return refused[i]
			}
		}
		return nil
	}
	w.applied = func() {
		for i, r := range list {
			if refused[i] == nil {
				t.waitingChanged(had[i], had[i] || len(r.Outbox) > 0)
			}
		}
	}
	if err := t.db.write(ctx, w); err != nil {
		return nil, err
	}
	return refused, nil
}

// replace also tells whether events had been waiting before.
func (t *table) replace(s *session, r store.Record, now []entry) (had bool, err error) {
	before, err := t.stored(s, r.ID, r.Version)
	if err != nil {
		return false, err
	}
	added, dropped := without(now, before.entries), without(before.entries, now)
	for _, e := range added {
		if err := t.checkFree(s, e, t.sql.indexes[e.index].rival, e.Match, r.ID); err != nil {
			return false, err
		}
	}
	if len(r.Outbox) == 0 {
		_, err = s.exec(t.sql.update, before.version+1, r.Body, encodeEntries(now), r.ID)
	} else {
		waiting, outbox := t.appendEvents(before.outbox, r.Outbox)
		_, err = s.exec(t.sql.updateOutbox, before.version+1, r.Body, encodeEntries(now), waiting, outbox, r.ID)
	}
	if err != nil {
		return false, err
	}
	if err := t.dropEntries(s, r.ID, dropped); err != nil {
		return false, err
	}
	return len(before.outbox) > 0, t.addEntries(s, r.ID, added)
}

// Delete removes a record.
func (t *table) Delete(ctx context.Context, id string, version int64) error {
	var had bool
	w := &write{applied: func() { t.waitingChanged(had, false) }}
	w.apply = func(s *session) error {
		before, err := t.stored(s, id, version)
		if err != nil {
			return err
		}
		had = len(before.outbox) > 0
		if _, err := s.exec(t.sql.destroy, id); err != nil {
			return err
		}
		return t.dropEntries(s, id, before.entries)
	}
	return t.db.write(ctx, w)
}

// state is what a row holds besides its body.
type state struct {
	version int64
	entries []entry
	outbox  []byte
}

// stored reads the row that a write was decided on; version 0 stands for any.
func (t *table) stored(s *session, id string, version int64) (state, error) {
	var (
		st   state
		keys []byte
	)
	err := s.row(t.sql.stored, []any{id}, &st.version, &keys, &st.outbox)
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

// checkFree refuses an entry of a unique index for which the query finds another document.
func (t *table) checkFree(s *session, e entry, query string, args ...any) error {
	if ix, _ := t.schema.Index(e.index); !ix.Unique {
		return nil
	}
	var one int
	err := s.row(query, args, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return &store.DuplicateError{Index: e.index}
}

func (t *table) addEntries(s *session, id string, list []entry) error {
	for _, e := range list {
		if _, err := s.exec(t.sql.indexes[e.index].add, e.Match, e.Order, id); err != nil {
			return err
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
