package port

import (
	"strings"
	"testing"
)

func TestDamagedTablesAreRefused(t *testing.T) {
	const title = "code,name,country,latitude,longitude,time_zone,aliases\n"
	const good = "CNSHA,Shanghai,China,31.35,121.6,Asia/Shanghai,CNSGH CNSHG\n"
	if _, err := parse("# a comment\n" + title + good); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "columns"},
		{"no titles", good, "columns"},
		{"a cell too few", title + "CNSHA,Shanghai\n", "wrong number of fields"},
		{"a short code", title + strings.Replace(good, "CNSHA,", "CN,", 1), "2 letters"},
		{"no latitude", title + strings.Replace(good, "31.35", "", 1), "latitude"},
		{"no longitude", title + strings.Replace(good, "121.6", "east", 1), "longitude"},
		{"a port twice", title + good + good, "order"},
		{"an alias that is a port", title + good + strings.Replace(good, "CNSHA,", "CNSHG,", 1), "twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
