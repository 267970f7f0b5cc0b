package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairwayfreight/fairway/common/rule"
)

// consignment is a booking as people see it.
type consignment struct {
	ID          string      `json:"id"`
	State       string      `json:"state"`
	Description string      `json:"description"`
	Weight      json.Number `json:"weight"`
	From        string      `json:"from"`
	To          string      `json:"to"`
	VesselID    string      `json:"vessel_id"`
	VoyageID    string      `json:"voyage_id"`
	CreatedAt   string      `json:"created_at"`
	Reason      string      `json:"reason"`
	Containers  []container `json:"containers"`
}

type container struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Origin string `json:"origin"`
}

var consignmentColumns = []column[consignment]{
	{title: "ID", value: func(c consignment) string { return c.ID }},
	{title: "STATE", value: func(c consignment) string { return c.State }},
	{title: "REASON", value: func(c consignment) string { return c.Reason }, rare: true},
	{title: "DESCRIPTION", value: func(c consignment) string { return c.Description }},
	{title: "WEIGHT KG", value: func(c consignment) string { return c.Weight.String() }},
	{title: "CONTAINERS", value: func(c consignment) string { return strconv.Itoa(len(c.Containers)) }},
	{title: "FROM", value: func(c consignment) string { return c.From }},
	{title: "TO", value: func(c consignment) string { return c.To }},
	{title: "VESSEL", value: func(c consignment) string { return c.VesselID }},
	{title: "VOYAGE", value: func(c consignment) string { return c.VoyageID }},
}

var containerColumns = []column[container]{
	{title: "NUMBER", value: func(c container) string { return c.Number }},
	{title: "TYPE", value: func(c container) string { return c.Type }},
	{title: "ORIGIN", value: func(c container) string { return c.Origin }},
}

func consignmentCommand(r *remote) *cobra.Command {
	return group("consignment", "Consignments, the bookings of freight",
		consignmentCreateCommand(r), consignmentListCommand(r), consignmentGetCommand(r), consignmentCancelCommand(r))
}

func consignmentCreateCommand(r *remote) *cobra.Command {
	var (
		file, description             string
		from, to, notBefore, voyageID string
		weight                        int64
		count                         int
		containers                    []string
	)
	byHand := []string{"description", "weight", "containers", "container", "from", "to", "not-before", "voyage"}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Book freight",
		Long: "Book freight. With --from and --to it goes on a voyage that calls at both ports, without them on the oldest sailing\n" +
			"without ports that has room. Exit code 5 means that no sailing has room.",
		Example: `  fairway consignment create --description Tea --weight 5000 --containers 3
  fairway consignment create --description Tea --weight 5000 --from CNSHA --to NLRTM --not-before 2030-03-01 \
    --container number=CSQU3054383,type=22G1 --container "type=45G1,origin=Derby, United Kingdom"
  fairway consignment create --file deploy/samples/consignment.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				bodies, _, err := fileBodies(cmd, r, file, consignmentFields, false, byHand)
				if err != nil {
					return err
				}
				return create(cmd, r, "/consignments", bodies, false, "consignment", consignmentColumns)
			}
			if err := need(cmd, "description", "weight"); err != nil {
				return err
			}
			if err := exclude(cmd, "containers", "container"); err != nil {
				return err
			}
			list, err := parseContainers(count, containers)
			if err != nil {
				return err
			}
			body := map[string]any{"description": description, "weight": weight, "containers": list}
			if notBefore != "" {
				if notBefore, err = parseTime(notBefore); err != nil {
					return err
				}
			}
			for name, value := range map[string]string{"from": from, "to": to, "not_before": notBefore, "voyage_id": voyageID} {
				if value != "" {
					body[name] = value
				}
			}
			return create(cmd, r, "/consignments", []any{body}, false, "consignment", consignmentColumns)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "JSON file with one object, - for standard input")
	f.StringVar(&description, "description", "", "what it is")
	f.Int64Var(&weight, "weight", 0, "weight of all of it in kg")
	f.IntVar(&count, "containers", 0, "number of containers, of 1 TEU each")
	f.StringArrayVar(&containers, "container", nil, "one container: number=ISO6346,type=ISO6346,customer_id=ID,origin=TEXT, each optional; repeat it")
	f.StringVar(&from, "from", "", "UN/LOCODE of the port of loading")
	f.StringVar(&to, "to", "", "UN/LOCODE of the port of discharge")
	f.StringVar(&notBefore, "not-before", "", "earliest departure, a time or a date")
	f.StringVar(&voyageID, "voyage", "", "id of the voyage to go on")
	return r.attachKeyed(cmd)
}

// parseContainers makes count plain containers, or the described ones. The count is checked here only to bound what it makes.
func parseContainers(count int, described []string) ([]map[string]string, error) {
	if len(described) == 0 && (count < 1 || count > rule.MaxContainers) {
		return nil, usageError(fmt.Sprintf("--containers must be 1 to %d, or --container must describe each", rule.MaxContainers))
	}
	list := make([]map[string]string, max(count, len(described)))
	for i := range list {
		list[i] = map[string]string{}
	}
	for i, text := range described {
		var err error
		if list[i], err = pairs(text, "number", "type", "customer_id", "origin"); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func consignmentListCommand(r *remote) *cobra.Command {
	var (
		p               pages
		state, voyageID string
	)
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List your consignments and those on your voyages, newest first",
		Example: `  fairway consignment list --state CONFIRMED`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := filters(map[string]string{"state": strings.ToUpper(state), "voyage_id": voyageID})
			return printList(cmd, r, p, "/consignments", "consignments", filter, consignmentColumns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "only in this state: RECEIVED, CONFIRMED, REJECTED, CANCELLED or COMPLETED")
	f.StringVar(&voyageID, "voyage", "", "only on this voyage")
	p.attach(cmd)
	return r.attach(cmd)
}

// filters are the query parameters that were given.
func filters(given map[string]string) url.Values {
	query := url.Values{}
	for name, value := range given {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

func consignmentGetCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show one consignment and its containers",
		Example: `  fairway consignment get CONSIGNMENT_ID`,
		Args:    OneArg("an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := escape(args[0])
			if err != nil {
				return err
			}
			c, err := show(cmd.Context(), r, "/consignments/"+id, "consignment", consignmentColumns)
			if err != nil || len(c.Containers) == 0 {
				return err
			}
			fmt.Fprintln(r.streams.Out)
			return printTable(r.streams.Out, c.Containers, containerColumns)
		},
	}
	return r.attach(cmd)
}

func consignmentCancelCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel ID",
		Short:   "Cancel a consignment, which gives its room back",
		Example: `  fairway consignment cancel CONSIGNMENT_ID`,
		Args:    OneArg("an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := escape(args[0])
			if err != nil {
				return err
			}
			return create(cmd, r, "/consignments/"+id+"/cancel", []any{nil}, false, "consignment", consignmentColumns)
		},
	}
	return r.attachKeyed(cmd)
}
