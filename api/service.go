package api

import (
	"context"

	"github.com/fairwayfreight/fairway/common/app"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Name is the gateway's name among the services.
const Name = "api"

// Serve makes the gateway of s, which needs no documents: only a client of the four services and the verifier of tokens.
// It takes api.address when all services of the process have started, and announces it. If it cannot go on serving, the
// process stops.
func Serve(_ context.Context, s *app.Service) error {
	gateway := New(Config{
		RequestTimeout: s.Config.API.RequestTimeout,
		MaxBody:        s.Config.API.MaxBody,
		DrainDelay:     s.Config.API.DrainDelay,
	}, Deps{
		Users:        userpb.NewUserService("user", s.Client),
		Vessels:      vesselpb.NewVesselService("vessel", s.Client),
		Consignments: consignmentpb.NewShippingService("consignment", s.Client),
		Logs:         logpb.NewLogService("log", s.Client),
		DeadLetters: map[string]DeadLetterService{
			"log":         logpb.NewDeadLetterService("log", s.Client),
			"consignment": consignmentpb.NewDeadLetterService("consignment", s.Client),
		},
		Verifier: s.Verifier,
		Tracer:   s.Tracer,
		Log:      s.Log,
		Ready:    s.Missing,
	})
	s.OnStart(func(context.Context) error {
		server, err := Listen(s.Config.API.Address, gateway)
		if err != nil {
			return err
		}
		s.Announce(server.Addr())
		gateway.settleReadiness()
		s.OnStop(server.Stop)
		go func() {
			if err := server.Serve(); err != nil {
				s.Fail(err)
			}
		}()
		return nil
	})
	return nil
}
