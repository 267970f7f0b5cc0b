package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/common/port"
)

var portColumns = []column[port.Port]{
	{title: "CODE", value: func(p port.Port) string { return p.Code }},
	{title: "NAME", value: func(p port.Port) string { return p.Name }},
	{title: "COUNTRY", value: func(p port.Port) string { return p.CountryName }},
	{title: "LATITUDE", value: func(p port.Port) string { return degrees(p.Latitude) }},
	{title: "LONGITUDE", value: func(p port.Port) string { return degrees(p.Longitude) }},
	{title: "TIME ZONE", value: func(p port.Port) string { return p.TimeZone }},
	{title: "ALIASES", value: func(p port.Port) string { return strings.Join(p.Aliases, " ") }},
}

func degrees(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// portCommand lists what the binary knows, so it has none of the flags that say where a gateway is.
func portCommand(streams Streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "port [TEXT]",
		Short: "List container ports and their codes",
		Long: "List the container ports that Fairway knows: all, or those with TEXT in the code, an alias, the name or the country.\n" +
			"No server and no log-in is needed. A port that is not in the list can be booked all the same, by its UN/LOCODE.",
		Example: `  fairway port rotterdam
  fairway port new york
  fairway port china -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if output != table && output != "json" {
				return usageError(fmt.Sprintf("--output %q is neither table nor json", output))
			}
			return printPorts(streams, findPorts(strings.Join(args, " ")), output == "json")
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", table, "table for people, json for programs")
	return cmd
}

// findPorts gives the ports in which a text is found, whatever its case, in the order of their codes.
func findPorts(text string) []port.Port {
	text = strings.ToLower(strings.TrimSpace(text))
	found := []port.Port{}
	for p := range port.All() {
		if slices.ContainsFunc(append([]string{p.Code, p.Name, p.CountryName}, p.Aliases...), func(s string) bool {
			return strings.Contains(strings.ToLower(s), text)
		}) {
			found = append(found, p)
		}
	}
	return found
}

func printPorts(streams Streams, ports []port.Port, asJSON bool) error {
	if asJSON {
		data, err := encode(map[string]any{"ports": ports})
		if err != nil {
			return err
		}
		return printJSON(streams.Out, data)
	}
	if len(ports) == 0 {
		_, err := fmt.Fprintln(streams.Err, "nothing found")
		return err
	}
	return printTable(streams.Out, ports, portColumns)
}
