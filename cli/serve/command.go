package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/config"
)

// Command is "fairway serve".
func Command(streams cli.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [SERVICE...]",
		Short: "Run Fairway: all services in this process, or the named ones",
		Long: "Run Fairway: all services in this process, or the named ones of " + strings.Join(Names(), ", ") + ".\n" +
			"It needs nothing else: documents and keys are made in the data directory. Ctrl-C stops it in good order, and a\n" +
			"second Ctrl-C at once; nothing that was answered with success is lost either way.\n\n" +
			"Services in several processes need a registry and a broker between them. The only ones built in work within one\n" +
			"process (registry.kind memory, broker.kind memory), so naming fewer than all services is refused.",
		Example: `  fairway serve
  fairway serve --data.dir /var/lib/fairway --api.address 127.0.0.1:8000`,
		ValidArgs: Names(),
	}
	load := cli.ConfigFlags(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, streams, names)
	}
	return cmd
}

// garbage is how much the heap may grow, in percent, before it is collected. Services allocate a lot and keep little, so the
// runtime's own 100 would collect some ten times a second under load; this takes a sixth off the processor time of a booking
// for some tens of megabytes.
const garbage = 400

func run(ctx context.Context, cfg config.Config, streams cli.Streams, names []string) error {
	if os.Getenv("GOGC") == "" { // else whoever runs it has decided
		debug.SetGCPercent(garbage)
	}
	log, err := app.NewLogger(cfg.Log, streams.Err, terminal(streams.Err))
	if err != nil {
		return err
	}
	fairway, err := Start(ctx, cfg, log, names...)
	if errors.Is(err, sqlite.ErrInUse) {
		return fmt.Errorf("%w: is Fairway running already? Choose another --data.dir", err)
	}
	if err != nil {
		return err
	}
	welcome(streams.Out, cfg, fairway)
	var failure error
	select {
	case <-ctx.Done():
		fmt.Fprintln(streams.Out, "\nStopping: requests under way are being finished.")
	case failure = <-fairway.Failed():
	}
	if err := fairway.Stop(); err != nil {
		log.Warn("stopped, but not in good order", "error", err)
	} else if failure == nil {
		fmt.Fprintln(streams.Out, "Stopped.")
	}
	return failure
}

// welcome says where to look and what to try next.
func welcome(w io.Writer, cfg config.Config, f *Fairway) {
	fmt.Fprintf(w, "Fairway is running.\n\n")
	if f.HTTP() != "" {
		fmt.Fprintf(w, "  HTTP   http://%s   readiness at /readyz, the API under /api/v1\n", f.HTTP())
	}
	fmt.Fprintf(w, "  gRPC   %s   reflection and health are on\n", f.RPC())
	fmt.Fprintf(w, "  data   %s\n", cfg.Data.Dir)
	if f.HTTP() == "" {
		return
	}
	command := "fairway"
	if exe := os.Args[0]; strings.Contains(exe, "/") {
		command = exe
	}
	if f.HTTP() != config.Default().API.Address {
		command = "FAIRWAY_API=http://" + f.HTTP() + " " + command
	}
	fmt.Fprintf(w, `
Book freight, in another terminal:

  export FAIRWAY_PASSWORD=choose-one
  %[1]s user create --name Ada --email ada@example.com --login
  %[1]s vessel create --name Meridian --capacity 500 --max-weight 200000
  %[1]s consignment create --description Tea --weight 5000 --containers 3

Ctrl-C stops it.
`, command)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
