package rpc

import (
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/fault"
)

// asMessage is the only place where go-micro's untyped bodies become protobuf messages.
func asMessage(v any, what string) (proto.Message, error) {
	if m, ok := v.(proto.Message); ok && m != nil && m.ProtoReflect().IsValid() {
		return m, nil
	}
	return nil, fault.New(fault.Internal, "the %s is a %T where a protobuf message is needed", what, v)
}

// copyMessage makes dst equal to src without sharing anything. They may be of different Go types for the same proto message,
// as a generated type and a dynamic one are.
func copyMessage(dst, src proto.Message) error {
	if dst.ProtoReflect().Descriptor() == src.ProtoReflect().Descriptor() {
		proto.Reset(dst)
		proto.Merge(dst, src)
		return nil
	}
	raw, err := proto.Marshal(src)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the message cannot be encoded")
	}
	if err := proto.Unmarshal(raw, dst); err != nil {
		proto.Reset(dst)
		return fault.Wrap(fault.Internal, err, "the message cannot be decoded")
	}
	return nil
}

// checkSize tells how many bytes a message has when it is encoded, and fails if these are more than limit.
func checkSize(m proto.Message, limit int) (int, error) {
	n := proto.Size(m)
	if n > limit {
		return n, tooLarge(n, limit)
	}
	return n, nil
}

func tooLarge(n, limit int) error {
	return fault.New(fault.TooLarge, "the message has %d bytes; at most %d are allowed", n, limit)
}
