package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/trace"
)

// trace puts the request into the trace that its traceparent names, or a new one, and says which one in the answer.
func (g *Gateway) trace(c *gin.Context) {
	ctx, span := g.deps.Tracer.Serve(c.Request.Context(), c.Request.Method+" "+routeOf(c), c.GetHeader)
	c.Request = c.Request.WithContext(ctx)
	c.Header("X-Trace-Id", trace.ID(ctx))
	c.Next()

	span.Tag("http.method", c.Request.Method)
	span.Tag("http.status_code", c.Writer.Status())
	span.End(failure(c))
}

// accessLog writes one line per request. What clients send stays out of it: bodies, queries, tokens, addresses, and paths,
// of which it shows the route.
func (g *Gateway) accessLog(c *gin.Context) {
	start := time.Now()
	c.Next()

	ctx := c.Request.Context()
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method),
		slog.String("route", routeOf(c)),
		slog.Int("status", c.Writer.Status()),
		slog.Float64("duration_ms", float64(time.Since(start))/float64(time.Millisecond)),
	}
	if caller, ok := auth.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("caller", caller.UserID))
	}
	if err := failure(c); err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if isProbe(c) {
		level = slog.LevelDebug // several a second, all alike
	}
	g.deps.Log.LogAttrs(ctx, level, "request", attrs...)
}

// failure is the error of a request that failed on our side, nil for one that went well or was the caller's mistake.
func failure(c *gin.Context) error {
	if last := c.Errors.Last(); last != nil && c.Writer.Status() >= http.StatusInternalServerError {
		return last.Err
	}
	return nil
}

// routeOf is the route's pattern, which has no ids in it.
func routeOf(c *gin.Context) string {
	if route := c.FullPath(); route != "" {
		return route
	}
	return "unmatched"
}

// recover turns a panic into an answer without internals; the log gets the stack.
func (g *Gateway) recover(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { // a wish to cut the connection, not a defect
			panic(v)
		}
		g.deps.Log.ErrorContext(c.Request.Context(), "panic in a request",
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		refuse(c, errors.New("the request panicked"))
	}()
	c.Next()
}

// secure sets headers for browsers: answers are data, to be neither guessed at, framed, run nor kept.
func secure(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
	c.Header("Cache-Control", "no-store")
	c.Next()
}

// deadline bounds the time that a request takes.
func (g *Gateway) deadline(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), g.cfg.RequestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

func isProbe(c *gin.Context) bool {
	return c.FullPath() == healthPath || c.FullPath() == readyPath
}
