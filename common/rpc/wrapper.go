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
	log.ErrorContext(ctx, "panic in call", "service", req.Service(), "method", req.Endpoint(), "panic", fmt.Sprint(p), "stack", string(stack))
	return logged{fault.Wrap(fault.Internal, fmt.Errorf("panic: %v", p), "something went wrong on our side")}
}

// AccessLog writes one line per call when it ends: service, method, code ("ok" or a fault code), duration and the trace id
// that traceID finds in the context (nil for none). Failures of this side (internal, unavailable, deadline_exceeded,
// overloaded) are warnings with the whole error, everything else is at level debug. Bodies and headers are never logged.
func AccessLog(log *slog.Logger, traceID func(context.Context) string) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			start := time.Now()
			err := next(ctx, req, rsp)
			level, code := slog.LevelDebug, "ok"
			if err != nil {
				c := fault.CodeOf(err)
				code = string(c)
				if ourFailure(c) {
					level = slog.LevelWarn
				}
			}
			if !log.Enabled(ctx, level) {
				return err
			}
			attrs := []slog.Attr{
				slog.String("service", req.Service()), slog.String("method", req.Endpoint()),
				slog.String("code", code), slog.Duration("duration", time.Since(start)),
			}
			if traceID != nil {
				if id := traceID(ctx); id != "" {
					attrs = append(attrs, slog.String("trace_id", id))
				}
			}
			if already := (logged{}); level == slog.LevelWarn && !errors.As(err, &already) {
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

// logged marks an error whose cause is in the log already.
type logged struct{ error }

func (l logged) Unwrap() error { return l.error }
