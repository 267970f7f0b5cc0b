package serve

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/common/auth"
)

// KeysCommand is "fairway keys".
func KeysCommand(streams cli.Streams) *cobra.Command {
	keys := &cobra.Command{
		Use:   "keys",
		Short: "Make the keys that sign tokens",
		Example: `  fairway keys create /etc/fairway/keys
  fairway serve --env production --keys.dir /etc/fairway/keys`,
	}
	keys.AddCommand(&cobra.Command{
		Use:   "create DIR",
		Short: "Make the keys that are missing in a directory",
		Long: "Make the keys that are missing in a directory: one that signs people's tokens, one for each service, and the\n" +
			"operator's, with which fairway admin makes admins; readable by their owner alone. Keys that exist stay. In\n" +
			"development serve does this by itself, in production never.",
		Example: `  fairway keys create /etc/fairway/keys`,
		Args:    cli.OneArg("a DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := auth.KeyDir(args[0]).Create(Names()...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(streams.Out, "The keys are in %s.\n", args[0])
			return err
		},
	})
	return keys
}
