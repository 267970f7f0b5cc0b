package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// voyage is a sailing as people see it.
type voyage struct {
	ID       string `json:"id"`
	Number   string `json:"number"`
	VesselID string `json:"vessel_id"`
	State    string `json:"state"`
	CutOff   string `json:"cut_off"`
	Calls    []struct {
		Port string `json:"port"`
	} `json:"calls"`
	Legs []leg `json:"legs"`
}

// leg is the way between two port calls, with what it carries: TEU in steps of 0.25, kg.
type leg struct {
	From       string      `json:"from"`
	To         string      `json:"to"`
	Capacity   json.Number `json:"capacity"`
	Used       json.Number `json:"used"`
	Free       json.Number `json:"free"`
	MaxWeight  json.Number `json:"max_weight"`
	UsedWeight json.Number `json:"used_weight"`
}

var voyageColumns = []column[voyage]{
	{title: "ID", value: func(v voyage) string { return v.ID }},
	{title: "NUMBER", value: func(v voyage) string { return v.Number }},
	{title: "STATE", value: func(v voyage) string { return v.State }},
	{title: "VESSEL", value: func(v voyage) string { return v.VesselID }},
	{title: "ROUTE", value: voyage.route},
	{title: "FREE TEU", value: voyage.free},
	{title: "CUT-OFF", value: func(v voyage) string { return v.CutOff }, rare: true},
}

// route names the ports in order.
func (v voyage) route() string {
	ports := make([]string, len(v.Calls))
	for i, call := range v.Calls {
		ports[i] = call.Port
	}
	return strings.Join(ports, " > ")
}

// free is the room on the fullest leg, which is what a booking of the whole way can have.
func (v voyage) free() string {
	var least json.Number
	for i, l := range v.Legs {
		a, errA := l.Free.Float64()
		b, errB := least.Float64()
		if i == 0 || errA == nil && errB == nil && a < b {
			least = l.Free
		}
	}
	return least.String()
}

var legColumns = []column[leg]{
	{title: "FROM", value: func(l leg) string { return l.From }},
	{title: "TO", value: func(l leg) string { return l.To }},
	{title: "CAPACITY TEU", value: func(l leg) string { return l.Capacity.String() }},
	{title: "USED TEU", value: func(l leg) string { return l.Used.String() }},
	{title: "FREE TEU", value: func(l leg) string { return l.Free.String() }},
	{title: "MAX WEIGHT KG", value: func(l leg) string { return l.MaxWeight.String() }},
	{title: "USED WEIGHT KG", value: func(l leg) string { return l.UsedWeight.String() }},
}

func voyageCommand(r *remote) *cobra.Command {
	return group("voyage", "Voyages, on which freight is booked",
		voyageCreateCommand(r), voyageListCommand(r), voyageGetCommand(r),
		voyageStepCommand(r, "close", "End the booking of a voyage of yours"),
		voyageStepCommand(r, "depart", "Note that a voyage of yours has sailed: its bookings cannot be cancelled any more"),
		voyageStepCommand(r, "complete", "Note that a voyage of yours has ended: its confirmed consignments become COMPLETED"),
	)
}

func voyageCreateCommand(r *remote) *cobra.Command {
	var (
		vesselID, number, cutOff string
		capacity, maxWeight      int64
		calls                    []string
	)
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Add a voyage to a vessel of yours",
		Example: `  fairway voyage create --vessel VESSEL_ID --number 021W \
    --call CNSHA,departure=2030-03-01T08:00:00Z \
    --call SGSIN,arrival=2030-03-08T06:00:00Z,departure=2030-03-09T06:00:00Z \
    --call NLRTM,arrival=2030-04-02T12:00:00Z`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "vessel", "number", "call"); err != nil {
				return err
			}
			id, err := escape(vesselID)
			if err != nil {
				return err
			}
			body := map[string]any{"number": number}
			parsed := make([]map[string]string, len(calls))
			for i, call := range calls {
				if parsed[i], err = parseCall(call); err != nil {
					return err
				}
			}
			body["calls"] = parsed
			if cutOff != "" {
				if body["cut_off"], err = parseTime(cutOff); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("capacity") {
				body["capacity"] = capacity
			}
			if cmd.Flags().Changed("max-weight") {
				body["max_weight"] = maxWeight
			}
			return create(cmd, r, "/vessels/"+id+"/voyages", []any{body}, false, "voyage", voyageColumns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&vesselID, "vessel", "", "id of the vessel")
	f.StringVar(&number, "number", "", "voyage number")
	f.StringArrayVar(&calls, "call", nil, "port call: UN/LOCODE[,arrival=TIME][,departure=TIME]; repeat it in the order of the calls")
	f.StringVar(&cutOff, "cut-off", "", "when booking ends, a time or a date (the first departure when not given)")
	f.Int64Var(&capacity, "capacity", 0, "TEU offered on this voyage (the vessel's when not given)")
	f.Int64Var(&maxWeight, "max-weight", 0, "kg offered on this voyage (the vessel's when not given)")
	return r.attachKeyed(cmd)
}

