package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

// maxHeads bounds the file of --heads, whose content has a fixed size of about 2 kB.
const maxHeads = 64 << 10

// headsView are signed heads as the gateway writes them, and as the file of --heads has them.
type headsView struct {
	Content   string `json:"content"`
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"`
}

func (v headsView) signed() chain.Signed {
	return chain.Signed{Content: []byte(v.Content), KeyID: v.KeyID, Signature: v.Signature}
}

// readKeptHeads reads the heads that an earlier verification kept; nil where there is no such file. Whether their signature is
// good is for the verifier to say, who has the keys.
func readKeptHeads(file string) (*chain.Signed, error) {
	if file == "" { // an unset variable in a script, which counts on the file
		return nil, usageError("--heads must not be empty")
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, maxHeads))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, usageError(fmt.Sprintf("%s cannot be read: %v", file, reason(err)))
	}
	var view headsView
	if json.Unmarshal(data, &view) == nil {
		s := view.signed()
		if _, err := s.Claim(); err == nil {
			return &s, nil
		}
	}
	return nil, usageError(file + " holds no signed heads: name the file that an earlier run with --heads wrote, or one that is not there yet")
}

// keepHeads writes the newest heads of a sound log to the file, and says so. First tells that there was no such file.
func keepHeads(r *remote, file string, report chain.Report, first bool) error {
	if report.Heads == 0 {
		fmt.Fprintf(r.streams.Err, "Nothing is signed yet: %s was not written.\n", file)
		return nil
	}
	data, err := json.Marshal(headsView{string(report.Anchor.Content), report.Anchor.KeyID, report.Anchor.Signature})
	if err == nil {
		err = replaceFile(file, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the newest heads in %s: %w", file, reason(err))
	}
	if first {
		fmt.Fprintf(r.streams.Err, "%s is new: the log was not compared with what it was before.\n", file)
	}
	if r.asJSON() {
		return nil
	}
	_, err = fmt.Fprintf(r.streams.Out, "%s has the heads of %s for the next time\n", clean(file), report.Newest.UTC().Format(time.RFC3339))
	return err
}

// reason leaves out the name that a path error has: who prints it has said the name already.
func reason(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
