package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// user is an account as people see it.
type user struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Company string   `json:"company"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles"`
}

var userColumns = []column[user]{
	{title: "ID", value: func(u user) string { return u.ID }},
	{title: "NAME", value: func(u user) string { return u.Name }},
	{title: "COMPANY", value: func(u user) string { return u.Company }},
	{title: "EMAIL", value: func(u user) string { return u.Email }},
	{title: "ROLES", value: func(u user) string { return strings.Join(u.Roles, ", ") }},
}

func userCommand(r *remote) *cobra.Command {
	return group("user", "Accounts", userCreateCommand(r))
}

func userCreateCommand(r *remote) *cobra.Command {
	var (
		body struct {
			Name     string   `json:"name"`
			Company  string   `json:"company"`
			Email    string   `json:"email"`
			Password string   `json:"password"`
			Roles    []string `json:"roles,omitempty"`
		}
		login  bool
		secret password
	)
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Sign up",
		Long:  "Sign up. The password is asked for, unless --password-stdin or FAIRWAY_PASSWORD gives it.",
		Example: `  fairway user create --name Ada --company Engines --email ada@example.com --login
  fairway user create --name Cy --company Lines --email cy@example.com --role carrier --password-stdin < secret`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "name", "email"); err != nil {
				return err
			}
			keys, err := r.keys(1, false)
			if err != nil {
				return err
			}
			c, err := r.anonymous()
			if err != nil {
				return err
			}
			defer c.close()
			if body.Password, err = secret.read(cmd.Context(), r.streams, true); err != nil {
				return err
			}
			data, err := c.change(cmd.Context(), "/users", keys[0], body)
			if err != nil {
				return nameKey(err, r.key)
			}
			if _, err = printMember(r, data, "user", userColumns); err != nil || !login {
				return err
			}
			_, err = r.logIn(cmd.Context(), c, body.Email, body.Password)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&body.Name, "name", "", "full name")
	f.StringVar(&body.Company, "company", "", "company")
	f.StringVar(&body.Email, "email", "", "e-mail address, with which you log in")
	f.StringArrayVar(&body.Roles, "role", nil, "shipper or carrier, may be repeated (both when not given)")
	f.BoolVar(&login, "login", false, "log in afterwards, as fairway login does")
	secret.attach(cmd)
	return r.attachKeyed(cmd)
}

func whoamiCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "Show whose token it is",
		Example: `  fairway whoami`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := show(cmd.Context(), r, "/users/me", "user", userColumns)
			return err
		},
	}
	return r.attach(cmd)
}
