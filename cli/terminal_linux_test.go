package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/fairwayfreight/fairway/cli"
)

// openTerminal makes a pseudo-terminal: what the person holds, and what the command sees.
func openTerminal(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Close() })
	return person, command
}

// screen keeps what was written and tells of each prompt.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	prompts chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.HasSuffix(p, []byte(": ")) {
		s.prompts <- struct{}{}
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestThePromptForAPassword(t *testing.T) {
	signUp := []string{"user", "create", "--name", "Ada", "--email", "ada@example.com"}
	login := []string{"login", "--email", "ada@example.com"}
	for _, tt := range []struct {
		name  string
		args  []string
		types []string // one per prompt; "" interrupts from outside
		code  int
		shows string
	}{
		{"password", login, []string{testPassword + "\r"}, 0, "Password: \r\n"},
		{"backspace", login, []string{testPassword + "x\x7f\r"}, 0, "Password: \r\n"},
		{"twice", signUp, []string{testPassword + "\r", testPassword + "\r"}, 0, "Password: \r\nAgain: \r\n"},
		{"two that differ", signUp, []string{testPassword + "\r", "other\r"}, 2, "the two passwords differ"},
		{"empty", login, []string{"\r"}, 2, "the password is empty"},
		{"Ctrl-D", login, []string{"\x04"}, 2, "Password: \nfairway: no password was entered\n"},
		{"Ctrl-C", login, []string{"\x03"}, 130, "Password: \nfairway: interrupted\n"},
		{"Ctrl-C in the middle", login, []string{"corr\x03"}, 130, "Password: \nfairway: interrupted\n"},
		{"Ctrl-C the second time", signUp, []string{testPassword + "\r", "\x03"}, 130, "Again: \nfairway: interrupted\n"},
		{"signal", login, []string{""}, 130, "Password: \nfairway: interrupted\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, in := openTerminal(t)
			before, err := term.GetState(int(in.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := newPerson(t, "FAIRWAY_API="+newGateway(t).URL)
			seen := &screen{prompts: make(chan struct{}, 2)}
			var out bytes.Buffer
			s := cli.Streams{In: in, Out: &out, Err: seen, Env: p.env}
			done := make(chan int, 1)
			go func() { done <- cli.Execute(ctx, s, cli.Root(s), tt.args) }()
			for _, text := range tt.types {
				select {
				case <-seen.prompts:
				case <-time.After(20 * time.Second):
					t.Fatalf("no prompt: %q", seen)
				}
				if text == "" {
					cancel()
				} else if _, err := keys.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case code := <-done:
				if code != tt.code || !strings.Contains(seen.String(), tt.shows) {
					t.Errorf("exit %d: %q %s", code, seen, out.String())
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("it does not end: %q", seen)
			}
			if strings.Contains(seen.String()+out.String(), "horse") {
				t.Errorf("the password is shown: %q", seen)
			}
			if after, err := term.GetState(int(in.Fd())); err != nil || !reflect.DeepEqual(after, before) {
				t.Errorf("the terminal is left in another mode: %v", err)
			}
		})
	}
}
