package cli_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/cli"
)

// stuck is an input on which nobody types. It tells when somebody reads it, and ends with the test.
type stuck struct {
	io.Reader
	reading chan struct{}
}

func newStuck(t *testing.T) *stuck {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return &stuck{r, make(chan struct{}, 1)}
}

func (s *stuck) Read(p []byte) (int, error) {
	s.reading <- struct{}{}
	return s.Reader.Read(p)
}

func TestInterruptEndsTheReadingOfStandardInput(t *testing.T) {
	for name, args := range map[string][]string{
		"file":     {"consignment", "create", "-f", "-"},
		"password": {"login", "--email", "a", "--password-stdin"},
	} {
		t.Run(name, func(t *testing.T) {
			// The time is for a command that does not end at all.
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p := newPerson(t, "FAIRWAY_API=http://127.0.0.1:1", "FAIRWAY_TOKEN=t")
			in := newStuck(t)
			var out, errs bytes.Buffer
			s := cli.Streams{In: in, Out: &out, Err: &errs, Env: p.env}
			done := make(chan int, 1)
			go func() { done <- cli.Execute(ctx, s, cli.Root(s), args) }()
			<-in.reading
			cancel()
			select {
			case code := <-done:
				if code != 130 || errs.String() != "fairway: interrupted\n" || out.Len() > 0 {
					t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on reading")
			}
		})
	}
}
