package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"

	"github.com/uber/jaeger-client-go"

	"github.com/fairwayfreight/fairway/common/rpc"
)

// jaegerKey is the header under which Jaeger's own clients send a trace.
const jaegerKey = "uber-trace-id"

// maxState is the length up to which tracestate must be handed on (W3C Trace Context, section 3.3.1.5); longer ones are dropped.
const maxState = 512

// position is where in a trace a context stands.
type position struct {
	span  jaeger.SpanContext
	state string
}

type contextKey struct{}

func from(ctx context.Context) (position, bool) {
	p, ok := ctx.Value(contextKey{}).(position)
	return p, ok
}

// ID is the trace's id in 32 hex digits, or "" when ctx belongs to no trace.
func ID(ctx context.Context) string {
	p, ok := from(ctx)
	if !ok {
		return ""
	}
	return traceID(p.span)
}

// Headers are the values of traceparent and tracestate that continue the trace of ctx elsewhere, "" where there is none.
func Headers(ctx context.Context) (parent, state string) {
	p, ok := from(ctx)
	if !ok {
		return "", ""
	}
	flags := "-00"
	if p.span.IsSampled() {
		flags = "-01"
	}
	id := p.span.TraceID()
	text := append(make([]byte, 0, 55), "00-"...)
	text = appendHex(appendHex(text, id.High), id.Low)
	text = appendHex(append(text, '-'), uint64(p.span.SpanID()))
	return string(append(text, flags...)), p.state
}

// appendHex appends 16 hex digits.
func appendHex(b []byte, n uint64) []byte {
	return hex.AppendEncode(b, binary.BigEndian.AppendUint64(nil, n))
}

// Continue puts ctx into the trace that a traceparent names, as work that follows from it: events and settled leftovers.
// A malformed or empty traceparent leaves ctx as it is.
func Continue(ctx context.Context, traceparent string) context.Context {
	span, ok := parseParent(traceparent)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, position{span: span})
}

func traceID(span jaeger.SpanContext) string {
	id := span.TraceID()
	return string(appendHex(appendHex(make([]byte, 0, 32), id.High), id.Low))
}

func parse(header func(string) string) (position, bool) {
	if span, ok := parseParent(header(rpc.KeyTraceparent)); ok {
		state := header(rpc.KeyTracestate) // handed on unread
		if len(state) > maxState {
			state = ""
		}
		return position{span: span, state: state}, true
	}
	if text := header(jaegerKey); text != "" && len(text) < 100 {
		if span, err := jaeger.ContextFromString(text); err == nil && span.IsValid() {
			return position{span: span}, true
		}
	}
	return position{}, false
}

// parseParent reads a traceparent: version 00 exactly, later versions as far as version 00 reaches, as section 3.2.4 asks.
func parseParent(text string) (jaeger.SpanContext, bool) {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	var none jaeger.SpanContext
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return none, false
	}
	version := text[:2]
	if version == "ff" || (version == "00" && len(text) != length) || (len(text) > length && text[length] != '-') {
		return none, false
	}
	var raw [26]byte // version, trace id, span id, flags
	for _, part := range []struct{ from, to, at int }{{0, 2, 0}, {3, 35, 1}, {36, 52, 17}, {53, 55, 25}} {
		digits := text[part.from:part.to]
		for _, c := range []byte(digits) {
			if c >= 'A' && c <= 'F' { // the standard allows lower case alone
				return none, false
			}
		}
		if _, err := hex.Decode(raw[part.at:], []byte(digits)); err != nil {
			return none, false
		}
	}
	number := func(b []byte) (n uint64) {
		for _, x := range b {
			n = n<<8 | uint64(x)
		}
		return n
	}
	trace := jaeger.TraceID{High: number(raw[1:9]), Low: number(raw[9:17])}
	span := jaeger.SpanID(number(raw[17:25]))
	if !trace.IsValid() || span == 0 {
		return none, false
	}
	sampled := raw[25]&1 == 1
	return jaeger.NewSpanContext(trace, span, 0, sampled, nil), true
}
