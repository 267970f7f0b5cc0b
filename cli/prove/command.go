// Package prove is "fairway prove": it drives a running Fairway over its public HTTP API with many writers, has its
// processes killed meanwhile, and then tells whether every answer that was given still holds.
//
// It believes nothing but answers: it keeps its own ledger of what it asked for and what it was told, counts room by a table
// of its own, and shares no code with the services. It works in accounts, on vessels and voyages that it makes for
// itself, so it can be pointed at a Fairway that others use, and leaves there what it made.
package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/cli"
)

// The largest run: what the ledger can number, and what one process can drive without measuring itself.
const (
	maxWriters = 10_000
	maxVoyages = 1_000
)

// options are what the flags say.
type options struct {
	api         string
	writers     int
	load        time.Duration
	hot, spread int
	killCommand string
	kills       int
	settle      time.Duration
	timeout     time.Duration
	seed        uint64
	output      string
}

// errFindings ends a run that found something. What it found has been printed.
var errFindings = errors.New("not every answer held: see the findings")

// Command is "fairway prove". It exits with 0 when all promises held, with 1 when some did not, and with 2 when it could
// not be tried.
func Command(streams cli.Streams) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Load a running Fairway, kill its processes, and check that no answer was broken",
		Long: "Load a running Fairway with bookings and cancellations, kill its processes meanwhile, and then compare what the API\n" +
			"shows with what it had answered: nothing lost, doubled, oversold, leaked, half done or missing in the log, and\n" +
			"nothing shown to strangers. The accounts, vessels and voyages that it makes for this stay.\n\n" +
			"Exit code 0 says that all of it held, 1 that something did not, 2 that it could not be tried.",
		Example: `  fairway prove --for 20s
  fairway prove --kill-command 'kill -9 $(cat fairway.pid)' --kills 10`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("prove takes flags alone: %q is too much", args[0])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.api, "api", "", "address of the gateway (FAIRWAY_API, else "+defaultAddress+")")
	f.IntVar(&o.writers, "writers", 64, "clients that work at once")
	f.DurationVar(&o.load, "for", time.Minute, "how long they work; longer, up to twice, where kills are still to be made")
	f.IntVar(&o.hot, "hot", 1, "voyages that everybody wants and that fill up")
	f.IntVar(&o.spread, "spread", 16, "voyages that share the rest, with and without ports")
	f.StringVar(&o.killCommand, "kill-command", "", "what /bin/sh runs to kill a process of Fairway; something else must start it again")
	f.IntVar(&o.kills, "kills", 10, "how often it does, at random moments, each after bookings are answered again")
	f.DurationVar(&o.settle, "settle", 15*time.Second, "how long half-done work may take after the load and the last kill")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "longest time to wait for one answer")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the random choices, 0 for a random one")
	f.StringVarP(&o.output, "output", "o", "table", "table for people, json for programs")

	// What fails before the load began is no finding. Cobra keeps it apart: only what RunE returns has run.
	var r *run
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		err := o.check(streams.Env)
		if err == nil {
			r, err = prepare(cmd.Context(), o)
		}
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		defer r.close()
		fmt.Fprintf(streams.Err, "seed %d: %d writers on %d voyages of %s for %s\n", o.seed, o.writers, len(r.fleet.voyages), o.api, o.load)
		report, err := r.prove(cmd.Context(), streams.Err)
		if err != nil {
			return err
		}
		if err := report.print(streams.Out, o.output == "json"); err != nil {
			return err
		}
		if !report.Clean {
			return errFindings
		}
		return nil
	}
	return cmd
}

const defaultAddress = "http://127.0.0.1:8080"

// check completes the options and names what cannot be done.
func (o *options) check(env []string) error {
	switch {
	case o.writers < 1 || o.writers > maxWriters:
		return fmt.Errorf("--writers must be 1 to %d", maxWriters)
	case o.hot < 0 || o.spread < 0 || o.hot+o.spread < 1 || o.hot+o.spread > maxVoyages:
		return fmt.Errorf("--hot and --spread must not be negative, and together 1 to %d", maxVoyages)
	case o.kills < 0:
		return errors.New("--kills must not be negative")
	case o.load <= 0 || o.timeout <= 0:
		return errors.New("--for and --timeout must be more than 0")
	case o.settle < 0:
		return errors.New("--settle must not be negative")
	case o.output != "table" && o.output != "json":
		return fmt.Errorf("--output %q is neither table nor json", o.output)
	}
	if o.killCommand == "" {
		o.kills = 0
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if o.api == "" {
		o.api = variable(env, "FAIRWAY_API")
	}
	if o.api == "" {
		o.api = defaultAddress
	}
	u, err := url.Parse(o.api)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("the gateway's address %q is not a URL such as %s", o.api, defaultAddress)
	}
	o.api = strings.TrimRight(o.api, "/")
	return nil
}

// variable is the value of an environment variable; of one named twice the last counts.
func variable(env []string, name string) (value string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// interrupted is the error of a run that was ended before its time, nil for one that was not.
func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the run was cut short: %w", ctx.Err())
	}
	return nil
}
