package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/common/rule"
)

// maxPages ends a list whose cursors never do.
const maxPages = 10_000

// pages says how much of a list is wanted.
type pages struct {
	all    bool
	limit  int
	cursor string
}

func (p *pages) attach(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&p.all, "all", false, "follow the list to its end")
	f.IntVar(&p.limit, "limit", rule.DefaultPage, "most items to list")
	f.StringVar(&p.cursor, "cursor", "", "go on where an earlier list stopped (its next_cursor)")
}

// fetch follows a list until it has enough. Next is the cursor of what is left, empty when nothing is.
func (p pages) fetch(ctx context.Context, c *client, path, key string, filter url.Values) (items []json.RawMessage, next string, err error) {
	next = p.cursor
	for range maxPages {
		query := url.Values{}
		for name, values := range filter {
			query[name] = values
		}
		size := rule.MaxPage
		if !p.all {
			size = min(size, p.limit-len(items))
		}
		query.Set("limit", strconv.Itoa(size))
		if next != "" {
			query.Set("cursor", next)
		}
		data, err := c.get(ctx, path, query)
		if err != nil {
			return nil, "", err
		}
		answer, err := decode[members](data)
		if err != nil {
			return nil, "", err
		}
		page, err := decode[[]json.RawMessage](answer.or(key, "[]"))
		if err != nil {
			return nil, "", err
		}
		if len(page) > size {
			return nil, "", fmt.Errorf("the answer has %d items, %d were asked for", len(page), size)
		}
		items = append(items, page...)
		last := next
		if next, err = decode[string](answer.or("next_cursor", `""`)); err != nil {
			return nil, "", err
		}
		if next == "" || !p.all && len(items) >= p.limit {
			return items, next, nil
		}
		if next == last {
			return nil, "", fmt.Errorf("the list does not advance beyond cursor %q", next)
		}
	}
	return nil, "", fmt.Errorf("the list has more than %d pages", maxPages)
}

// printList fetches and prints a list. People are told when it is empty, beside the results, where there is nothing to print.
func printList[T any](cmd *cobra.Command, r *remote, p pages, path, key string, filter url.Values, columns []column[T]) error {
	if err := exclude(cmd, "all", "limit"); err != nil {
		return err
	}
	if !p.all && p.limit < 1 {
		return usageError("--limit must be at least 1")
	}
	c, err := r.signedIn()
	if err != nil {
		return err
	}
	defer c.close()
	raw, next, err := p.fetch(cmd.Context(), c, path, key, filter)
	if err != nil {
		return err
	}
	if r.asJSON() {
		answer := map[string]any{key: append([]json.RawMessage{}, raw...)}
		if next != "" {
			answer["next_cursor"] = next
		}
		data, err := encode(answer)
		if err != nil {
			return err
		}
		return printJSON(r.streams.Out, data)
	}
	if len(raw) == 0 {
		_, err := fmt.Fprintln(r.streams.Err, "nothing found")
		return err
	}
	items := make([]T, len(raw))
	for i := range raw {
		if items[i], err = decode[T](raw[i]); err != nil {
			return err
		}
	}
	if err := printTable(r.streams.Out, items, columns); err != nil {
		return err
	}
	if next != "" {
		fmt.Fprintln(r.streams.Err, "There are more: --all lists them.")
	}
	return nil
}
