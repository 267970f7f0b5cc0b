package serve

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go-micro.dev/v4/client"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/config"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	"github.com/fairwayfreight/fairway/user"
)

// AdminCommand is "fairway admin". It is the only way to make an admin: whoever can read the operator's key may.
func AdminCommand(streams cli.Streams) *cobra.Command {
	admin := &cobra.Command{
		Use:   "admin",
		Short: "Make people admins, as the operator of Fairway",
		Example: `  fairway admin grant ada@example.com
  fairway admin revoke ada@example.com --keys.dir /etc/fairway/keys`,
	}
	const how = "\nIt asks the Fairway that runs at rpc.address, as the operator, whose key is in keys.dir. Repeating it is harmless."
	admin.AddCommand(
		grantCommand(streams, true, &cobra.Command{
			Use:     "grant EMAIL",
			Short:   "Give an account the role admin",
			Long:    "Give an account the role admin, which sees everything. It counts from the next log-in on." + how,
			Example: `  fairway admin grant ada@example.com`,
		}),
		grantCommand(streams, false, &cobra.Command{
			Use:   "revoke EMAIL",
			Short: "Take the role admin back",
			Long: "Take the role admin back. It counts from the next log-in on: a token has the roles of when it was made, until it\n" +
				"expires (auth.token_ttl)." + how,
			Example: `  fairway admin revoke ada@example.com --keys.dir /etc/fairway/keys`,
		}),
	)
	return admin
}

// grantCommand makes cmd give the role, or take it back.
func grantCommand(streams cli.Streams, admin bool, cmd *cobra.Command) *cobra.Command {
	cmd.Args = cli.OneArg("an EMAIL")
	load := cli.ConfigFlags(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		if err := grant(cmd.Context(), cfg, args[0], admin); err != nil {
			return err
		}
		done := "%q is an admin from the next log-in on.\n"
		if !admin {
			done = "%q is no admin from the next log-in on; tokens made before keep the role until they expire.\n"
		}
		_, err = fmt.Fprintf(streams.Out, done, args[0])
		return err
	}
	return cmd
}

// grant calls the user service at rpc.address as the operator.
func grant(ctx context.Context, cfg config.Config, email string, admin bool) error {
	key, err := auth.KeyDir(cfg.KeysDir()).Service(auth.Operator)
	if err != nil {
		return fmt.Errorf("%w%s", err, whichKeys)
	}
	calls := rpc.NewClient(rpc.ClientConfig{Timeout: cfg.RPC.Timeout},
		auth.ClientWrapper(auth.NewServiceTokens(auth.Operator, key, time.Now)))
	defer calls.Close()
	req := &userpb.GrantRequest{Email: email, Admin: admin}
	if _, err := userpb.NewUserService(user.Name, calls).Grant(ctx, req, client.WithAddress(cfg.RPC.Address)); err != nil {
		return refusedGrant{fault.From(err), cfg, email}
	}
	return nil
}

// whichKeys follows what is wrong with a key.
const whichKeys = "\nName the keys that Fairway runs on with --keys.dir or --data.dir. Fairway knows a new key from its next start on."

// refusedGrant says in the operator's terms why a grant failed.
type refusedGrant struct {
	fault *fault.Error
	cfg   config.Config
	email string
}

func (r refusedGrant) Unwrap() error { return r.fault }

func (r refusedGrant) Error() string {
	at := r.cfg.RPC.Address
	switch r.fault.Code {
	case fault.NotFound:
		return fmt.Sprintf("there is no account with the e-mail %q", r.email)
	case fault.Unauthenticated:
		return fmt.Sprintf("Fairway at %s does not know the operator's key in %s%s", at, r.cfg.KeysDir(), whichKeys)
	case fault.Unavailable:
		return fmt.Sprintf("no Fairway answers at %s: is it running there? --rpc.address names another place", at)
	}
	return fmt.Sprintf("Fairway at %s: %s", at, r.fault.Message)
}
