package serve

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/config"
)

// StartWith starts all services as Start does, shows each to look when it has been assembled, and more parts beside them.
func StartWith(ctx context.Context, cfg config.Config, log *slog.Logger, look func(*app.Service), more ...app.Part) (*Fairway, error) {
	process, err := app.Open(cfg, log, Names())
	if err != nil {
		return nil, err
	}
	f := &Fairway{process: process, timeout: cfg.Stop.Timeout}
	f.stop = sync.OnceValue(f.stopOnce)
	for _, part := range slices.Concat(parts, more) {
		serve := part.Serve
		part.Serve = func(ctx context.Context, s *app.Service) error {
			look(s)
			return serve(ctx, s)
		}
		if err := process.Add(ctx, part); err != nil {
			return nil, errors.Join(err, f.Stop())
		}
	}
	if err := process.Start(ctx); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}
