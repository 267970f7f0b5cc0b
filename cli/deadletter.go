package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// letter is a dead letter as people see it.
type letter struct {
	Service       string      `json:"service"`
	ID            string      `json:"id"`
	Source        string      `json:"source"`
	Type          string      `json:"type"`
	EntityID      string      `json:"entity_id"`
	Reason        string      `json:"reason"`
	Attempts      json.Number `json:"attempts"`
	FailedAt      string      `json:"failed_at"`
	Payload       string      `json:"payload"`
	PayloadBase64 string      `json:"payload_base64"`
}

// name is what the other commands take.
func (l letter) name() string { return l.Service + "/" + l.ID }

var letterColumns = []column[letter]{
	{title: "LETTER", value: letter.name, whole: true},
	{title: "TYPE", value: func(l letter) string { return l.Type }},
	{title: "ENTITY", value: func(l letter) string { return l.EntityID }},
	{title: "ATTEMPTS", value: func(l letter) string { return l.Attempts.String() }},
	{title: "FAILED AT", value: func(l letter) string { return milliseconds(l.FailedAt) }},
	{title: "REASON", value: func(l letter) string { return l.Reason }},
	{title: "TOPIC", value: func(l letter) string { return l.Source }, rare: true},
	{title: "PAYLOAD", value: func(l letter) string { return l.Payload }, rare: true},
	{title: "IN BASE64", value: func(l letter) string { return l.PayloadBase64 }, rare: true},
}

func deadLetterCommand(r *remote) *cobra.Command {
	return group("deadletter", "Dead letters, events that a service could not handle (for admins)",
		deadLetterListCommand(r), deadLetterShowCommand(r), deadLetterRedriveCommand(r), deadLetterDropCommand(r))
}

func deadLetterListCommand(r *remote) *cobra.Command {
	var (
		p       pages
		service string
	)
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters of a service, newest first",
		Example: `  fairway deadletter list --service consignment`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := filters(map[string]string{"service": service})
			return printList(cmd, r, p, "/dead-letters", "dead_letters", filter, letterColumns)
		},
	}
	cmd.Flags().StringVar(&service, "service", "log", "service that could not handle them: log or consignment")
	p.attach(cmd)
	return r.attach(cmd)
}

func deadLetterShowCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show SERVICE/ID",
		Short:   "Show one dead letter with the message as it came",
		Example: `  fairway deadletter show log/EVENT_ID`,
		Args:    OneArg("a SERVICE/ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := letterPath(args[0])
			if err != nil {
				return err
			}
			_, err = show(cmd.Context(), r, path, "dead_letter", letterColumns)
			return err
		},
	}
	return r.attach(cmd)
}

func deadLetterRedriveCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redrive SERVICE/ID",
		Short: "Let the service handle the event again, once the cause is gone",
		Long: "Let the service handle the event again, once the cause is gone. When it can, the letter is gone too. When it fails\n" +
			"again, the letter stays, with the new reason, and the exit code is 5.",
		Example: `  fairway deadletter redrive log/EVENT_ID`,
		Args:    OneArg("a SERVICE/ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := letterPath(args[0])
			if err != nil {
				return err
			}
			c, err := r.signedIn()
			if err != nil {
				return err
			}
			defer c.close()
			if _, err := c.post(cmd.Context(), path+"/redrive", nil); err != nil || r.asJSON() {
				return err
			}
			_, err = fmt.Fprintf(r.streams.Out, "%s is handled, and no dead letter any more.\n", clean(args[0]))
			return err
		},
	}
	return r.attach(cmd)
}

func deadLetterDropCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drop SERVICE/ID",
		Short: "Give the event up for good",
		Long: "Give the event up for good. It is printed with the message as it came, and that is the last copy that the service\n" +
			"had of it.",
		Example: `  fairway deadletter drop log/EVENT_ID`,
		Args:    OneArg("a SERVICE/ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := letterPath(args[0])
			if err != nil {
				return err
			}
			c, err := r.signedIn()
			if err != nil {
				return err
			}
			defer c.close()
			dropped, err := c.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			if err := c.delete(cmd.Context(), path); err != nil {
				return err
			}
			if !r.asJSON() {
				fmt.Fprintf(r.streams.Out, "Dropped %s for good:\n\n", clean(args[0]))
			}
			_, err = printMember(r, dropped, "dead_letter", letterColumns)
			return err
		},
	}
	return r.attach(cmd)
}

// letterPath is the path of the letter that SERVICE/ID names.
func letterPath(name string) (string, error) {
	service, id, whole := strings.Cut(name, "/")
	if !whole || strings.Contains(id, "/") {
		return "", usageError(fmt.Sprintf("%q is not SERVICE/ID, such as log/EVENT_ID: fairway deadletter list shows them", name))
	}
	service, err := escape(service)
	if err != nil {
		return "", err
	}
	if id, err = escape(id); err != nil {
		return "", err
	}
	return "/dead-letters/" + service + "/" + id, nil
}
