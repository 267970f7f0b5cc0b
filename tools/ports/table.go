package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// heading stands at the top of the table, which is embedded in binaries: the notice travels with the data.
const heading = `# Made by tools/ports: mend tools/ports/curation.csv, not this file.
# Data: npm package sea-ports 0.0.9 (github.com/marchah/sea-ports), Copyright (c) 2016 marchah, MIT licence: LICENSE.sea-ports.
`

// countries are short names for what the source calls otherwise.
var countries = map[string]string{
	"CD": "DR Congo",
	"CI": "Ivory Coast",
	"IR": "Iran",
	"RE": "Reunion",
	"RU": "Russia",
	"TZ": "Tanzania",
	"VN": "Vietnam",
}

// renamed are zones that the time zone database now has under another name.
var renamed = map[string]string{
	"Asia/Calcutta": "Asia/Kolkata",
	"Asia/Rangoon":  "Asia/Yangon",
	"Asia/Saigon":   "Asia/Ho_Chi_Minh",
	"Europe/Kiev":   "Europe/Kyiv",
}

// row is a line of the table.
type row struct {
	code, name, country, zone string
	position                  position
	aliases                   []string
}

// merge completes the picks from the source and names all that remain wrong.
func merge(picks []pick, ports map[string]sourcePort) ([]row, error) {
	names := countryNames(ports)
	rows := make([]row, 0, len(picks))
	var wrong []error
	for _, p := range picks {
		s := ports[p.code]
		r := row{code: p.code, name: p.name, country: names[p.code[:2]], zone: p.zone, aliases: p.aliases}
		if r.name == "" {
			r.name = s.Name
		}
		if r.zone == "" {
			r.zone = s.Timezone
		}
		if now, ok := renamed[r.zone]; ok {
			r.zone = now
		}
		switch {
		case p.position != nil:
			r.position = *p.position
		case len(s.Coordinates) == 2:
			r.position = position{latitude: s.Coordinates[1], longitude: s.Coordinates[0]}
		default:
			wrong = append(wrong, fmt.Errorf("%s: no position", p.code))
		}
		if err := r.check(); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", p.code, err))
		}
		rows = append(rows, r)
	}
	return rows, errors.Join(wrong...)
}

// countryNames gives the name of each country by its ISO 3166-1 code.
func countryNames(ports map[string]sourcePort) map[string]string {
	names := make(map[string]string)
	for code, p := range ports {
		names[code[:2]] = p.Country
	}
	for code, name := range countries {
		names[code] = name
	}
	return names
}

func (r row) check() error {
	for _, text := range []string{r.name, r.country} {
		if text == "" {
			return errors.New("the name or the country is missing")
		}
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return fmt.Errorf("%q has letters that not every keyboard has", text)
		}
	}
	if math.Abs(r.position.latitude) > 90 || math.Abs(r.position.longitude) > 180 {
		return fmt.Errorf("%v is no position", r.position)
	}
	if r.zone == "" {
		return errors.New("no time zone")
	}
	_, err := time.LoadLocation(r.zone)
	return err
}

// format writes the table. Degrees have three digits, which is a hundred metres.
func format(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString(heading)
	degrees := func(x float64) string { return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64) }
	w := csv.NewWriter(&b)
	// A bytes.Buffer takes whatever it is given.
	_ = w.Write([]string{"code", "name", "country", "latitude", "longitude", "time_zone", "aliases"})
	for _, r := range rows {
		_ = w.Write([]string{r.code, r.name, r.country, degrees(r.position.latitude), degrees(r.position.longitude), r.zone, strings.Join(r.aliases, " ")})
	}
	w.Flush()
	return b.Bytes()
}
