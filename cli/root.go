// Package cli is the fairway command: one binary that serves Fairway and talks to it.
//
// What a script may rely on: the exit codes listed by fairway --help, the JSON of -o json, which is the gateway's own, and
// that nothing but results goes to standard output. What a person may rely on: text from a server or a file is never
// written to the terminal raw, passwords are neither taken from the command line nor shown, and Ctrl-C ends any command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Streams are the parts of the process that commands may use.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Env is the environment as os.Environ gives it; of a variable named twice the last one counts.
	Env []string
}

// getenv is the value of an environment variable, empty when it is not set.
func (s Streams) getenv(name string) string {
	for i := len(s.Env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(s.Env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// Root builds the command with everything below it: the clients, which are in this package, and the commands that run
// services, which are given. Run what it returns with Execute.
func Root(streams Streams, servers ...*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "fairway",
		Short: "Book freight onto ships",
		Long: "Fairway books freight onto ships: shippers book consignments of containers, carriers offer vessels and voyages,\n" +
			"and every change is logged. This command runs it and talks to it.\n\n" + exitHelp(),
		Example: `  fairway serve
  fairway user create --name Ada --company Engines --email ada@example.com
  fairway login --email ada@example.com
  fairway vessel create --name Vessel1 --capacity 500 --max-weight 200000
  fairway consignment create --description Tea --weight 5000 --containers 3`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		// Cobra's suggestions come with tabs and empty lines; Execute makes its own.
		DisableSuggestions: true,
	}
	root.Flags().Bool("version", false, "print the version")
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)

	r := newRemote(streams)
	root.AddCommand(
		userCommand(r), loginCommand(r), logoutCommand(r), whoamiCommand(r),
		vesselCommand(r), voyageCommand(r), consignmentCommand(r), logCommand(r), deadLetterCommand(r),
		portCommand(streams),
		configCommand(streams), versionCommand(streams),
	)
	for _, server := range servers {
		if server.HasSubCommands() && !server.Runnable() {
			choose(server)
		}
		root.AddCommand(server)
	}
	return root
}

// Execute runs the command line and answers with the exit code of the process. A failure has been told on streams.Err.
func Execute(ctx context.Context, streams Streams, root *cobra.Command, args []string) int {
	markRun(root)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if cmd == root {
		err = unknownCommand(root, err)
	}
	if refusal := (*refusalError)(nil); errors.As(err, &refusal) {
		refusal.nameFlags(cmd.Flags().Changed)
	}
	code := exitCode(ctx, err)
	fmt.Fprintf(streams.Err, "fairway: %s\n", explain(ctx, err))
	if code == exitUsage && cmd != nil {
		fmt.Fprintf(streams.Err, "See %s --help.\n", cmd.CommandPath())
	}
	return code
}

// ranError marks an error of a command that was understood and started. All others are cobra's about how it was called.
type ranError struct{ error }

func (e ranError) Unwrap() error { return e.error }

// markRun makes every command below cmd mark its errors.
func markRun(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return ranError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markRun(sub)
	}
}

// group makes a command that only holds others, and says so when it is called without one of them.
func group(name, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: name, Short: short}
	var examples []string
	for _, sub := range subs {
		examples = append(examples, sub.Example)
	}
	g.Example = strings.Join(examples, "\n")
	g.AddCommand(subs...)
	choose(g)
	return g
}

// choose makes a command that only holds others fail where cobra would show its help and call that a success.
func choose(g *cobra.Command) {
	g.Args = cobra.ArbitraryArgs
	// The flags of a misspelt command are not what is wrong.
	g.FParseErrWhitelist.UnknownFlags = true
	g.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range g.Commands() {
			names = append(names, sub.Name())
		}
		choice := "one of: " + strings.Join(names, ", ")
		if len(args) == 0 {
			return usageError("which? " + g.Name() + " needs " + choice)
		}
		return usageError(fmt.Sprintf("%q is not a command of %s, which needs %s", args[0], g.Name(), choice))
	}
}

// interrupted tells that the person, not the clock, ended the command.
func interrupted(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, errInterrupted)
}
