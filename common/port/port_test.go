package port_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that zones are judged alike on every machine

	"github.com/fairwayfreight/fairway/common/port"
)

func TestTableIsLargeAndOrdered(t *testing.T) {
	all := slices.Collect(port.All())
	if len(all) < 150 {
		t.Errorf("%d ports", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b port.Port) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the ports are not in the order of their codes")
	}
	for p := range port.All() {
		if p.Code != all[0].Code {
			t.Errorf("the first port is %s, then %s", all[0].Code, p.Code)
		}
		break
	}
}

func TestEveryCodeBelongsToOnePort(t *testing.T) {
	locode := regexp.MustCompile(`^[A-Z]{2}[A-Z2-9]{3}$`)
	owner := make(map[string]string)
	for p := range port.All() {
		for _, code := range append([]string{p.Code}, p.Aliases...) {
			if !locode.MatchString(code) {
				t.Errorf("%s: %q is not a UN/LOCODE", p.Code, code)
			}
			if code[:2] != p.Country {
				t.Errorf("%s: %s is in another country", p.Code, code)
			}
			if other, taken := owner[code]; taken {
				t.Errorf("%s belongs to %s and to %s", code, other, p.Code)
			}
			owner[code] = p.Code
			if found, ok := port.Lookup(code); !ok || found.Code != p.Code {
				t.Errorf("%s leads to %q, not to %s", code, found.Code, p.Code)
			}
			if canonical := port.Canonical(code); canonical != p.Code {
				t.Errorf("%s is the same as %s, not %s", code, canonical, p.Code)
			}
		}
	}
}

func TestNamesCanBeTyped(t *testing.T) {
	names := make(map[string]string)
	for p := range port.All() {
		for _, text := range []string{p.Name, p.CountryName} {
			if text == "" || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s: %q", p.Code, text)
			}
		}
		if name, ok := names[p.Country]; ok && name != p.CountryName {
			t.Errorf("%s is called %s and %s", p.Country, name, p.CountryName)
		}
		names[p.Country] = p.CountryName
	}
}

func TestCodesOfOnePlaceAreOnePort(t *testing.T) {
	for code, want := range map[string]string{
		"CNSHA": "CNSHA", "CNSHG": "CNSHA", "CNSGH": "CNSHA", // airport, port and town of Shanghai in the list
		"CNNGB": "CNNGB", "CNNBG": "CNNGB", "CNNBO": "CNNGB", // and of Ningbo
		"CNXMG": "CNXMN", "IDTPP": "IDJKT", "TRAMB": "TRAMR",
		"USLGB": "USLGB", "CNYTN": "CNYTN", // neighbours of another port, but ports of their own
		"AQZZZ": "AQZZZ", "cnshg": "cnshg", "": "", "no code": "no code", // not in the table
	} {
		if got := port.Canonical(code); got != want {
			t.Errorf("%q is the same as %q, want %q", code, got, want)
		}
	}
	for _, code := range []string{"AQZZZ", "cnsha", "", "CNSH", "CNSHAA"} {
		if p, ok := port.Lookup(code); ok {
			t.Errorf("%q is %+v", code, p)
		}
	}
}

func TestCallersCannotChangeTheTable(t *testing.T) {
	p, _ := port.Lookup("CNSHA")
	p.Aliases[0] = "XXXXX"
	for q := range port.All() {
		for i := range q.Aliases {
			q.Aliases[i] = "XXXXX"
		}
	}
	if p, _ := port.Lookup("CNSHA"); slices.Contains(p.Aliases, "XXXXX") {
		t.Errorf("%+v", p)
	}
}

// These positions do not come from the source of the table.
func TestPortsAreWhereTheyAre(t *testing.T) {
	for code, at := range map[string][2]float64{
		// A wrong sign would move these too little for their time zone to show it.
		"BRPEC": {-3.53, -38.80}, "CIABJ": {5.29, -4.01}, "ECGYE": {-2.28, -79.90}, "ESVLC": {39.44, -0.32}, "FRLEH": {49.47, 0.15},
		"GHTEM": {5.63, 0.01}, "IEDUB": {53.35, -6.20}, "KEMBA": {-4.05, 39.63}, "MACAS": {33.61, -7.61}, "TGLFW": {6.14, 1.28},

		"AUMEL": {-37.82, 144.92}, "BRSSZ": {-23.95, -46.30}, "CLVAP": {-33.03, -71.62}, "CNSHA": {31.35, 121.60}, "CNYTN": {22.58, 114.27},
		"DEHAM": {53.53, 9.93}, "EGEDK": {31.14, 29.80}, "FJSUV": {-18.13, 178.43}, "GBFXT": {51.95, 1.31}, "INNSA": {18.95, 72.95},
		"KRPUS": {35.10, 129.04}, "MXLZC": {17.94, -102.18}, "NLRTM": {51.95, 4.14}, "PAMIT": {9.36, -79.88}, "REPDG": {-20.93, 55.29},
		"SGSIN": {1.27, 103.83}, "TRAMR": {40.97, 28.69}, "USLAX": {33.74, -118.26}, "USNYC": {40.67, -74.08}, "ZADUR": {-29.87, 31.02},
	} {
		p, ok := port.Lookup(code)
		if !ok {
			t.Errorf("%s is missing", code)
			continue
		}
		if d := kilometres(p.Latitude, p.Longitude, at[0], at[1]); d > 20 {
			t.Errorf("%s is %.0f km from %v", code, d, at)
		}
	}
}

