// Command ports makes the table of ports that is embedded in common/port: what curation.csv chooses from the npm package
// sea-ports 0.0.9 (github.com/marchah/sea-ports, MIT licence), with its corrections. The package's licence goes beside the
// table, as it demands. With -check nothing is written: it fails where the table is not the one that it would make.
//
//	cd tools && npm pack sea-ports@0.0.9 && go run ./ports sea-ports-0.0.9.tgz
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // so that zones are judged alike on every machine
)

//go:embed curation.csv
var curationFile []byte

func main() {
	out := flag.String("out", filepath.Join("..", "common", "port"), "folder of the table")
	check := flag.Bool("check", false, "compare, do not write")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: ports [-check] [-out FOLDER] sea-ports-0.0.9.tgz")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "ports:", err)
		os.Exit(1)
	}
}

func run(archive, out string, check bool) error {
	source, err := readSource(archive)
	if err != nil {
		return err
	}
	picks, err := readCuration(curationFile)
	if err != nil {
		return err
	}
	rows, err := merge(picks, source.ports)
	if err != nil {
		return err
	}
	return errors.Join(
		put(filepath.Join(out, "ports.csv"), format(rows), check),
		put(filepath.Join(out, "LICENSE.sea-ports"), source.licence, check),
	)
}

// put writes a file, or compares it with what it should be.
func put(name string, want []byte, check bool) error {
	if !check {
		return os.WriteFile(name, want, 0o644)
	}
	have, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s is not what this program makes", name)
	}
	return nil
}
