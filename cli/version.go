package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  fairway version`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(streams.Out, version())
			return err
		},
	}
}

// version is what the Go toolchain recorded: the module's version, which names the commit of a build from a checkout, and
// the toolchain itself.
func version() string {
	module := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		module = info.Main.Version
	}
	return fmt.Sprintf("fairway %s %s %s/%s", module, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
