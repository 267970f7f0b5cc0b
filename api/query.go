package api

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
)

// maxCursor bounds a cursor in bytes. Ours are far shorter; they are opaque here.
const maxCursor = 1024

// readQuery parses the query and refuses parameters that the route does not take, and those given twice: which of the two
// was meant?
func (r *request) readQuery(params []string) {
	values, err := url.ParseQuery(r.http.URL.RawQuery)
	if err != nil {
		r.found.add("query", rule.Format, "is not a well-formed query string")
	}
	r.query = values
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !slices.Contains(params, name):
			r.found.add(strings.ToValidUTF8(name, "\uFFFD"), rule.Unknown, "is not a parameter of this path")
		case len(values[name]) > 1:
			r.found.add(name, rule.Unique, "is there twice")
		}
	}
}

// limit is the size of a page, 0 when it is not given.
func (r *request) limit() int32 {
	if !r.query.Has("limit") {
		return 0
	}
	text := r.query.Get("limit")
	if text == "" || strings.Trim(text, "0123456789") != "" {
		r.found.add("limit", rule.Type, "must be a whole number from 1 to %d", rule.MaxPage)
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 || n > rule.MaxPage {
		r.found.add("limit", rule.Range, "must be from 1 to %d", rule.MaxPage)
		return 0
	}
	return int32(n)
}

// cursor is where a page begins; an empty one begins the list.
func (r *request) cursor() string {
	text := r.query.Get("cursor")
	if len(text) > maxCursor || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.found.add("cursor", rule.Format, "is not a cursor that a list gave out")
	}
	return text
}

// filter is the value of a parameter that narrows a list, empty when it is not given. Given and empty it is refused, since
// it would narrow nothing.
func (r *request) filter(name string) string {
	text := r.query.Get(name)
	if r.query.Has(name) && !rule.PlausibleID(text) {
		r.found.add(name, rule.Format, "must be 1 to 128 letters, digits, or any of -_.:")
	}
	return text
}

// port is a UN/LOCODE, empty when it is not given. What it holds is for the rules to check.
func (r *request) port(name string) string {
	text := r.query.Get(name)
	if r.query.Has(name) && text == "" {
		r.found.add(name, rule.Format, "must be a UN/LOCODE such as NLRTM")
	}
	return text
}

// count is a whole number from 0 to most, 0 when it is not given.
func (r *request) count(name string, most int32) int32 {
	if !r.query.Has(name) {
		return 0
	}
	text := r.query.Get(name)
	if text == "" || strings.Trim(text, "0123456789") != "" {
		r.found.add(name, rule.Type, "must be a whole number from 0 to %d", most)
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n > int64(most) {
		r.found.add(name, rule.Range, "must be from 0 to %d", most)
		return 0
	}
	return int32(n)
}

// moment is a point in time, nil when it is not given.
func (r *request) moment(name string) *timestamppb.Timestamp {
	if !r.query.Has(name) {
		return nil
	}
	t, ok := parseTime(r.query.Get(name))
	if !ok {
		r.found.add(name, rule.Format, "must be an RFC 3339 time such as 2030-01-31T15:04:05Z")
		return nil
	}
	return timestamppb.New(t)
}

// flag is true or false, nil when it is not given.
func (r *request) flag(name string) *bool {
	if !r.query.Has(name) {
		return nil
	}
	yes := r.query.Get(name) == "true"
	if !yes && r.query.Get(name) != "false" {
		r.found.add(name, rule.Choice, "must be true or false")
		return nil
	}
	return &yes
}

// state is the consignment state to narrow a list to, unspecified when it is not given.
func (r *request) state() consignmentpb.State {
	if !r.query.Has("state") {
		return consignmentpb.State_STATE_UNSPECIFIED
	}
	state := consignmentpb.State(consignmentpb.State_value[r.query.Get("state")])
	if state == consignmentpb.State_STATE_UNSPECIFIED {
		r.found.add("state", rule.Choice, "must be RECEIVED, CONFIRMED, REJECTED, CANCELLED or COMPLETED")
	}
	return state
}
