package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

// vessel is a vessel as people see it. Numbers are shown as the gateway wrote them.
type vessel struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	IMO       string      `json:"imo"`
	Capacity  json.Number `json:"capacity"`
	MaxWeight json.Number `json:"max_weight"`
}

var vesselColumns = []column[vessel]{
	{title: "ID", value: func(v vessel) string { return v.ID }},
	{title: "NAME", value: func(v vessel) string { return v.Name }},
	{title: "IMO", value: func(v vessel) string { return v.IMO }},
	{title: "CAPACITY TEU", value: func(v vessel) string { return v.Capacity.String() }},
	{title: "MAX WEIGHT KG", value: func(v vessel) string { return v.MaxWeight.String() }},
}

func vesselCommand(r *remote) *cobra.Command {
	return group("vessel", "Vessels, which carriers offer", vesselCreateCommand(r), vesselListCommand(r), vesselGetCommand(r))
}

func vesselCreateCommand(r *remote) *cobra.Command {
	var (
		file, name, imo     string
		capacity, maxWeight int64
		openSailing         bool
	)
	byHand := []string{"name", "capacity", "max-weight", "imo", "open-sailing"}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Offer a vessel, or several from a file",
		Long: "Offer a vessel. Unless --open-sailing=false, one sailing without ports is opened with it, on which freight can be\n" +
			"booked at once. A file holds one JSON object or a list of them; a list stops at the first that is refused.",
		Example: `  fairway vessel create --name Vessel1 --capacity 500 --max-weight 200000
  fairway vessel create --file deploy/samples/vessel.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				if err := need(cmd, "name", "capacity", "max-weight"); err != nil {
					return err
				}
				body := map[string]any{"name": name, "capacity": capacity, "max_weight": maxWeight}
				if imo != "" {
					body["imo"] = imo
				}
				if cmd.Flags().Changed("open-sailing") {
					body["open_sailing"] = openSailing
				}
				return create(cmd, r, "/vessels", []any{body}, false, "vessel", vesselColumns)
			}
			bodies, many, err := fileBodies(cmd, r, file, vesselFields, true, byHand)
			if err != nil {
				return err
			}
			return create(cmd, r, "/vessels", bodies, many, "vessel", vesselColumns)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "JSON file, - for standard input")
	f.StringVar(&name, "name", "", "name")
	f.Int64Var(&capacity, "capacity", 0, "capacity in TEU")
	f.Int64Var(&maxWeight, "max-weight", 0, "most weight of freight in kg")
	f.StringVar(&imo, "imo", "", "IMO ship number")
	f.BoolVar(&openSailing, "open-sailing", true, "open a sailing without ports with it")
	return r.attachKeyed(cmd)
}

func vesselListCommand(r *remote) *cobra.Command {
	var p pages
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List vessels, newest first",
		Example: `  fairway vessel list --all -o json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printList(cmd, r, p, "/vessels", "vessels", nil, vesselColumns)
		},
	}
	p.attach(cmd)
	return r.attach(cmd)
}

func vesselGetCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show one vessel",
		Example: `  fairway vessel get VESSEL_ID`,
		Args:    OneArg("an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := escape(args[0])
			if err != nil {
				return err
			}
			_, err = show(cmd.Context(), r, "/vessels/"+id, "vessel", vesselColumns)
			return err
		},
	}
	return r.attach(cmd)
}
