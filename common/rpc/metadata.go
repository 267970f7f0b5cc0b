package rpc

import (
	"context"
	"strings"

	"go-micro.dev/v4/metadata"
	grpcmd "google.golang.org/grpc/metadata"
)

// The metadata keys that may travel with a call, as they are on the wire and in server.Request.Header.
const (
	// KeyAuthorization carries the bearer token, RFC 6750.
	KeyAuthorization = "authorization"
	// KeyTraceparent and KeyTracestate carry the trace, W3C Trace Context.
	KeyTraceparent = "traceparent"
	KeyTracestate  = "tracestate"
	// KeyIdempotency names one change, so that asking twice for it makes it once.
	KeyIdempotency = "idempotency-key"
	// KeyActorID and KeyActorRoles tell for whom a service acts, when authorization names the service.
	KeyActorID    = "x-actor-id"
	KeyActorRoles = "x-actor-roles"
)

var (
	sent     = []string{KeyAuthorization, KeyTraceparent, KeyTracestate, KeyIdempotency, KeyActorID, KeyActorRoles}
	handedOn = []string{KeyAuthorization, KeyTraceparent, KeyTracestate}
)

// SentMetadata lists the keys that a client sends; others in the go-micro metadata of the context stay behind.
func SentMetadata() []string { return append([]string(nil), sent...) }

// HandedOnMetadata lists the keys that are in the go-micro metadata of a handler's context, and so go with the calls it makes.
func HandedOnMetadata() []string { return append([]string(nil), handedOn...) }

// outgoing picks from the go-micro metadata of ctx what is sent, with lower-case keys. Values that no header may hold
// (anything but printable ASCII) are left out. The map is the caller's own; nil when there is nothing.
func outgoing(ctx context.Context) map[string]string {
	md, ok := metadata.FromContext(ctx)
	if !ok || len(md) == 0 {
		return nil
	}
	var out map[string]string
	for k, v := range md {
		for _, key := range sent {
			if len(k) == len(key) && strings.EqualFold(k, key) && printable(v) {
				if out == nil {
					out = make(map[string]string, len(sent))
				}
				out[key] = v
			}
		}
	}
	return out
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// withOutgoing is ctx with exactly these headers to send; any others that ctx may hold for gRPC are dropped.
func withOutgoing(ctx context.Context, header map[string]string) context.Context {
	if len(header) == 0 {
		if _, ok := grpcmd.FromOutgoingContext(ctx); !ok {
			return ctx
		}
	}
	md := make(grpcmd.MD, len(header))
	for k, v := range header {
		md[k] = []string{v}
	}
	return grpcmd.NewOutgoingContext(ctx, md)
}

// withHandedOn is ctx with the go-micro metadata of a handler, taken from the headers that arrived.
func withHandedOn(ctx context.Context, get func(key string) (string, bool)) context.Context {
	var md metadata.Metadata
	for _, key := range handedOn {
		if v, ok := get(key); ok {
			if md == nil {
				md = make(metadata.Metadata, len(handedOn))
			}
			md[key] = v
		}
	}
	if md == nil {
		return ctx
	}
	return metadata.NewContext(ctx, md)
}

// incomingValue reads one header of a gRPC call. A header sent several times counts as one list (RFC 9110, 5.3), so that a
// second authorization makes the first one invalid instead of being picked from.
func incomingValue(ctx context.Context, key string) (string, bool) {
	values := grpcmd.ValueFromIncomingContext(ctx, key)
	switch len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	}
	return strings.Join(values, ","), true
}

// incomingHeader reads all headers of a gRPC call.
func incomingHeader(ctx context.Context) map[string]string {
	md, _ := grpcmd.FromIncomingContext(ctx)
	header := make(map[string]string, len(md))
	for k, values := range md {
		header[k] = strings.Join(values, ",")
	}
	return header
}
