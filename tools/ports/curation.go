package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// locode is the form of a UN/LOCODE (UNECE Recommendation 16).
var locode = regexp.MustCompile(`^[A-Z]{2}[A-Z2-9]{3}$`)

// pick is a line of the curation file: a port that was chosen. Its empty fields take over what the source says.
type pick struct {
	code, name, zone string
	position         *position
	aliases          []string
	reason           string
}

// position is in degrees, north and east positive.
type position struct{ latitude, longitude float64 }

func readCuration(data []byte) ([]pick, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("curation: %w", err)
	}
	titles := []string{"code", "name", "latitude", "longitude", "time_zone", "aliases", "reason"}
	if len(lines) == 0 || !slices.Equal(lines[0], titles) {
		return nil, fmt.Errorf("curation: the columns are not %s", strings.Join(titles, ", "))
	}
	var picks []pick
	for _, line := range lines[1:] {
		p := pick{code: line[0], name: line[1], zone: line[4], aliases: strings.Fields(line[5]), reason: line[6]}
		if p.position, err = readPosition(line[2], line[3]); err != nil {
			return nil, fmt.Errorf("curation: %s: %w", p.code, err)
		}
		if (p.position != nil || p.zone != "") && p.reason == "" {
			return nil, fmt.Errorf("curation: %s: mended without a reason", p.code)
		}
		picks = append(picks, p)
	}
	return picks, unambiguous(picks)
}

func readPosition(latitude, longitude string) (*position, error) {
	if latitude == "" && longitude == "" {
		return nil, nil
	}
	lat, err := strconv.ParseFloat(latitude, 64)
	if err != nil {
		return nil, fmt.Errorf("latitude: %w", err)
	}
	lon, err := strconv.ParseFloat(longitude, 64)
	if err != nil {
		return nil, fmt.Errorf("longitude: %w", err)
	}
	return &position{lat, lon}, nil
}

// unambiguous checks that codes are ordered, and that each code and alias is well-formed and there once.
func unambiguous(picks []pick) error {
	seen := make(map[string]bool)
	last := ""
	for _, p := range picks {
		if p.code <= last {
			return fmt.Errorf("curation: %s is not in order", p.code)
		}
		last = p.code
		for _, code := range append([]string{p.code}, p.aliases...) {
			if !locode.MatchString(code) {
				return fmt.Errorf("curation: %s: %q is not a UN/LOCODE", p.code, code)
			}
			if seen[code] {
				return fmt.Errorf("curation: %s is there twice", code)
			}
			seen[code] = true
		}
	}
	return nil
}
