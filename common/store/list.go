package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"iter"
)

// List asks for a page of documents.
type List[T any] struct {
	// Index and Match choose the documents as in Query; without an index all are meant, in the order of their ids.
	Index, Match string
	Descending   bool
	From, Until  string
	// Where drops documents that do not fit; nil keeps all.
	Where func(*T) bool
	// Scan is about the most documents that Where sees for a page, 5,000 where it is 0.
	Scan int
	// Limit is the most that a page holds, 1 to 1,000.
	Limit int
	// Cursor continues where the page that gave it ended.
	Cursor string
}

// Page is a page of documents. Next is empty on the last one. A page can hold fewer than the limit, even none, and still
// have a next: when its documents are large, or when Where had to pass over many.
type Page[T any] struct {
	Items []Document[T]
	Next  string
}

const (
	// defaultScan bounds what one page may read, so that a filter that fits nothing stays cheap.
	defaultScan = 5_000
	// maxPageBytes ends a page early: a list of large documents must neither fill the memory nor outgrow an RPC message.
	maxPageBytes = 1 << 20
	// step is the most documents that are read at once.
	step = 64
)

// Find returns a page. Walking pages by their cursors neither repeats nor skips a document that matched throughout.
// Errors: ErrCursor.
func (c *Collection[T]) Find(ctx context.Context, l List[T]) (Page[T], error) {
	var page Page[T]
	if l.Limit < 1 || l.Limit > MaxBatch {
		return page, c.wrap("find", fmt.Errorf("limit %d: want 1 to %d", l.Limit, MaxBatch))
	}
	query := Query{Index: l.Index, Match: l.Match, Descending: l.Descending, From: l.From, Until: l.Until}
	after, err := l.decode(c.spec.Name)
	if err != nil {
		return page, c.wrap("find", err)
	}
	query.After = after
	last := after // where the page ends, if it has to
	scan := cmp.Or(l.Scan, defaultScan)
	for scanned, size, ahead := 0, 0, 2; ; ahead = min(2*ahead, step) {
		// One more than fits tells whether there is a next page; with a filter, read ahead, the further the less fits.
		query.Limit = min(l.Limit-len(page.Items)+1, step)
		if l.Where != nil {
			query.Limit = min(query.Limit*ahead, step)
		}
		found, err := c.table.Find(ctx, query)
		if err != nil {
			return page, c.wrap("find", err)
		}
		for _, f := range found {
			doc, err := c.document(f.Record)
			if err != nil {
				return page, err
			}
			doc.Order = f.At.Order
			if l.Where == nil || l.Where(&doc.Value) {
				if len(page.Items) == l.Limit || size >= maxPageBytes {
					// Not where the scan stands: a cursor tells its reader nothing of documents that Where kept from them.
					page.Next = l.encode(c.spec.Name, last)
					return page, nil
				}
				page.Items = append(page.Items, doc)
				size += len(f.Body)
				last = f.At
			}
			query.After = f.At
		}
		scanned += len(found)
		if len(found) < query.Limit {
			return page, nil
		}
		if scanned >= scan {
			page.Next = l.encode(c.spec.Name, query.After)
			return page, nil
		}
	}
}

// Pages walks all pages. It ends with the last page, or with an error, of which there is one at most.
func (c *Collection[T]) Pages(ctx context.Context, l List[T]) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		for {
			page, err := c.Find(ctx, l)
			if !yield(page, err) || err != nil || page.Next == "" {
				return
			}
			l.Cursor = page.Next
		}
	}
}

// cursor is a position bound to its query, so that a cursor of one list is refused by another instead of misread.
type cursor struct {
	Position
	Sum uint32 `json:"s"`
}

func (l List[T]) sum(collection string) uint32 {
	direction := "up"
	if l.Descending {
		direction = "down"
	}
	text, _ := json.Marshal([]string{collection, l.Index, l.Match, l.From, l.Until, direction})
	return crc32.ChecksumIEEE(text)
}

func (l List[T]) encode(collection string, at Position) string {
	text, _ := json.Marshal(cursor{Position: at, Sum: l.sum(collection)})
	return base64.RawURLEncoding.EncodeToString(text)
}

func (l List[T]) decode(collection string) (Position, error) {
	if l.Cursor == "" {
		return Position{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(l.Cursor)
	if err != nil {
		return Position{}, ErrCursor
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil || c.Sum != l.sum(collection) || c.ID == "" {
		return Position{}, ErrCursor
	}
	return c.Position, nil
}
