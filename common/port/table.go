package port

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed ports.csv
var file string

// table is the ports in the order of their codes, and where each code and alias is among them.
type table struct {
	ports []Port
	index map[string]int
}

// ports reads the table when it is first needed. Its file is part of the binary, so an error in it is one of the build, which
// the tests show.
var ports = sync.OnceValue(func() table {
	t, err := parse(file)
	if err != nil {
		panic("port: " + err.Error())
	}
	return t
})

func parse(text string) (table, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		return table{}, err
	}
	columns := []string{"code", "name", "country", "latitude", "longitude", "time_zone", "aliases"}
	if len(lines) == 0 || !slices.Equal(lines[0], columns) {
		return table{}, fmt.Errorf("the columns are not %s", strings.Join(columns, ", "))
	}
	t := table{index: make(map[string]int, 2*len(lines))}
	for i, line := range lines[1:] {
		p, err := parsePort(line)
		if err != nil {
			return table{}, fmt.Errorf("port %q: %w", line[0], err)
		}
		if i > 0 && p.Code <= t.ports[i-1].Code {
			return table{}, fmt.Errorf("port %s is not in order", p.Code)
		}
		t.ports = append(t.ports, p)
		for _, code := range append([]string{p.Code}, p.Aliases...) {
			if _, taken := t.index[code]; taken {
				return table{}, fmt.Errorf("%s is there twice", code)
			}
			t.index[code] = i
		}
	}
	return t, nil
}

func parsePort(line []string) (Port, error) {
	if len(line[0]) != 5 {
		return Port{}, fmt.Errorf("the code has %d letters", len(line[0]))
	}
	latitude, err := strconv.ParseFloat(line[3], 64)
	if err != nil {
		return Port{}, fmt.Errorf("latitude: %w", err)
	}
	longitude, err := strconv.ParseFloat(line[4], 64)
	if err != nil {
		return Port{}, fmt.Errorf("longitude: %w", err)
	}
	return Port{
		Code:        line[0],
		Name:        line[1],
		Country:     line[0][:2],
		CountryName: line[2],
		Latitude:    latitude,
		Longitude:   longitude,
		TimeZone:    line[5],
		Aliases:     strings.Fields(line[6]),
	}, nil
}
