package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func loginCommand(r *remote) *cobra.Command {
	var (
		email  string
		secret password
	)
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in and keep the token",
		Long: "Log in and keep the token, readable by you alone, under $XDG_CONFIG_HOME/fairway or ~/.config/fairway.\n" +
			"The password is asked for, unless --password-stdin or FAIRWAY_PASSWORD gives it.",
		Example: `  fairway login --email ada@example.com
  fairway login --email ada@example.com --password-stdin < secret`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "email"); err != nil {
				return err
			}
			c, err := r.anonymous()
			if err != nil {
				return err
			}
			defer c.close()
			word, err := secret.read(cmd.Context(), r.streams, false)
			if err != nil {
				return err
			}
			saved, err := r.logIn(cmd.Context(), c, email, word)
			if err != nil {
				return err
			}
			if r.asJSON() {
				return printJSON(r.streams.Out, saved)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "e-mail address")
	secret.attach(cmd)
	return r.attach(cmd)
}

// logIn exchanges a password for a token and keeps it. It gives the gateway's answer; people are told here.
func (r *remote) logIn(ctx context.Context, c *client, email, word string) (json.RawMessage, error) {
	store, err := newTokenStore(r.streams)
	if err != nil {
		return nil, err
	}
	data, err := c.post(ctx, "/sessions", map[string]string{"email": email, "password": word})
	if err != nil {
		return nil, err
	}
	saved, err := decode[savedToken](data)
	if err != nil {
		return nil, err
	}
	if saved.Token == "" {
		return nil, fmt.Errorf("the answer of %s has no token", r.address)
	}
	if err := store.save(r.address, saved); err != nil {
		return nil, err
	}
	if r.asJSON() {
		return data, nil
	}
	until := ""
	if !saved.ExpiresAt.IsZero() {
		until = " until " + saved.ExpiresAt.UTC().Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(r.streams.Out, "Logged in at %s as %s%s.\n", clean(r.address), clean(email), until)
	return data, err
}

func logoutCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "logout",
		Short:   "Forget the token",
		Example: `  fairway logout`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := r.check(); err != nil {
				return err
			}
			store, err := newTokenStore(r.streams)
			if err != nil {
				return err
			}
			was, err := store.forget(r.address)
			if err != nil {
				return err
			}
			text := "Was not logged in at " + r.address + "."
			if was {
				text = "Logged out at " + r.address + "."
			}
			_, err = fmt.Fprintln(r.streams.Out, clean(text))
			return err
		},
	}
	return r.attachAddress(cmd)
}
