package app

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/fairwayfreight/fairway/common/trace"
	"github.com/fairwayfreight/fairway/config"
)

// NewLogger makes the process's log: text for a terminal, JSON for programs, with the trace id of the context in every line.
func NewLogger(cfg config.Log, w io.Writer, terminal bool) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" || cfg.Format == "auto" && terminal {
		return slog.New(trace.LogHandler(slog.NewTextHandler(w, options))), nil
	}
	return slog.New(trace.LogHandler(slog.NewJSONHandler(w, options))), nil
}
