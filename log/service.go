package log

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/event"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// sources are the services whose events are logged.
var sources = []string{"user", "vessel", "consignment"}

// Serve opens the entries and the signed heads in s.DB, subscribes to the events of the other services, each of which becomes
// an entry or a dead letter, and registers logpb.LogService and logpb.DeadLetterService. In the background it appends and
// signs the heads of the chains, with the key service-log.pem. It calls nobody.
func Serve(ctx context.Context, s *app.Service) error {
	blocks, err := openBlocks(ctx, s.DB)
	if err != nil {
		return err
	}
	heads, err := openHeads(ctx, s.DB)
	if err != nil {
		return err
	}
	key, err := signingKey(s.Keys)
	if err != nil {
		return err
	}
	entries := newAppender(blocks, s.Now)
	s.Background("append entries", entries.run)

	seal := &notary{store: heads, blocks: blocks, heads: entries.heads, key: key, now: s.Now}
	s.Every("sign the heads of the chains", signEvery, seal.signMinute)
	s.OnStop(seal.signLast)

	letters, err := event.OpenDeadLetters(ctx, s.DB)
	if err != nil {
		return err
	}
	consumer := event.NewConsumer(entries.append, letters, s.Now, s.Log)
	for _, source := range sources {
		if err := s.Broker.Subscribe(event.Topic(source), Name, consumer.Handle); err != nil {
			return fmt.Errorf("subscribe to the events of %s: %w", source, err)
		}
	}
	if err := logpb.RegisterDeadLetterServiceHandler(s.Server, event.NewDeadLetterHandler(consumer)); err != nil {
		return err
	}
	return logpb.RegisterLogServiceHandler(s.Server, &handler{
		blocks: blocks,
		heads:  heads,
		key:    key.Public().(ed25519.PublicKey),
	})
}
