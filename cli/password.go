package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxPassword bounds what is read as a password; the service takes at most 128 characters.
const maxPassword = 1024

// password is where a command's password comes from. There is no flag for the password itself: a command line can be read
// by everybody on the machine and stays in the shell's history.
type password struct{ fromStdin bool }

func (p *password) attach(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.fromStdin, "password-stdin", false, "read the password from the first line of standard input")
}

// read gets it from standard input if asked to, from FAIRWAY_PASSWORD, or from the person at the terminal, twice where it
// is a new one.
func (p *password) read(ctx context.Context, s Streams, isNew bool) (string, error) {
	if p.fromStdin {
		return await(ctx, func() (string, error) { return firstLine(s.In) })
	}
	if value := s.getenv("FAIRWAY_PASSWORD"); value != "" {
		return value, nil
	}
	in, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", usageError("no terminal to ask for the password on: use --password-stdin or FAIRWAY_PASSWORD")
	}
	prompts := []string{"Password: "}
	if isNew {
		prompts = append(prompts, "Again: ")
	}
	words, err := ask(ctx, in, s.Err, prompts...)
	if err != nil {
		return "", err
	}
	if isNew && words[0] != words[1] {
		return "", usageError("the two passwords differ")
	}
	return words[0], nil
}

func firstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case line == "":
		return "", usageError("there is no password on standard input")
	case len(line) > maxPassword:
		return "", usageError(fmt.Sprintf("the password on standard input is longer than %d bytes", maxPassword))
	}
	return line, nil
}
