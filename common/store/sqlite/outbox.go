package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// Claim gives documents with waiting events, those that waited longest first. It writes nothing: the claims of the only
// process there is may end with it.
func (t *table) Claim(ctx context.Context, limit int, lease time.Duration) ([]store.Waiting, error) {
	if err := t.db.enter(ctx); err != nil {
		return nil, err
	}
	defer t.db.leave()
	if limit < 1 || t.depth.Load() == 0 {
		return nil, nil
	}
	return t.claims.take(lease, func(claimed []string) ([]store.Waiting, error) {
		passed, err := json.Marshal(claimed)
		if err != nil {
			return nil, err
		}
		var list []store.Waiting
		err = t.db.lend(ctx, func(s *session) error {
			return s.rows(t.sql.waiting, []any{string(passed), limit}, func(rows *sql.Rows) error {
				var (
					w      store.Waiting
					outbox []byte
				)
				if err := rows.Scan(&w.DocumentID, &outbox); err != nil {
					return err
				}
				events, err := decodeEvents(outbox)
				for _, e := range events {
					w.Events = append(w.Events, e.Event)
				}
				list = append(list, w)
				return err
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
	var emptied int64
	w := &write{applied: func() { t.depth.Add(-emptied) }}
	w.apply = func(s *session) error {
		emptied = 0
		for _, d := range done {
			empty, err := t.settle(s, d)
			if err != nil {
				return fmt.Errorf("settle %s: %w", d.DocumentID, err)
			}
			if empty {
				emptied++
			}
		}
		return nil
	}
	if slices.ContainsFunc(done, func(d store.Waiting) bool { return len(d.Events) > 0 }) {
		if err := t.db.writer.do(ctx, w); err != nil {
			return err
		}
	}
	t.claims.end(done)
	if t.depth.Load() > 0 {
		t.claims.wake()
	}
	return nil
}

// settle takes the events of d out of their document and tells whether those were the last.
func (t *table) settle(s *session, d store.Waiting) (empty bool, err error) {
	if len(d.Events) == 0 {
		return false, nil
	}
	var outbox []byte
	err = s.row(t.sql.outbox, []any{d.DocumentID}, &outbox)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	events, err := decodeEvents(outbox)
	if err != nil {
		return false, err
	}
	settled := make(map[string]bool, len(d.Events))
	for _, e := range d.Events {
		settled[e.ID] = true
	}
	left := slices.DeleteFunc(events, func(e waitingEvent) bool { return settled[e.ID] })
	var waiting any
	if len(left) > 0 {
		waiting = left[0].sequence
	}
	_, err = s.exec(t.sql.settle, waiting, encodeEvents(nil, left), d.DocumentID)
	return len(left) == 0, err
}

// Signal receives when there may be something to claim.
func (t *table) Signal() <-chan struct{} { return t.claims.signal }

// Depth is the number of documents with waiting events.
func (t *table) Depth(ctx context.Context) (int, error) {
	if err := t.db.enter(ctx); err != nil {
		return 0, err
	}
	defer t.db.leave()
	return int(t.depth.Load()), nil
}

// appendEvents gives new events their sequence numbers and adds them to an encoded outbox. It returns the number of the first
// one, or nil when there is none. Numbers follow the clock, so that they keep rising over restarts.
func (t *table) appendEvents(outbox []byte, events []store.Event) (first any, encoded []byte) {
	if len(events) == 0 {
		return nil, outbox
	}
	t.sequence = max(t.sequence+1, t.db.now().UnixNano())
	first = t.sequence
	added := make([]waitingEvent, len(events))
	for i, e := range events {
		added[i] = waitingEvent{t.sequence, e}
		t.sequence++
	}
	return first, encodeEvents(outbox, added)
}

// waitingChanged counts a document after a write: whether it had waiting events before, and whether it has some now.
func (t *table) waitingChanged(had, has bool) {
	if has && !had {
		t.depth.Add(1)
	}
	if had && !has {
		t.depth.Add(-1)
	}
	if has {
		t.claims.wake()
	}
}
