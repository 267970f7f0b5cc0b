package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/config"
)

// ConfigFlags adds --config and a flag for every setting to a command. What it returns loads the configuration from the
// flags that were given, streams.Env and the file; call it when the command runs. FAIRWAY_CONFIG names the file where
// --config does not.
func ConfigFlags(cmd *cobra.Command, streams Streams) func() (config.Config, error) {
	flags := cmd.Flags()
	file := flags.String("config", "", "YAML file with settings (FAIRWAY_CONFIG)")
	settings := config.Settings()
	values := make([]*string, len(settings))
	for i, s := range settings {
		values[i] = flags.String(s.Key, s.Default, s.About)
	}
	return func() (config.Config, error) {
		in := config.Input{File: *file, ReadFile: os.ReadFile, Environ: streams.Env, Flags: make(map[string]string)}
		if in.File == "" {
			in.File = streams.getenv("FAIRWAY_CONFIG")
		}
		for i, s := range settings {
			if flags.Changed(s.Key) {
				in.Flags[s.Key] = *values[i]
			}
		}
		return config.Load(in)
	}
}

func configCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration that serve would use",
		Long: "Print the configuration that serve would use, as YAML: the defaults, changed by the file of --config, by FAIRWAY_\n" +
			"variables (rpc.timeout: FAIRWAY_RPC_TIMEOUT) and by flags. Of a URL in trace.jaeger the password is shown as ****; no\n" +
			"other setting holds a secret.",
		Example: `  fairway config
  FAIRWAY_LOG_LEVEL=debug fairway config --config fairway.yaml --rpc.timeout 2s`,
		Args: noArgs,
	}
	load := ConfigFlags(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := load()
		if err != nil {
			return err
		}
		return c.Print(streams.Out)
	}
	return cmd
}
