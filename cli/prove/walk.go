package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
)

// errEnough ends a walk before the end of its list.
var errEnough = errors.New("enough")

// walk goes through a list to its end, in the largest pages there are. See is given every item and returns its id. An item
// that is met twice is a finding of the kind that is given. Pages are asked for until they are answered or ctx ends.
func walk[T any](ctx context.Context, c *client, token, path string, filter url.Values, list string, see func(*T) (string, error), twice kind) error {
	query := url.Values{"limit": {"200"}}
	for name, values := range filter {
		query[name] = values
	}
	seed := maphash.MakeSeed()
	seen := map[uint64]struct{}{} // hashes, as long lists have many ids
	for {
		r := request{method: http.MethodGet, path: path + "?" + query.Encode(), token: token}
		a := c.patiently(ctx, r)
		if a.status != http.StatusOK {
			return fmt.Errorf("%s: status %d, want 200 (trace %s): %s", r, a.status, a.trace, clean(a.text()))
		}
		items, next, err := page[T](a, list)
		if err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
		for i := range items {
			id, err := see(&items[i])
			if errors.Is(err, errEnough) {
				return nil
			}
			if err != nil {
				return err
			}
			hash := maphash.String(seed, id)
			if _, again := seen[hash]; again {
				c.found.add(twice, "%s: item %s is listed twice (trace %s)", r, id, a.trace)
			}
			seen[hash] = struct{}{}
		}
		if next == "" {
			return nil
		}
		if next == query.Get("cursor") {
			return fmt.Errorf("%s: the list does not advance (trace %s)", r, a.trace)
		}
		query.Set("cursor", next)
	}
}

// page reads one page of a list.
func page[T any](a answer, list string) (items []T, next string, err error) {
	var members map[string]json.RawMessage
	if err := a.decode(&members); err != nil {
		return nil, "", err
	}
	raw, ok := members[list]
	if !ok {
		return nil, "", fmt.Errorf("the answer has no %s (trace %s)", list, a.trace)
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, "", fmt.Errorf("%s cannot be read (trace %s): %w", list, a.trace, err)
	}
	if cursor, ok := members["next_cursor"]; ok {
		if err := json.Unmarshal(cursor, &next); err != nil {
			return nil, "", fmt.Errorf("next_cursor cannot be read (trace %s): %w", a.trace, err)
		}
	}
	return items, next, nil
}
