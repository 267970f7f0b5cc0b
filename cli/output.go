package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// column is one property of a T as people see it.
type column[T any] struct {
	title string
	value func(T) string
	// rare: shown only on a thing that has it, and not in tables.
	rare bool
	// whole: never shortened in tables, because other commands take it.
	whole bool
}

// printJSON writes the gateway's own JSON, indented.
func printJSON(w io.Writer, data []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(data), "", "  "); err != nil {
		return fmt.Errorf("indent the answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(cleanJSON(b.Bytes()))
	return err
}

// printTable writes one line per item below the titles.
func printTable[T any](w io.Writer, items []T, columns []column[T]) error {
	columns = slices.DeleteFunc(slices.Clone(columns), func(c column[T]) bool { return c.rare })
	rows := [][]string{make([]string, len(columns))}
	for i, c := range columns {
		rows[0][i] = c.title
	}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = clean(c.value(item))
			if !c.whole {
				row[i] = shorten(row[i])
			}
		}
		rows = append(rows, row)
	}
	return printRows(w, rows)
}

// printRecord writes one line per column, for a single item.
func printRecord[T any](w io.Writer, item T, columns []column[T]) error {
	var rows [][]string
	for _, c := range columns {
		if value := clean(c.value(item)); value != "" || !c.rare {
			rows = append(rows, []string{c.title, value})
		}
	}
	return printRows(w, rows)
}

// shorten keeps a table's line readable; -o json has the whole text.
func shorten(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// printRows aligns cells and writes all of them at once. An empty cell is shown as a dash.
func printRows(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 1)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// decode reads a part of an answer that people are shown.
func decode[T any](data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("the answer is not as expected: %w", err)
	}
	return v, nil
}

// encode writes JSON as the gateway does, which leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// members is a JSON object whose members are not yet decoded.
type members map[string]json.RawMessage

// or gives a member, or another value where it is missing.
func (m members) or(key, missing string) []byte {
	if value, ok := m[key]; ok {
		return value
	}
	return []byte(missing)
}
