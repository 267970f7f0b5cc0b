package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

// keepHeads verifies a sound log and gives the name of the file that has its newest heads.
func keepHeads(t *testing.T, b *logbook) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "heads.json")
	if r := auditor(t, b).run("log", "verify", "--heads", file); r.code != 0 {
		t.Fatalf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheNewestHeadsAreKeptForTheNextTime(t *testing.T) {
	b := newLogbook(t, 50)
	file := filepath.Join(t.TempDir(), "heads.json")
	says := func(wantOut, wantErr string) {
		t.Helper()
		r := auditor(t, b).run("log", "verify", "--heads", file)
		lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
		if r.code != 0 || lines[len(lines)-1] != wantOut || r.err != wantErr {
			t.Errorf("exit %d\n%s%s, want\n%s\n%s", r.code, r.out, r.err, wantOut, wantErr)
		}
		var kept struct {
			Content   string
			KeyID     string `json:"key_id"`
			Signature []byte
		}
		if err := json.Unmarshal([]byte(read(t, file)), &kept); err != nil || kept.Content != string(b.heads[0].Content) ||
			kept.KeyID != b.heads[0].KeyID || string(kept.Signature) != string(b.heads[0].Signature) {
			t.Errorf("kept %+v, %v", kept, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	says(file+" has the heads of 2026-11-21T12:48:00Z for the next time", file+" is new: the log was not compared with what it was before.\n")
	says(file+" has the heads of 2026-11-21T12:48:00Z for the next time", "")
	b.sign(t, time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))
	says(file+" has the heads of 2026-11-21T13:00:00Z for the next time", "")

	before := read(t, file)
	b.sign(t, time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC))
	if r := auditor(t, b).run("log", "verify", "--heads", file, "-o", "json"); r.code != 0 || !json.Valid([]byte(r.out)) || read(t, file) == before {
		t.Errorf("as JSON: exit %d\n%s%s", r.code, r.out, r.err)
	}
	if list, err := os.ReadDir(filepath.Dir(file)); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestKeptHeadsShowWhatTheLogItselfDoesNot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(b *logbook)
		want   []string
	}{
		{"the newest heads and their entries are gone", func(b *logbook) {
			*b = *newLogbookOf(t, b, 42)
		}, []string{"heads 7: the heads of 2026-11-21T12:48:00Z, which were kept, are not in the log any more", "the end of the chain is cut off"}},
		{"other heads are in their place", func(b *logbook) {
			*b = *newLogbookOf(t, b, 42)
			b.sign(t, time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))
		}, []string{"heads 7: they are not the heads of 2026-11-21T12:48:00Z that were kept under this number", "the end of the chain is cut off"}},
		{"everything is gone", func(b *logbook) {
			*b = *newLogbookOf(t, b, 0)
		}, []string{"heads 7: the heads of", "the end of the chain is cut off"}},
		{"the service has another key", func(b *logbook) {
			b.key, b.heads = otherKey, nil
			b.sign(t, time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))
		}, []string{"the kept heads of 2026-11-21T12:48:00Z: they are signed with the key"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newLogbook(t, 50)
			file := keepHeads(t, b)
			before := read(t, file)
			tc.tamper(b)
			if r := auditor(t, b).run("log", "verify"); r.code != 0 {
				t.Errorf("without the file: exit %d\n%s%s", r.code, r.out, r.err)
			}
			r := auditor(t, b).run("log", "verify", "--heads", file)
			for _, want := range tc.want {
				if r.code != 1 || !strings.Contains(r.out, want) || strings.Contains(r.out, "for the next time") {
					t.Errorf("exit %d, want %q in\n%s%s", r.code, want, r.out, r.err)
				}
			}
			if read(t, file) != before {
				t.Error("the file was written over")
			}
		})
	}
}

// newLogbookOf puts what a logbook says back to when it had n entries.
func newLogbookOf(t *testing.T, b *logbook, n int) *logbook {
	t.Helper()
	earlier := *newLogbook(t, n)
	earlier.Server = b.Server
	return &earlier
}

func TestAFileThatHoldsNoHeadsIsRefused(t *testing.T) {
	b := newLogbook(t, 20)
	dir := t.TempDir()
	unnumbered, err := chain.Sign(chain.Heads{}, logKey)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := json.Marshal(map[string]any{"content": string(unnumbered.Content), "key_id": unnumbered.KeyID, "signature": unnumbered.Signature})
	for name, text := range map[string]string{
		"empty": "", "garbage": "garbage", "null": "null", "list": "[]", "object": "{}", "number": `{"content":3}`, "content": `{"content":"{}"}`,
		"signature": `{"content":"{\"number\":1}","signature":"!"}`, "unnumbered": string(other), "twice": "{}{}",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := auditor(t, b).run("log", "verify", "--heads", file)
		want := "fairway: " + file + " holds no signed heads: name the file that an earlier run with --heads wrote, or one that is not there yet\n"
		if r.code != 2 || r.out != "" || !strings.HasPrefix(r.err, want) {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.out, r.err)
		}
		if read(t, file) != text {
			t.Errorf("%s was written over", name)
		}
	}
	for _, tc := range []struct {
		file, want string
		code       int
	}{
		{"", "--heads must not be empty", 2},
		{dir, dir + " cannot be read: is a directory", 2},
		{filepath.Join(dir, "none", "heads.json"), "no such file or directory", 1},
	} {
		if r := auditor(t, b).run("log", "verify", "--heads", tc.file); r.code != tc.code || !strings.Contains(r.err, tc.want) {
			t.Errorf("%q: exit %d\n%s%s", tc.file, r.code, r.out, r.err)
		}
	}
}

func TestNothingIsKeptOfALogThatIsNotSigned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heads.json")
	r := auditor(t, newLogbook(t, 5)).run("log", "verify", "--heads", file)
	if r.code != 0 || !strings.Contains(r.err, "Nothing is signed yet: "+file+" was not written.\n") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is there")
	}
}
