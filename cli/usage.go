package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairwayfreight/fairway/config"
)

// usageError is a command line that cannot be carried out whatever the service says.
type usageError string

func (e usageError) Error() string { return string(e) }

// need checks that flags were given, and names all that were not.
func need(cmd *cobra.Command, flags ...string) error {
	var missing []string
	for _, name := range flags {
		if !cmd.Flags().Changed(name) {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		return usageError("missing " + strings.Join(missing, ", "))
	}
	return nil
}

// exclude checks that a flag was not given together with any of the others.
func exclude(cmd *cobra.Command, flag string, others ...string) error {
	for _, other := range others {
		if cmd.Flags().Changed(flag) && cmd.Flags().Changed(other) {
			return usageError("--" + flag + " and --" + other + " cannot be used together")
		}
	}
	return nil
}

// OneArg is for commands that take exactly one argument, named with its article: an ID.
func OneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usageError(nameOf(cmd) + " needs " + what)
		case len(args) > 1:
			return usageError(fmt.Sprintf("%s needs %s and nothing else: %q is too much", nameOf(cmd), what, args[1]))
		}
		return nil
	}
}

// noArgs is for commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Sprintf("%s takes flags alone: %q is too much", nameOf(cmd), args[0]))
	}
	return nil
}

// nameOf is what a command is called below the root: consignment get.
func nameOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// unknownCommand says in our words that root has no such command. Cobra has no type for that error, only its text.
func unknownCommand(root *cobra.Command, err error) error {
	var name string
	if _, other := fmt.Sscanf(err.Error(), "unknown command %q", &name); other != nil {
		return err
	}
	var known []string
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			known = append(known, cmd.Name())
		}
	}
	return usageError(fmt.Sprintf("unknown command %q%s", name, config.DidYouMean("", name, known)))
}

// wrongFlag says in our words what is wrong with the flags of a command.
func wrongFlag(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		return usageError("unknown flag " + name + config.DidYouMean("--", name, known))
	case errors.As(err, &missing):
		return usageError("--" + missing.GetFlag().Name + " needs a value")
	case errors.As(err, &invalid):
		return usageError(fmt.Sprintf("--%s %q %s", invalid.GetFlag().Name, invalid.GetValue(), wrongValue(invalid)))
	}
	return err
}

func wrongValue(e *pflag.InvalidValueError) string {
	if errors.Is(e, strconv.ErrRange) {
		return "is out of range"
	}
	switch e.GetFlag().Value.Type() {
	case "int", "int64":
		return "is not a whole number"
	case "bool":
		return "is neither true nor false"
	case "duration":
		return "is not a duration such as 5s"
	}
	return "is not valid: " + e.Unwrap().Error()
}
