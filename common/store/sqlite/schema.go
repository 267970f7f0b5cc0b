package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairwayfreight/fairway/common/store"
)

// A collection c with an index i is kept in
//
//	"doc_c"    one row per document: its body and its index entries
//	"outbox_c" one row per waiting event, in the order in which they came
//	"ix_c.i"   one row per entry of a document in the index
//
// The dot cannot be part of a name, so no two indexes of a service share a table. Text compares bytewise (collation BINARY).
//
// Documents have a rowid, index entries have none. Without a rowid, documents of 600 bytes were 10 to 30 % slower to insert and
// no faster to read, and bodies over 1 kB would leave their row. One table for all indexes of a collection, its rows
// inserted by one statement, was a quarter slower than one for each.
const createDocuments = `CREATE TABLE IF NOT EXISTS "doc_%[1]s" (
	id      TEXT PRIMARY KEY NOT NULL,
	version INTEGER NOT NULL,
	body    BLOB,
	keys    BLOB -- the rows of this document in the index tables
)`

const createOutbox = `CREATE TABLE IF NOT EXISTS "outbox_%[1]s" (
	sequence INTEGER PRIMARY KEY,
	document TEXT NOT NULL,
	id       TEXT NOT NULL,
	body     BLOB
)`

const createIndex = `CREATE TABLE IF NOT EXISTS "ix_%s.%s" (
	match TEXT NOT NULL,
	ord   TEXT NOT NULL,
	id    TEXT NOT NULL,
	PRIMARY KEY (%s)
) WITHOUT ROWID`

// What tells the rows of an index apart. In a unique one the row itself says that its key is taken: asking before each write was
// a sixth of the time of one with such a key.
const (
	anyKey    = "match, ord, id"
	uniqueKey = "match, ord"
)

// Table opens a collection. Opening it again gives the same table; with another schema it is an error.
func (db *DB) Table(ctx context.Context, schema store.Schema) (store.Table, error) {
	if err := schema.Check(); err != nil {
		return nil, err
	}
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.leave()
	db.opening.Lock()
	defer db.opening.Unlock()
	if t, ok := db.tables[schema.Name]; ok {
		if !slices.Equal(t.schema.Indexes, schema.Indexes) {
			return nil, fmt.Errorf("collection %s is open with other indexes", schema.Name)
		}
		return t, nil
	}
	t := newTable(db, schema)
	var unfit error // a mistake of the program, not a failure of the database
	if err := db.writer.do(ctx, &write{apply: func(s *session) (err error) {
		unfit, err = t.create(s)
		return err
	}}); err != nil {
		return nil, err
	}
	if unfit != nil {
		return nil, unfit
	}
	db.tables[schema.Name] = t
	return t, nil
}

// create makes the tables that are missing. unfit says why those that are there cannot be used.
func (t *table) create(s *session) (unfit, err error) {
	statements := []string{fmt.Sprintf(createDocuments, t.schema.Name), fmt.Sprintf(createOutbox, t.schema.Name)}
	for _, ix := range t.schema.Indexes {
		key := anyKey
		if ix.Unique {
			key = uniqueKey
		}
		statements = append(statements, fmt.Sprintf(createIndex, t.schema.Name, ix.Name, key))
	}
	for _, statement := range statements {
		if _, err := s.exec(statement); err != nil {
			return nil, fmt.Errorf("create collection %s: %w", t.schema.Name, err)
		}
	}
	for _, ix := range t.schema.Indexes {
		if unfit, err := t.checkForm(s, ix); unfit != nil || err != nil {
			return unfit, err
		}
	}
	var depth int64
	if err := s.row(t.sql.countWaiting, nil, &depth, &t.sequence); err != nil {
		return nil, fmt.Errorf("count the waiting events of collection %s: %w", t.schema.Name, err)
	}
	t.waitlist.found(int(depth), t.sequence)
	return nil, nil
}

