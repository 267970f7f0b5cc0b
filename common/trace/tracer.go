// Package trace gives every request one trace id, from the HTTP request to the log entry that it caused.
//
// Ids and context travel as W3C Trace Context (traceparent and tracestate) over HTTP, RPC metadata and events, whether or
// not spans are recorded. Spans are made with OpenTracing and jaeger-client-go and sent to a Jaeger agent or collector
// where one is configured; without one the ids are still there for logs and answers.
package trace

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/uber/jaeger-client-go"
	"github.com/uber/jaeger-client-go/transport"
)

// Config says where spans go.
type Config struct {
	// Service is the name that spans are shown under.
	Service string
	// Jaeger is the agent's host:port (UDP, thrift compact) or the collector's http or https URL; empty records nothing.
	Jaeger string
	// Sample is the share of traces that is recorded, 0 to 1. A trace that began elsewhere keeps the decision made there.
	Sample float64
}

// Tracer makes the spans of one service. It is safe for concurrent use.
type Tracer struct {
	spans  opentracing.Tracer
	closer io.Closer
}

// New makes a tracer. It does not wait for Jaeger, and a Jaeger that is away costs spans, never requests.
func New(cfg Config) (*Tracer, error) {
	sampler, reporter, err := cfg.parts()
	if err != nil {
		return nil, fmt.Errorf("tracing to %q: %w", cfg.Jaeger, err)
	}
	spans, closer := jaeger.NewTracer(cfg.Service, sampler, reporter,
		jaeger.TracerOptions.Gen128Bit(true), // W3C trace ids have 128 bits
		jaeger.TracerOptions.HighTraceIDGenerator(highID),
	)
	return &Tracer{spans: spans, closer: closer}, nil
}

// highID makes the first half of a trace id: the time since 1970 as seconds and their fraction, 32 bits each. So ids rise with
// time, and an index by trace is written where it was written last: with chance in place of the fraction, every entry of the
// log dirtied a page of its own, which was a sixth of all that a booking wrote. The second half, all chance, is more than the 56 bits
// that W3C Trace Context asks for (level 2, section 3.2.2.3).
func highID() uint64 {
	now := time.Now()
	return uint64(now.Unix())<<32 | uint64(now.Nanosecond())<<32/uint64(time.Second)
}

func (cfg Config) parts() (jaeger.Sampler, jaeger.Reporter, error) {
	if cfg.Jaeger == "" {
		return jaeger.NewConstSampler(false), jaeger.NewNullReporter(), nil
	}
	sampler, err := jaeger.NewProbabilisticSampler(cfg.Sample)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(cfg.Jaeger, "http://") || strings.HasPrefix(cfg.Jaeger, "https://") {
		return sampler, jaeger.NewRemoteReporter(transport.NewHTTPTransport(cfg.Jaeger)), nil
	}
	agent, err := jaeger.NewUDPTransport(cfg.Jaeger, 0)
	if err != nil {
		return nil, nil, err
	}
	return sampler, jaeger.NewRemoteReporter(agent), nil
}

// Close sends the spans that wait and ends the tracer.
func (t *Tracer) Close() error { return t.closer.Close() }

// Serve begins the handling of a request that came from outside the process. It continues the trace that the request's
// header names (traceparent, or Jaeger's uber-trace-id) and starts one where there is none or it is malformed.
func (t *Tracer) Serve(ctx context.Context, operation string, header func(key string) string) (context.Context, *Span) {
	parent, ok := parse(header)
	if !ok {
		return t.start(ctx, operation, ext.SpanKindRPCServer)
	}
	ctx = context.WithValue(ctx, contextKey{}, parent)
	if !parent.span.IsSampled() {
		return ctx, nil
	}
	return t.start(ctx, operation, ext.SpanKindRPCServer)
}

// Call begins a call to another service, as a part of the trace of ctx, or of a new one when ctx has none. In a trace that is
// not recorded it costs nothing and the span is nil, which every method of Span accepts.
func (t *Tracer) Call(ctx context.Context, operation string) (context.Context, *Span) {
	if parent, ok := from(ctx); ok && !parent.span.IsSampled() {
		return ctx, nil
	}
	return t.start(ctx, operation, ext.SpanKindRPCClient)
}

func (t *Tracer) start(ctx context.Context, operation string, options ...opentracing.StartSpanOption) (context.Context, *Span) {
	here := position{}
	if parent, ok := from(ctx); ok {
		options = append(options, opentracing.ChildOf(parent.span))
		here.state = parent.state
	}
	span := t.spans.StartSpan(operation, options...)
	here.span, _ = span.Context().(jaeger.SpanContext)
	return context.WithValue(ctx, contextKey{}, here), &Span{span: span}
}

// Span is a piece of work within a trace. A nil Span records nothing.
type Span struct {
	span opentracing.Span
}

// Tag notes something about the work. Never tag what must not leave the process, such as e-mails or tokens.
func (s *Span) Tag(key string, value any) {
	if s != nil {
		s.span.SetTag(key, value)
	}
}

// End closes the span, marked as failed when err is not nil.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		ext.Error.Set(s.span, true)
		s.span.SetTag("error.message", err.Error())
	}
	s.span.Finish()
}
