package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairwayfreight/fairway/common/store"
)

// table is one collection.
type table struct {
	db     *DB
	schema store.Schema
	sql    statements
	// waitlist is what waits in the outbox.
	waitlist *waitlist
	// sequence is the number of the youngest event. Only the writer's goroutine touches it.
	sequence int64
}

func newTable(db *DB, schema store.Schema) *table {
	return &table{db: db, schema: schema, sql: documentStatements(schema), waitlist: newWaitlist(db.now)}
}

// Get finds a record by id.
func (t *table) Get(ctx context.Context, id string) (store.Record, error) {
	var r store.Record
	err := t.db.read(ctx, func(s *session) error {
		return s.row(t.sql.get, []any{id}, &r.ID, &r.Version, &r.Body)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return r, err
}

// GetMany finds records by their ids.
func (t *table) GetMany(ctx context.Context, ids []string) ([]store.Record, error) {
	if len(ids) > store.MaxBatch {
		return nil, fmt.Errorf("%d ids: want at most %d", len(ids), store.MaxBatch)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	found := make([]store.Record, 0, len(ids))
	err = t.db.read(ctx, func(s *session) error {
		return s.rows(t.sql.getMany, []any{string(list)}, func(rows *sql.Rows) error {
			var r store.Record
			defer func() { found = append(found, r) }()
			return rows.Scan(&r.ID, &r.Version, &r.Body)
		})
	})
	return found, err
}

// Find returns the records that match a query. One statement reads them, so all are of one moment.
func (t *table) Find(ctx context.Context, q store.Query) ([]store.Found, error) {
	if err := q.Check(t.schema); err != nil {
		return nil, err
	}
	statement, args := t.query(q)
	var found []store.Found
	err := t.db.read(ctx, func(s *session) error {
		return s.rows(statement, args, func(rows *sql.Rows) error {
			var f store.Found
			columns := []any{&f.ID, &f.Version, &f.Body, &f.At.Order}
			if q.Index == "" {
				columns = columns[:3]
			}
			if err := rows.Scan(columns...); err != nil {
				return err
			}
			f.At.ID = f.ID
			found = append(found, f)
			return nil
		})
	})
	return found, err
}

// query chooses the statement. Ids are never empty, so a position without one stands before all documents of its order:
// "behind the position (From, no id)" says the same as "Order is at least From".
func (t *table) query(q store.Query) (string, []any) {
	if q.Index == "" {
		switch {
		case !q.Descending:
			return t.sql.all, []any{q.After.ID, q.Limit}
		case q.After.ID == "":
			return t.sql.allDown, []any{q.Limit}
		default:
			return t.sql.allDownAfter, []any{q.After.ID, q.Limit}
		}
	}
	ix, after := t.sql.indexes[q.Index], q.After
	if q.Descending {
		if q.Until != "" && (after.ID == "" || after.Order >= q.Until) {
			after = store.Position{Order: q.Until}
		}
		if after == (store.Position{}) {
			return ix.findDown, []any{q.Match, q.From, q.Limit}
		}
		return ix.findBehind, []any{q.Match, q.From, after.Order, after.ID, q.Limit}
	}
	if after.Order < q.From {
		after = store.Position{Order: q.From}
	}
	if q.Until == "" {
		return ix.find, []any{q.Match, after.Order, after.ID, q.Limit}
	}
	return ix.findUntil, []any{q.Match, after.Order, after.ID, q.Until, q.Limit}
}
