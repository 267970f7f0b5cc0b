package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
)

// Recovery turns a panic of what it wraps into an Internal error with a general sentence, and logs the panic with its stack.
// A [Server] survives panics without it; it belongs inside the wrappers that observe calls (tracing, access log, metrics), so
// that these see an error like any other.
func Recovery(log *slog.Logger) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = panicked(ctx, log, req, p, debug.Stack())
				}
			}()
			return next(ctx, req, rsp)
		}
	}
}

func panicked(ctx context.Context, log *slog.Logger, req server.Request, p any, stack []byte) error {
	log.ErrorContext(ctx, "panic in call", "method", req.Endpoint(), "panic", fmt.Sprint(p), "stack", string(stack))
	return logged{fault.From(fmt.Errorf("panic: %v", p))}
}

// AccessLog writes one line per call when it ends: method, code ("ok" or a fault code) and duration in milliseconds. Which
// service and which trace it was is for the logger to say. Failures of this side (internal, unavailable, deadline_exceeded,
// overloaded) come with the whole error. Of these internal and deadline_exceeded are warnings. All else is at level debug:
// unavailable and overloaded answer every single call for as long as an outage lasts, and warnings would fill the log just
// then. Bodies and headers are never logged.
func AccessLog(log *slog.Logger) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			start := time.Now()
			err := next(ctx, req, rsp)
			level, code := slog.LevelDebug, "ok"
			if err != nil {
				c := fault.CodeOf(err)
				code = string(c)
				level = levelOf(c)
			}
			if !log.Enabled(ctx, level) {
				return err
			}
			attrs := []slog.Attr{
				slog.String("method", req.Endpoint()), slog.String("code", code),
				slog.Float64("duration_ms", float64(time.Since(start))/float64(time.Millisecond)),
			}
			if already := (logged{}); ourFailure(fault.Code(code)) && !errors.As(err, &already) {
				attrs = append(attrs, slog.Any("error", err))
				err = logged{err}
			}
			log.LogAttrs(ctx, level, "call", attrs...)
			return err
		}
	}
}

func ourFailure(c fault.Code) bool {
	switch c {
	case fault.Internal, fault.Unavailable, fault.DeadlineExceeded, fault.Overloaded:
		return true
	}
	return false
}

func levelOf(c fault.Code) slog.Level {
	if c == fault.Internal || c == fault.DeadlineExceeded {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// logged marks an error whose cause is in the log already.
type logged struct{ error }

func (l logged) Unwrap() error { return l.error }
