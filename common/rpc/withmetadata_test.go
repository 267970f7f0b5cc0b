package rpc_test

import (
	"testing"

	"go-micro.dev/v4/metadata"

	"github.com/fairwayfreight/fairway/common/rpc"
)

func TestWithMetadataReplacesWhateverTheCase(t *testing.T) {
	for range 50 { // the order of a map must not matter
		ctx := metadata.NewContext(t.Context(), metadata.Metadata{"Authorization": "the caller's", "Traceparent": "old", "Other": "kept"})
		ctx = rpc.WithMetadata(ctx, "authorization", "the service's", "TRACEPARENT", "")
		md, _ := metadata.FromContext(ctx)
		if len(md) != 2 || md["Authorization"] != "the service's" || md["Other"] != "kept" {
			t.Fatalf("got %v", md)
		}
	}
	if md, _ := metadata.FromContext(rpc.WithMetadata(t.Context(), "a", "b")); md["A"] != "b" {
		t.Errorf("got %v", md)
	}
}
