// Command fairway runs Fairway and talks to it; fairway --help says how.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/prove"
	"github.com/fairwayfreight/fairway/cli/serve"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the command in good order; with its handler gone, a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command but for the process around it. Its answer is the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	streams := cli.Streams{In: stdin, Out: stdout, Err: stderr, Env: env}
	return cli.Execute(ctx, streams, cli.Root(streams, serve.Command(streams), serve.KeysCommand(streams), serve.AdminCommand(streams), prove.Command(streams)), args)
}