// parseCall reads UN/LOCODE[,arrival=TIME][,departure=TIME].
func parseCall(text string) (map[string]string, error) {
	port, rest, more := strings.Cut(text, ",")
	call := make(map[string]string)
	if more {
		var err error
		if call, err = pairs(rest, "arrival", "departure"); err != nil {
			return nil, err
		}
	}
	for name, value := range call {
		at, err := parseTime(value)
		if err != nil {
			return nil, usageError(fmt.Sprintf("--call %s: %s %v", port, name, err))
		}
		call[name] = at
	}
	call["port"] = port
	return call, nil
}

// parseTime reads a time, or a date as its first moment, and gives it in UTC as RFC 3339 writes it.
func parseTime(s string) (string, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	return "", usageError(fmt.Sprintf("%q is not a time such as 2030-03-01T08:00:00Z or a date such as 2030-03-01", s))
}

func voyageListCommand(r *remote) *cobra.Command {
	var (
		p               pages
		from, to, after string
		teu, weight     int64
		open            bool
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List voyages, or look for those that fit, newest first",
		Example: `  fairway voyage list --limit 10
  fairway voyage list --open --from CNSHA --to NLRTM --after 2030-03-01 --teu 12 --weight 200000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{"from": from, "to": to}
			if after != "" {
				var err error
				if given["after"], err = parseTime(after); err != nil {
					return err
				}
			}
			for name, value := range map[string]any{"teu": teu, "weight": weight, "open": open} {
				if cmd.Flags().Changed(name) {
					given[name] = fmt.Sprint(value)
				}
			}
			return printList(cmd, r, p, "/voyages", "voyages", filters(given), voyageColumns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "only those on which freight can be loaded at this port (UN/LOCODE)")
	f.StringVar(&to, "to", "", "only those that call later at this port (UN/LOCODE)")
	f.StringVar(&after, "after", "", "only those that leave the port of loading at this time or later, a time or a date")
	f.Int64Var(&teu, "teu", 0, "only those with so many TEU free on the whole way")
	f.Int64Var(&weight, "weight", 0, "only those with so many kg free on the whole way")
	f.BoolVar(&open, "open", false, "only those that take bookings now; --open=false: only those that do not")
	p.attach(cmd)
	return r.attach(cmd)
}

func voyageGetCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show one voyage and the room on its legs",
		Example: `  fairway voyage get VOYAGE_ID`,
		Args:    OneArg("an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := escape(args[0])
			if err != nil {
				return err
			}
			v, err := show(cmd.Context(), r, "/voyages/"+id, "voyage", voyageColumns)
			if err != nil || len(v.Legs) == 0 {
				return err
			}
			fmt.Fprintln(r.streams.Out)
			return printTable(r.streams.Out, v.Legs, legColumns)
		},
	}
	return r.attach(cmd)
}

// voyageStepCommand takes a voyage a step further in its life.
func voyageStepCommand(r *remote, name, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Example: "  fairway voyage " + name + " VOYAGE_ID",
		Args:    OneArg("an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := escape(args[0])
			if err != nil {
				return err
			}
			return create(cmd, r, "/voyages/"+id+"/"+name, []any{nil}, false, "voyage", voyageColumns)
		},
	}
	return r.attachKeyed(cmd)
}
