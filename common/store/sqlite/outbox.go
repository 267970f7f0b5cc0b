package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// The waiting events of a collection are rows of a table of their own, numbered in the order in which they came. So adding one
// is an append, and settling many is one statement; as a part of their documents' rows they cost each of these rows
// another write.

// Claim gives documents with waiting events, those that waited longest first. It writes nothing: the claims of the only
// process there is may end with it.
func (t *table) Claim(ctx context.Context, limit int, lease time.Duration) ([]store.Waiting, error) {
	if err := t.db.enter(ctx); err != nil {
		return nil, err
	}
	defer t.db.leave()
	return t.waitlist.claim(limit, lease, func(after, until int64, limit int) (list []waitingEvent, err error) {
		err = t.db.lend(ctx, func(s *session) error {
			return s.rows(t.sql.waiting, []any{after, until, limit}, func(rows *sql.Rows) error {
				var e waitingEvent
				defer func() { list = append(list, e) }()
				return rows.Scan(&e.sequence, &e.document, &e.ID, &e.Body)
			})
		})
		return list, err
	})
}

// Settle removes events and ends claims. When it fails, the claims end with their leases.
func (t *table) Settle(ctx context.Context, done []store.Waiting) error {
	if err := t.db.enter(ctx); err != nil {
		return err
	}
	defer t.db.leave()
	known, unknown := t.waitlist.find(done)
	if len(known)+len(unknown) > 0 {
		numbers, err := json.Marshal(known)
		if err != nil {
			return err
		}
		var removed int64
		w := &write{applied: func() { t.waitlist.settled(done, removed) }}
		w.apply = func(s *session) (err error) {
			removed, err = s.exec(t.sql.settle, string(numbers))
			for _, e := range unknown {
				if err == nil {
					var n int64
					n, err = s.exec(t.sql.settleNamed, e.document, e.ID)
					removed += n
				}
			}
			return err
		}
		if err := t.db.writer.do(ctx, w); err != nil {
			return err
		}
	}
	t.waitlist.end(done)
	return nil
}

// Signal receives when there may be something to claim.
func (t *table) Signal() <-chan struct{} { return t.waitlist.signal }

// Depth is the number of waiting events.
func (t *table) Depth(ctx context.Context) (int, error) {
	if err := t.db.enter(ctx); err != nil {
		return 0, err
	}
	defer t.db.leave()
	return t.waitlist.size(), nil
}

// addEvents numbers a document's new events and writes them. It runs in the writer; what it returns waits once that has committed.
func (t *table) addEvents(s *session, document string, events []store.Event) ([]waitingEvent, error) {
	list := make([]waitingEvent, len(events))
	for i, e := range events {
		t.sequence++
		list[i] = waitingEvent{sequence: t.sequence, document: document, Event: e}
		if _, err := s.exec(t.sql.addEvent, t.sequence, document, e.ID, e.Body); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// dropEvents removes what waits of a document, and tells how much that was.
func (t *table) dropEvents(s *session, document string) (int64, error) {
	if !t.waitlist.mayHave(document, t.sequence) {
		return 0, nil
	}
	return s.exec(t.sql.dropEvents, document)
}

// contains tells whether a list of events has one of this id.
func contains(list []store.Event, id string) bool {
	return slices.ContainsFunc(list, func(e store.Event) bool { return e.ID == id })
}