// Swapped coordinates, a forgotten sign and a zone of another continent all show as a sun that is hours early or late.
func TestZonesFitThePositions(t *testing.T) {
	january := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	july := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
	for p := range port.All() {
		if math.Abs(p.Latitude) > 72 || math.Abs(p.Longitude) > 180 {
			t.Errorf("%s is at %v, %v", p.Code, p.Latitude, p.Longitude)
		}
		zone, err := time.LoadLocation(p.TimeZone)
		if err != nil || p.TimeZone == "" || p.TimeZone == "Local" || p.TimeZone == "UTC" {
			t.Errorf("%s has zone %q: %v", p.Code, p.TimeZone, err)
			continue
		}
		_, winter := january.In(zone).Zone()
		_, summer := july.In(zone).Zone()
		// Two zones a day apart have the sun at the same hour.
		apart := math.Remainder(float64(min(winter, summer))/3600-p.Longitude/15, 24)
		if math.Abs(apart) > 1.8 {
			t.Errorf("%s is %.1f hours away from its zone %s", p.Code, apart, p.TimeZone)
		}
	}
}

// Countries with several zones, and those that their ports may have.
var severalZones = map[string][]string{
	"AU": {"Australia/Adelaide", "Australia/Brisbane", "Australia/Melbourne", "Australia/Perth", "Australia/Sydney"},
	"BR": {"America/Bahia", "America/Fortaleza", "America/Manaus", "America/Recife", "America/Sao_Paulo"},
	"CA": {"America/Halifax", "America/Moncton", "America/Toronto", "America/Vancouver"},
	"ES": {"Atlantic/Canary", "Europe/Madrid"},
	"MX": {"America/Mexico_City", "America/Monterrey", "America/Tijuana"},
	"MY": {"Asia/Kuala_Lumpur", "Asia/Kuching"},
	"RU": {"Asia/Vladivostok", "Europe/Moscow"},
	"US": {"America/Chicago", "America/Los_Angeles", "America/New_York", "Pacific/Honolulu"},
}

func TestZonesFitTheCountries(t *testing.T) {
	countries := make(map[string]string) // of each zone
	only := make(map[string]string)      // zone of a country that has one
	for p := range port.All() {
		if country, ok := countries[p.TimeZone]; ok && country != p.Country {
			t.Errorf("%s has %s, which is the zone of %s", p.Code, p.TimeZone, country)
		}
		countries[p.TimeZone] = p.Country
		if several, ok := severalZones[p.Country]; ok {
			if !slices.Contains(several, p.TimeZone) {
				t.Errorf("%s has %s", p.Code, p.TimeZone)
			}
			continue
		}
		if zone, ok := only[p.Country]; ok && zone != p.TimeZone {
			t.Errorf("%s has %s, another port of the country has %s", p.Code, p.TimeZone, zone)
		}
		only[p.Country] = p.TimeZone
	}
	for code, want := range map[string]string{
		"AUMEL": "Australia/Melbourne", "USOAK": "America/Los_Angeles", "BRMAO": "America/Manaus", "THBKK": "Asia/Bangkok",
		"CDMAT": "Africa/Kinshasa", "ARBUE": "America/Argentina/Buenos_Aires", "ESLPA": "Atlantic/Canary", "WSAPW": "Pacific/Apia",
	} {
		if p, _ := port.Lookup(code); p.TimeZone != want {
			t.Errorf("%s has %s, want %s", code, p.TimeZone, want)
		}
	}
}

// Two ports on one spot are one port twice, or one with the position of the other.
func TestNoTwoPortsAreOnOneSpot(t *testing.T) {
	all := slices.Collect(port.All())
	for i, p := range all {
		for _, q := range all[i+1:] {
			if d := kilometres(p.Latitude, p.Longitude, q.Latitude, q.Longitude); d < 0.5 {
				t.Errorf("%s and %s are %.1f km apart", p.Code, q.Code, d)
			}
		}
	}
}

func TestTableIsTheCurations(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "tools", "ports", "curation.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var curated, table []string
	for _, line := range lines[1:] {
		curated = append(curated, line[0]+" "+line[5])
		p, _ := port.Lookup(line[0])
		if line[2] != "" && (line[2] != degrees(p.Latitude) || line[3] != degrees(p.Longitude)) {
			t.Errorf("%+v is not at %s, %s", p, line[2], line[3])
		}
		if line[1] != "" && line[1] != p.Name || line[4] != "" && line[4] != p.TimeZone {
			t.Errorf("%+v is not %q", p, line)
		}
	}
	for p := range port.All() {
		table = append(table, p.Code+" "+strings.Join(p.Aliases, " "))
	}
	if !slices.Equal(curated, table) {
		t.Errorf("run tools/ports again:\n%q\n%q", curated, table)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, code := range []string{"CNSHG", "CNSHA", "cnsha", "AQZZZ", "", "\xff"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		canonical := port.Canonical(code)
		if again := port.Canonical(canonical); again != canonical {
			t.Fatalf("%q became %q, then %q", code, canonical, again)
		}
		p, ok := port.Lookup(code)
		if ok != (p.Code != "") || ok && p.Code != canonical || !ok && canonical != code {
			t.Fatalf("%q became %q and is %+v", code, canonical, p)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		port.Canonical("CNSHG")
	}
}

func degrees(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// kilometres is the distance on a sphere, by the haversine formula.
func kilometres(lat1, lon1, lat2, lon2 float64) float64 {
	const diameter, degree = 12742, math.Pi / 180
	a, b := math.Sin((lat2-lat1)*degree/2), math.Sin((lon2-lon1)*degree/2)
	return diameter * math.Asin(math.Sqrt(a*a+math.Cos(lat1*degree)*math.Cos(lat2*degree)*b*b))
}
