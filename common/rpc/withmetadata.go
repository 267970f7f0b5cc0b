package rpc

import (
	"context"
	"strings"

	"go-micro.dev/v4/metadata"
)

// WithMetadata returns a context whose calls send the values under the keys, which come in pairs; an empty value removes its
// key. What the context had under a key, in whatever case, is replaced.
//
// go-micro's metadata.Set must not be used for this: what came in is kept as "Authorization", Set adds "authorization" beside
// it, and which of the two is sent is left to the order of a map.
func WithMetadata(ctx context.Context, pairs ...string) context.Context {
	had, _ := metadata.FromContext(ctx) // a copy, its keys in title case
	md := make(metadata.Metadata, len(had)+len(pairs)/2)
	for k, v := range had {
		md[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		for k := range md {
			if strings.EqualFold(k, pairs[i]) {
				delete(md, k)
			}
		}
		if pairs[i+1] != "" {
			md[pairs[i]] = pairs[i+1]
		}
	}
	return metadata.NewContext(ctx, md)
}
