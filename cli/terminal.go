package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// errInterrupted is Ctrl-C at a prompt, which comes as a key rather than as a signal.
var errInterrupted = errors.New("interrupted")

// ask prompts for passwords without echo, one after the other. Ctrl-C and Ctrl-D end it, and whatever ends it, the terminal
// gets its mode back.
//
// The terminal is raw meanwhile: term.ReadPassword leaves it in line mode, where Ctrl-D is an empty read that it takes for
// nothing at all.
func ask(ctx context.Context, in *os.File, out io.Writer, prompts ...string) ([]string, error) {
	fd := int(in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("ask for the password: %w", err)
	}
	keys := &keyboard{in: in}
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, out}, "")
	answers, err := await(ctx, func() ([]string, error) {
		var answers []string
		for _, prompt := range prompts {
			answer, err := terminal.ReadPassword(prompt)
			switch {
			case err == io.EOF && keys.interrupted:
				return nil, errInterrupted
			case err == io.EOF:
				return nil, usageError("no password was entered")
			case err != nil && err != term.ErrPasteIndicator:
				return nil, fmt.Errorf("ask for the password: %w", err)
			case answer == "":
				return nil, usageError("the password is empty")
			}
			answers = append(answers, answer)
		}
		return answers, nil
	})
	restored := term.Restore(fd, before)
	if err != nil {
		fmt.Fprintln(out) // what follows is not for the prompt's line
	}
	return answers, errors.Join(err, restored)
}

// keyboard notices Ctrl-C, which term.Terminal reports as the end of input.
type keyboard struct {
	in          io.Reader
	interrupted bool
}

func (k *keyboard) Read(p []byte) (int, error) {
	const ctrlC = 3
	n, err := k.in.Read(p)
	k.interrupted = k.interrupted || bytes.IndexByte(p[:n], ctrlC) >= 0
	return n, err
}

// await runs what cannot be cancelled, such as reading from a terminal, and waits for it no longer than ctx lasts. What it
// gave up on stays behind until the process ends, which is next.
func await[T any](ctx context.Context, run func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := run()
		done <- result{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}
