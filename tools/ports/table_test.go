package main

import (
	"strings"
	"testing"
)

var shanghai = map[string]sourcePort{"CNSHA": {Name: "Shanghai", Country: "China", Coordinates: []float64{121.474, 31.23}, Timezone: "Asia/Shanghai"}}

const titles = "code,name,latitude,longitude,time_zone,aliases,reason\n"

func TestTheCurationMendsTheSource(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"as it is", "CNSHA,,,,,,", "CNSHA,Shanghai,China,31.23,121.474,Asia/Shanghai,"},
		{"mended", "CNSHA,Yangshan,30.62,122.06,Asia/Urumqi,CNSHG,because", "CNSHA,Yangshan,China,30.62,122.06,Asia/Urumqi,CNSHG"},
		{"a renamed zone", "CNSHA,,,,Asia/Saigon,,because", "CNSHA,Shanghai,China,31.23,121.474,Asia/Ho_Chi_Minh,"},
		{"a port that the source lacks", "CNYTN,Yantian,22.57,114.27,Asia/Shanghai,,because", "CNYTN,Yantian,China,22.57,114.27,Asia/Shanghai,"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			picks, err := readCuration([]byte(titles + tt.line + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := merge(picks, shanghai)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(format(rows)); !strings.HasSuffix(got, "\n"+tt.want+"\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, tt := range []struct{ name, lines, want string }{
		{"no reason", "CNSHA,,31,121,,,\n", "without a reason"},
		{"half a position", "CNSHA,,31,,,,because\n", "longitude"},
		{"no order", "CNYTN,,,,,,\nCNSHA,,,,,,\n", "order"},
		{"an alias twice", "CNSHA,,,,,CNSHG CNSHG,\n", "twice"},
		{"no code", "CNSH1,,,,,,\n", "UN/LOCODE"},
		{"no position anywhere", "CNYTN,Yantian,,,Asia/Shanghai,,because\n", "CNYTN: no position"},
		{"no zone anywhere", "CNYTN,Yantian,22.57,114.27,,,because\n", "CNYTN: no time zone"},
		{"no such zone", "CNSHA,,,,Asia/Atlantis,,because\n", "Asia/Atlantis"},
		{"off the globe", "CNSHA,,121,31,,,because\n", "no position"},
		{"no country", "XXSHA,Nowhere,1,1,Asia/Shanghai,,because\n", "country"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			picks, err := readCuration([]byte(titles + tt.lines))
			if err == nil {
				_, err = merge(picks, shanghai)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
