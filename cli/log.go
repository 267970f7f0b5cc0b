package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// entry is one line of the log as people see it.
type entry struct {
	At         string `json:"at"`
	Action     string `json:"action"`
	EntityType string `json:"entity_type"`
	EntityID   string `json:"entity_id"`
	ActorID    string `json:"actor_id"`
	TraceID    string `json:"trace_id"`
}

var entryColumns = []column[entry]{
	{title: "AT", value: func(e entry) string { return milliseconds(e.At) }},
	{title: "ACTION", value: func(e entry) string { return e.Action }},
	{title: "ENTITY", value: func(e entry) string { return e.EntityType }},
	{title: "ID", value: func(e entry) string { return e.EntityID }},
	{title: "ACTOR", value: func(e entry) string { return e.ActorID }},
	{title: "TRACE", value: func(e entry) string { return e.TraceID }},
}

// milliseconds writes a time so that all of them are equally long. What is not a time stays as it is.
func milliseconds(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func logCommand(r *remote) *cobra.Command {
	var (
		p                            pages
		entity, actor, trace, action string
	)
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show who did what, when, to what, newest first",
		Long: "Show who did what, when, to what, newest first: your own actions and those on what is yours.\n\n" +
			"The actions, for --action:\n" +
			"  user         created, admin_granted, admin_revoked\n" +
			"  vessel       created\n" +
			"  voyage       opened, closed, departed, completed\n" +
			"  consignment  received, confirmed, rejected, cancelled, completed",
		Example: `  fairway log --limit 10
  fairway log --action confirmed
  fairway log --entity CONSIGNMENT_ID -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := filters(map[string]string{"entity_id": entity, "actor_id": actor, "trace_id": trace, "action": action})
			return printList(cmd, r, p, "/logs", "entries", filter, entryColumns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&entity, "entity", "", "only about the entity with this id")
	f.StringVar(&actor, "actor", "", "only done by the account with this id")
	f.StringVar(&trace, "trace", "", "only caused by the request with this trace id")
	f.StringVar(&action, "action", "", "only this action, such as confirmed")
	p.attach(cmd)
	cmd.AddCommand(logVerifyCommand(r))
	return r.attach(cmd)
}
