package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	defaultAddress = "http://127.0.0.1:8080"
	defaultTimeout = 30 * time.Second
	table          = "table"
)

// remote is what all commands that talk to the gateway have in common.
type remote struct {
	streams Streams
	address string
	timeout time.Duration
	output  string
	key     string // of commands that change something
}

func newRemote(streams Streams) *remote {
	return &remote{streams: streams, timeout: defaultTimeout, output: table}
}

// attach adds the common flags to a command.
func (r *remote) attach(cmd *cobra.Command) *cobra.Command {
	f := r.attachAddress(cmd).Flags()
	f.DurationVar(&r.timeout, "timeout", defaultTimeout, "longest time to wait for one answer")
	f.StringVarP(&r.output, "output", "o", table, "table for people, json for programs")
	return cmd
}

// attachAddress adds the one flag of a command that only needs to know which gateway is meant.
func (r *remote) attachAddress(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&r.address, "api", "", "address of the gateway (FAIRWAY_API, else "+defaultAddress+")")
	return cmd
}

// asJSON tells whether the output is for programs.
func (r *remote) asJSON() bool { return r.output == "json" }

// check reads the common flags.
func (r *remote) check() error {
	if r.output != table && r.output != "json" {
		return usageError(fmt.Sprintf("--output %q is neither table nor json", r.output))
	}
	if r.timeout <= 0 {
		return usageError("--timeout must be more than 0")
	}
	if r.address == "" {
		r.address = r.streams.getenv("FAIRWAY_API")
	}
	if r.address == "" {
		r.address = defaultAddress
	}
	var err error
	r.address, err = gatewayAddress(r.address)
	return err
}

// anonymous opens a client without a token. Close it.
func (r *remote) anonymous() (*client, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return newClient(r.address, "", r.timeout, r.loginAdvice()), nil
}

// signedIn opens a client with the token of FAIRWAY_TOKEN or of the last log-in at this address. Close it.
func (r *remote) signedIn() (*client, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	token, err := r.token()
	var reason loginError
	if errors.As(err, &reason) {
		return nil, reason + loginError(": "+r.loginAdvice())
	}
	if err != nil {
		return nil, err
	}
	return newClient(r.address, token, r.timeout, r.loginAdvice()), nil
}

func (r *remote) token() (string, error) {
	token := r.streams.getenv("FAIRWAY_TOKEN")
	if token == "" {
		store, err := newTokenStore(r.streams)
		if err != nil {
			return "", err
		}
		saved, err := store.load(r.address)
		if err != nil {
			return "", err
		}
		if !saved.ExpiresAt.IsZero() && !time.Now().Before(saved.ExpiresAt) {
			return "", loginError("the log-in at " + r.address + " has expired")
		}
		token = saved.Token
	}
	// What cannot stand in a header is no token; net/http would quote it in its error.
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", loginError("the token has characters that no token has: mend FAIRWAY_TOKEN, or unset it")
	}
	return token, nil
}

// loginAdvice says how to log in at the same gateway.
func (r *remote) loginAdvice() string {
	if r.address == defaultAddress && r.streams.getenv("FAIRWAY_API") == "" {
		return "run fairway login"
	}
	return "run fairway login --api " + r.address
}

// show reads one thing and prints it: the answer's member key, as columns for people.
func show[T any](ctx context.Context, r *remote, path, key string, columns []column[T]) (T, error) {
	var none T
	c, err := r.signedIn()
	if err != nil {
		return none, err
	}
	defer c.close()
	data, err := c.get(ctx, path, nil)
	if err != nil {
		return none, err
	}
	return printMember(r, data, key, columns)
}

// printMember prints an answer: all of it for programs, its member key for people.
func printMember[T any](r *remote, data []byte, key string, columns []column[T]) (T, error) {
	var none T
	if r.asJSON() {
		return none, printJSON(r.streams.Out, data)
	}
	answer, err := decode[members](data)
	if err != nil {
		return none, err
	}
	item, err := decode[T](answer.or(key, "{}"))
	if err != nil {
		return none, err
	}
	return item, printRecord(r.streams.Out, item, columns)
}
