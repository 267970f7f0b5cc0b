package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql
)

// session is one connection to the file with its prepared statements. It is for one goroutine at a time. Statements run
// without a context: all are short, and breaking one off would cost the connection.
type session struct {
	db         *sql.DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

// openWriter opens the connection that may write. The log is synced at every commit (synchronous=FULL): that is the
// durability the store promises. Small checkpoints keep the log in its first megabytes, where syncing is cheapest because the
// file need not grow.
func openWriter(path string) (*session, error) {
	return openSession(path, url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(2000)", "cache_size(-16384)",
	}})
}

// layout is the number of the tables' present form, which every file carries (SQLite's user_version).
const layout = 3

// prepare makes a new file ready, and refuses one whose tables have another form.
func (s *session) prepare() error {
	var found, tables int
	if err := s.row(`PRAGMA user_version`, nil, &found); err != nil {
		return err
	}
	if err := s.row(`SELECT count(*) FROM sqlite_master`, nil, &tables); err != nil {
		return err
	}
	if tables > 0 && found != layout {
		return fmt.Errorf("its documents are in form %d, which another version of Fairway wrote; this one reads form %d", found, layout)
	}
	for _, statement := range []string{
		fmt.Sprintf(`PRAGMA user_version = %d`, layout),
		`CREATE TABLE IF NOT EXISTS health (one INTEGER PRIMARY KEY, at INTEGER)`,
	} {
		if _, err := s.exec(statement); err != nil {
			return err
		}
	}
	return nil
}

func openReader(path string) (*session, error) {
	return openSession(path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}})
}

func openSession(path string, params url.Values) (*session, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &session{db: db, conn: conn, statements: make(map[string]*sql.Stmt)}, nil
}

func (s *session) statement(query string) (*sql.Stmt, error) {
	if st, ok := s.statements[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s.statements[query] = st
	return st, nil
}

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(query string, args ...any) (int64, error) {
	st, err := s.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := st.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads the only row into dest. Errors: sql.ErrNoRows.
func (s *session) row(query string, args []any, dest ...any) error {
	st, err := s.statement(query)
	if err != nil {
		return err
	}
	return st.QueryRow(args...).Scan(dest...)
}

// rows calls scan for every row.
func (s *session) rows(query string, args []any, scan func(*sql.Rows) error) error {
	st, err := s.statement(query)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *session) close() error {
	var errs []error
	for _, st := range s.statements {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.conn.Close(), s.db.Close())...)
}
