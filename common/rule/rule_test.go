package rule_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
)

// broken renders findings as "field rule", the part of them that programs rely on.
func broken(fields []fault.Field) []string {
	var list []string
	for _, f := range fields {
		list = append(list, f.Name+" "+f.Rule)
	}
	return list
}

func expect(t *testing.T, got []fault.Field, want ...string) {
	t.Helper()
	if !slices.Equal(broken(got), want) {
		t.Errorf("findings %q, want %q", broken(got), want)
	}
	for _, f := range got {
		if f.Message == "" {
			t.Errorf("%s %s has no message", f.Name, f.Rule)
		}
	}
}

// change returns a changed copy of a message that is fine.
func change[M proto.Message](good M, edit func(M)) M {
	m := proto.Clone(good).(M)
	edit(m)
	return m
}

func TestPageLimit(t *testing.T) {
	for _, c := range []struct {
		limit int32
		fine  bool
		items int
	}{
		{0, true, 50}, {1, true, 1}, {200, true, 200},
		{-1, false, 50}, {201, false, 200}, {1<<31 - 1, false, 200}, {-1 << 31, false, 50},
	} {
		if got := len(rule.Page(c.limit)) == 0; got != c.fine {
			t.Errorf("Page(%d) fine = %v, want %v", c.limit, got, c.fine)
		}
		if got := rule.PageLimit(c.limit); got != c.items {
			t.Errorf("PageLimit(%d) = %d, want %d", c.limit, got, c.items)
		}
	}
}

func TestPlausibleID(t *testing.T) {
	for id, want := range map[string]bool{
		"0198c0de-7a2b-7c3d-8e4f-0123456789ab": true, "507f1f77bcf86cd799439011": true, "a": true, "A_b.c:d-9": true,
		"": false, "a b": false, "a/b": false, "../x": false, "é": false, "a\x00": false, "\xff": false, "<script>": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if got := rule.PlausibleID(id); got != want {
			t.Errorf("PlausibleID(%q) = %v, want %v", id, got, want)
		}
	}
}
