package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/fairwayfreight/fairway/common/broker"
	"github.com/fairwayfreight/fairway/common/broker/inprocess"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/config"
)

// openBroker makes the broker that is configured.
func openBroker(cfg config.Broker) (broker.Broker, error) {
	switch cfg.Kind {
	case "memory":
		return inprocess.New(), nil
	}
	return nil, fmt.Errorf("broker.kind %q is not known", cfg.Kind)
}

// openStore opens a service's documents in the database that is configured.
func (p *Process) openStore(ctx context.Context, service string, log *slog.Logger) (store.DB, error) {
	switch p.cfg.Store.Kind {
	case "sqlite":
		// An error must not become a DB that is not nil.
		db, err := sqlite.Open(ctx, filepath.Join(p.cfg.Data.Dir, service+".db"), sqlite.Options{Logger: log, Now: p.now})
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	return nil, fmt.Errorf("store.kind %q is not known", p.cfg.Store.Kind)
}

// exclusive tells whether the documents of a service can be open in one process only: SQLite's file is locked.
func (p *Process) exclusive() bool { return p.cfg.Store.Kind == "sqlite" }
