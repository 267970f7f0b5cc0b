package prove

import (
	"cmp"
	"context"
	"slices"
)

// entry is a line of the log as the API shows it.
type entry struct {
	ID         string `json:"id"`
	EntityType string `json:"entity_type"`
	EntityID   string `json:"entity_id"`
	Action     string `json:"action"`
	TraceID    string `json:"trace_id"`
	Version    int64  `json:"version"`
}

// change is what happened to a consignment in one of its versions.
type change struct {
	version int64
	action  string
}

// history is what the log says of a consignment, in any order. A change that is logged twice is in it twice.
type history []change

// expected are the changes that the log must have of a consignment that ended in a state, in order. A booking that is
// cancelled while it is RECEIVED was never confirmed; one that was answered with success was.
func expected(state string, confirmed bool) []string {
	switch state {
	case "RECEIVED":
		return []string{"received"}
	case "CONFIRMED":
		return []string{"received", "confirmed"}
	case "REJECTED":
		return []string{"received", "rejected"}
	case "COMPLETED":
		return []string{"received", "confirmed", "completed"}
	case "CANCELLED":
		if confirmed {
			return []string{"received", "confirmed", "cancelled"}
		}
		return []string{"received", "cancelled"}
	}
	return nil
}

// logs reads what the log says of all consignments.
func (a *audit) logs(ctx context.Context) error {
	return a.eachShipper(func(p *person) error {
		return walk(ctx, a.client, p.token, "/logs", nil, "entries", func(e *entry) (string, error) {
			if e.EntityType == "consignment" {
				a.logged(p, e)
			}
			return e.ID, nil
		}, repeatedLog)
	})
}

// logged takes note of an entry that a shipper is shown.
func (a *audit) logged(p *person, e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sights[e.EntityID]
	if s == nil {
		a.now.add(lost, "the log says that consignment %s of %s was %s, but it is not there (trace %s)", e.EntityID, p.name, e.Action, e.TraceID)
		return
	}
	c := change{e.Version, e.Action}
	if slices.Contains(s.logged, c) {
		a.now.add(repeatedLog, "consignment %s: %q in version %d is logged twice, the second time as entry %s (trace %s)", s.id, e.Action, e.Version, e.ID, e.TraceID)
		return
	}
	s.logged = append(s.logged, c)
}

// histories holds what the log says of each consignment against its state: every change once, in order, from version 1 to at
// most the consignment's own. Between them a consignment may have versions that concern nobody, and so have no entry.
func (a *audit) histories() {
	for _, s := range a.sights {
		trace, confirmed := traceID{}, s.logged.has("confirmed")
		if s.of != nil {
			trace = s.of.trace
			confirmed = confirmed || s.of.booking == success
		}
		want := expected(s.state, confirmed)
		complete := true
		for _, action := range want {
			if !s.logged.has(action) {
				complete = false
				a.now.add(missingLog, "consignment %s is %s, but %q is not in the log, which has %v (trace %s)", s.id, s.state, action, s.logged, trace)
			}
		}
		slices.SortFunc(s.logged, func(x, y change) int { return cmp.Compare(x.version, y.version) })
		if complete && !s.logged.explains(want, s.version) {
			a.now.add(wrongAnswer, "consignment %s is %s in version %d, which does not follow from the log: %v (trace %s)", s.id, s.state, s.version, s.logged, trace)
		}
	}
}

// explains tells whether a history is of certain changes, in this order and no others, from version 1 to at most a last one.
func (h history) explains(actions []string, last int64) bool {
	if len(h) != len(actions) || h[0].version != 1 || h[len(h)-1].version > last {
		return false
	}
	for i, c := range h {
		if c.action != actions[i] || i > 0 && c.version == h[i-1].version {
			return false
		}
	}
	return true
}

// has tells whether there is a change of a kind.
func (h history) has(action string) bool {
	return slices.ContainsFunc(h, func(c change) bool { return c.action == action })
}
