package user

import (
	"context"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// Serve opens the accounts in s.DB and registers userpb.UserService. In the background it relays the accounts' events. It
// needs the key that signs people's tokens, which no other service does.
func Serve(ctx context.Context, s *app.Service) error {
	accounts, err := openAccounts(ctx, s.DB)
	if err != nil {
		return err
	}
	key, err := s.Keys.Tokens()
	if err != nil {
		return err
	}
	passwords, err := newHasher(int64(s.Config.Auth.HashConcurrency), int64(s.Config.Auth.HashQueue))
	if err != nil {
		return err
	}
	s.Background("relay", event.NewRelay(s.Broker, Name, s.Log, accounts.Outbox()).Run)
	return userpb.RegisterUserServiceHandler(s.Server, &handler{
		accounts:  accounts,
		passwords: passwords,
		tokens:    auth.NewIssuer(key, s.Config.Auth.TokenTTL, s.Now),
		verifier:  s.Verifier,
		now:       s.Now,
	})
}
