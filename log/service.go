package log

import (
	"context"
	"fmt"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/event"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// sources are the services whose events are logged.
var sources = []string{"user", "vessel", "consignment"}

// Serve opens the entries in s.DB, subscribes to the events of the other services, each of which becomes an entry, and
// registers logpb.LogService. It has no background work and calls nobody.
func Serve(ctx context.Context, s *app.Service) error {
	entries, err := openEntries(ctx, s.DB)
	if err != nil {
		return err
	}
	inbox := event.NewInbox(entries, fromEvent)
	for _, source := range sources {
		if err := s.Broker.Subscribe(event.Topic(source), Name, inbox.Handle); err != nil {
			return fmt.Errorf("subscribe to the events of %s: %w", source, err)
		}
	}
	return logpb.RegisterLogServiceHandler(s.Server, &handler{entries: entries})
}
