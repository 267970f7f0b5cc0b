package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// anonymous is the scope of keys of those who have not signed in.
const anonymous = "anonymous"

// passed lists the methods whose keys are ignored though they are not declared free of side effects.
var passed = map[string]bool{
	"user.UserService.Auth": true, // every log-in is another, and its answer is a secret
}

// without lists the methods of which not the whole request is compared.
var without = map[string]func(proto.Message) proto.Message{
	// Not even the hash of a password is kept beside the one that guards it.
	"user.UserService.Create": func(m proto.Message) proto.Message {
		u, ok := m.(*userpb.User)
		if !ok {
			return m
		}
		u = proto.CloneOf(u)
		u.Password = ""
		return u
	},
}

func method(req server.Request) string { return req.Service() + "." + req.Endpoint() }

// covers tells whether the key of a call counts. What services ask of each other has an id of its own, by which repeating it
// is harmless.
func covers(ctx context.Context, req server.Request) bool {
	if req.Stream() || passed[method(req)] {
		return false
	}
	if caller, _ := auth.FromContext(ctx); caller.Service != "" {
		return false
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(method(req)))
	if err != nil {
		return true
	}
	options, ok := found.Options().(*descriptorpb.MethodOptions)
	return !ok || options.GetIdempotencyLevel() != descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// idOf is the id of the intent: nobody meets the keys of others, nor those of another method.
func idOf(ctx context.Context, method, key string) string {
	scope := anonymous
	if caller, ok := auth.FromContext(ctx); ok {
		scope = "user " + caller.UserID
	}
	sum := sha256.Sum256([]byte(scope + "\x00" + method + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

// hashOf is the SHA-256 of a request as it was received, before any handler brings it into form.
func hashOf(method string, in proto.Message) ([]byte, error) {
	if strip := without[method]; strip != nil {
		in = strip(in)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(in)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, fmt.Errorf("hash the request: %w", err), "the request cannot be compared")
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}
