// Package store keeps documents: typed collections over whichever database is configured.
//
// It offers only what every such database does well and atomically, which is the write of one document. There are no
// transactions over several documents; the services are built so that they need none. An event that belongs to a change is
// part of the document that changed (the outbox), so change and event are one write.
//
// Concurrency. Every document has a version, 1 when inserted and one more with each write. A write names the version it
// was decided on and fails with ErrConflict when the document has moved on, so no update is ever lost. Reads see every
// write that was answered before the read began, on any replica of the service.
//
// Durability. A write that returned nil survives the death of any process, and power loss as far as the disk keeps its word.
// A write that returned an error that is none of this package's named ones (a context's error, an I/O error) may or may not
// have happened; callers find out by reading.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Named errors of this package. DuplicateError tells which index refused.
var (
	// ErrNotFound: no document has this id.
	ErrNotFound = errors.New("no such document")
	// ErrConflict: the document's version is not the one the write was decided on.
	ErrConflict = errors.New("the document was changed by somebody else")
	// ErrCursor: the cursor was not made by the same query.
	ErrCursor = errors.New("the cursor does not belong to this query")
)

// ByID stands for the id where a DuplicateError names an index. No index may have this name.
const ByID = "id"

// DuplicateError is the refusal of a document whose id, or whose key in a unique index, is taken.
type DuplicateError struct {
	// Index is the unique index's name, or ByID. When several are taken, ByID goes first: an insert that is tried again
	// learns that it is there already.
	Index string
}

func (e *DuplicateError) Error() string { return fmt.Sprintf("duplicate %s", e.Index) }

// IsDuplicate tells whether err is a DuplicateError of the named index, or of the id (ByID).
func IsDuplicate(err error, index string) bool {
	var dup *DuplicateError
	return errors.As(err, &dup) && dup.Index == index
}

// DB is the documents of one service. A collection belongs to the one service whose DB it is in.
// Implementations are safe for concurrent use and pass the suite in storetest.
type DB interface {
	// Table opens a collection and creates it and its indexes where they are missing. Existing documents of a new index
	// are indexed when they are next written, so add an index together with its collection.
	Table(ctx context.Context, schema Schema) (Table, error)
	// Health tells whether the database can be read and written now.
	Health(ctx context.Context) error
	// Close waits for writes under way, then closes. Later calls fail.
	Close() error
}

// Schema names a collection and its indexes. Names are lower-case letters, digits and underscores.
type Schema struct {
	Name    string
	Indexes []IndexSchema
}

// IndexSchema is one index. In a unique index no two documents share a Key, which is Match and Order together.
type IndexSchema struct {
	Name   string
	Unique bool
}

// Table is a collection of records without types: what an implementation of this package has to offer. Services use
// Collection, which is built on it.
type Table interface {
	// Insert adds a record, whose Version is ignored and becomes 1. Errors: DuplicateError, and then nothing is written.
	Insert(ctx context.Context, r Record) error
	// InsertMany adds records one after the other, each as Insert would, and stops at the first that is refused. It returns how
	// many were added: those before the refused one, durably, and none behind it. They share a journey to the database, not
	// their fate: after an error that is none of this package's, a beginning of them may have been added. At most 1,000.
	// Errors: DuplicateError.
	InsertMany(ctx context.Context, list []Record) (added int, err error)
	// ReplaceMany writes over records, each as Replace would and whether or not others are refused. They share a journey to
	// the database, not their fate. refused has an entry for each record, nil where it was written: ErrNotFound, ErrConflict,
	// DuplicateError. After an error any of them may have been written. At most 1,000, of different ids.
	ReplaceMany(ctx context.Context, list []Record) (refused []error, err error)
	// Get finds a record by id. Errors: ErrNotFound.
	Get(ctx context.Context, id string) (Record, error)
	// GetMany finds the records of these ids, in no certain order; ids without a record are passed over. At most 1,000 ids.
	GetMany(ctx context.Context, ids []string) ([]Record, error)
	// Replace writes body and keys over the record with r's id if that is still at r.Version; its version becomes
	// r.Version+1 and r.Outbox is appended to the events that wait there. Errors: ErrNotFound, ErrConflict, DuplicateError.
	Replace(ctx context.Context, r Record) error
	// Delete removes the record if it is still at version, or at any version when version is 0. Events that waited in it are
	// gone too. Errors: ErrNotFound, ErrConflict.
	Delete(ctx context.Context, id string, version int64) error
	// Find returns the records that match, in order, at most q.Limit. Errors: ErrCursor.
	Find(ctx context.Context, q Query) ([]Found, error)
	Outbox
}

// Outbox is the side of a Table that the relay of package event sees: the documents with events that wait to be published.
//
// A claim keeps other callers, also those of other replicas, from claiming the same document until its lease ends; it does
// not keep anyone from writing the document. Claiming and settling change no version.
type Outbox interface {
	// Claim gives up to limit documents that have waiting events and are not claimed, those that waited longest first.
	Claim(ctx context.Context, limit int, lease time.Duration) ([]Waiting, error)
	// Settle removes events from their documents, wherever those stand by now, and ends the claims. With no event named the
	// claim alone ends. Events or documents that are gone are passed over.
	Settle(ctx context.Context, done []Waiting) error
	// Signal receives when events may have come that nobody has claimed; it may also receive for nothing.
	Signal() <-chan struct{}
	// Depth is the number of waiting events, for whoever watches whether events get through.
	Depth(ctx context.Context) (int, error)
}

// Record is a document as tables see it. Id, keys and event ids are UTF-8 text without NUL. A record handed to a table must not
// be altered any more, even when the call returned early because its context ended.
type Record struct {
	// ID is not empty.
	ID      string
	Version int64
	// Body is the document, JSON.
	Body []byte
	// Keys are the document's entries in each index by name; an index without an entry does not find the document.
	Keys map[string][]Key
	// Outbox are events to append to the document's outbox with this write. Reads leave it empty.
	Outbox []Event
}

// Key is one entry of a document in an index. A document may have several, and is found under each.
type Key struct {
	// Match is what queries ask for, exactly.
	Match string
	// Order sorts the documents of one Match, bytewise, before their ids do. Often empty.
	Order string
}

// Event is what waits in an outbox. Its body is opaque to the store.
type Event struct {
	ID   string
	Body []byte
}

// Waiting are a document's waiting events, oldest first.
type Waiting struct {
	DocumentID string
	Events     []Event
}

// Query asks for records by one index. Without an index it ranges over the whole collection in the order of ids.
type Query struct {
	Index string
	// Match is the key asked for.
	Match string
	// Descending turns the order round: newest first, where ids or Order rise with time.
	Descending bool
	// After continues behind a position that an earlier answer of the same query gave.
	After Position
	// From and Until bound Order: From inclusive, Until exclusive, each without bound when empty. Only with an index.
	From, Until string
	// Limit is the most that is returned, 1 to 1,000.
	Limit int
}

// Position is where a record stands in the order of a query. The zero Position is the beginning.
type Position struct {
	Order string `json:"o,omitempty"`
	ID    string `json:"i,omitempty"`
}

// Found is a record with its place.
type Found struct {
	Record
	At Position
}
