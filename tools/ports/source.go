package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// sourceDigest is the SHA-512 that npm publishes as the integrity of sea-ports 0.0.9.
const sourceDigest = "mJFQzVPWBfod7H65NxJuM4TCBp1fHzb9YmVpoPIui77ogckOqaheSaAXcsJ6hN9MAszSdJLlAih7oJMZLqwRrg=="

// sourcePort is a port as the package has it.
type sourcePort struct {
	Name        string    `json:"name"`
	Country     string    `json:"country"`
	Coordinates []float64 `json:"coordinates"` // longitude, latitude; empty where unknown
	Timezone    string    `json:"timezone"`
}

type source struct {
	ports   map[string]sourcePort
	licence []byte
}

// readSource reads the package as npm pack leaves it, and refuses any other.
func readSource(archive string) (source, error) {
	data, err := os.ReadFile(archive)
	if err != nil {
		return source{}, err
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != sourceDigest {
		return source{}, fmt.Errorf("%s is not sea-ports 0.0.9", archive)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return source{}, fmt.Errorf("%s: %w", archive, err)
	}
	var s source
	files := tar.NewReader(unzipped)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return source{}, fmt.Errorf("%s: %w", archive, err)
		}
		switch header.Name {
		case "package/lib/ports.json":
			err = json.NewDecoder(files).Decode(&s.ports)
		case "package/LICENSE":
			s.licence, err = io.ReadAll(files)
		}
		if err != nil {
			return source{}, fmt.Errorf("%s: %s: %w", archive, header.Name, err)
		}
	}
	if len(s.ports) == 0 || len(s.licence) == 0 {
		return source{}, fmt.Errorf("%s has no ports or no licence", archive)
	}
	return s, nil
}