// checkForm refuses an index that became unique, or ceased to be, after its table was made.
func (t *table) checkForm(s *session, ix store.IndexSchema) (unfit, err error) {
	want, found := strings.Count(anyKey, ",")+1, 0
	if ix.Unique {
		want = strings.Count(uniqueKey, ",") + 1
	}
	name := t.schema.Name + "." + ix.Name
	if err := s.row(`SELECT count(*) FROM pragma_table_info(?) WHERE pk > 0`, []any{"ix_" + name}, &found); err != nil {
		return nil, fmt.Errorf("look at index %s: %w", name, err)
	}
	if found != want {
		return fmt.Errorf("index %s was unique when it was made and is not any more, or the other way round: give it another name", name), nil
	}
	return nil, nil
}

// statements are the texts of a collection's statements, which are also what the prepared ones are found by.
type statements struct {
	get, getMany, all, allDown, allDownAfter string
	insert, stored, update, destroy          string
	addEvent, dropEvents, countWaiting       string
	waiting, settle, settleNamed             string
	indexes                                  map[string]indexStatements
}

type indexStatements struct {
	add, drop                             string
	find, findUntil, findDown, findBehind string
}

func documentStatements(schema store.Schema) statements {
	doc, outbox := `"doc_`+schema.Name+`"`, `"outbox_`+schema.Name+`"`
	st := statements{
		get:          `SELECT id, version, body FROM ` + doc + ` WHERE id = ?`,
		getMany:      `SELECT id, version, body FROM ` + doc + ` WHERE id IN (SELECT value FROM json_each(?))`,
		all:          `SELECT id, version, body FROM ` + doc + ` WHERE id > ? ORDER BY id LIMIT ?`,
		allDown:      `SELECT id, version, body FROM ` + doc + ` ORDER BY id DESC LIMIT ?`,
		allDownAfter: `SELECT id, version, body FROM ` + doc + ` WHERE id < ? ORDER BY id DESC LIMIT ?`,

		insert:  `INSERT INTO ` + doc + ` (id, version, body, keys) VALUES (?, 1, ?, ?) ON CONFLICT (id) DO NOTHING`,
		stored:  `SELECT version, keys FROM ` + doc + ` WHERE id = ?`,
		update:  `UPDATE ` + doc + ` SET version = ?, body = ?, keys = ? WHERE id = ?`,
		destroy: `DELETE FROM ` + doc + ` WHERE id = ?`,

		addEvent:     `INSERT INTO ` + outbox + ` (sequence, document, id, body) VALUES (?, ?, ?, ?)`,
		dropEvents:   `DELETE FROM ` + outbox + ` WHERE document = ?`,
		countWaiting: `SELECT count(*), coalesce(max(sequence), 0) FROM ` + outbox,
		waiting:      `SELECT sequence, document, id, body FROM ` + outbox + ` WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
		settle:       `DELETE FROM ` + outbox + ` WHERE sequence IN (SELECT value FROM json_each(?))`,
		settleNamed:  `DELETE FROM ` + outbox + ` WHERE document = ? AND id = ?`,
		indexes:      make(map[string]indexStatements),
	}
	for _, ix := range schema.Indexes {
		st.indexes[ix.Name] = entryStatements(schema.Name, ix.Name)
	}
	return st
}

func entryStatements(collection, index string) indexStatements {
	ix := `"ix_` + collection + `.` + index + `"`
	// CROSS JOIN keeps SQLite from beginning with the documents.
	find := `SELECT d.id, d.version, d.body, i.ord FROM ` + ix + ` AS i CROSS JOIN "doc_` + collection + `" AS d
		WHERE d.id = i.id AND i.match = ?`
	return indexStatements{
		add:  `INSERT INTO ` + ix + ` (match, ord, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		drop: `DELETE FROM ` + ix + ` WHERE match = ? AND ord = ? AND id = ?`,

		find:       find + ` AND (i.ord, i.id) > (?, ?) ORDER BY i.ord, i.id LIMIT ?`,
		findUntil:  find + ` AND (i.ord, i.id) > (?, ?) AND i.ord < ? ORDER BY i.ord, i.id LIMIT ?`,
		findDown:   find + ` AND i.ord >= ? ORDER BY i.ord DESC, i.id DESC LIMIT ?`,
		findBehind: find + ` AND i.ord >= ? AND (i.ord, i.id) < (?, ?) ORDER BY i.ord DESC, i.id DESC LIMIT ?`,
	}
}
