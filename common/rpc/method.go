package rpc

import (
	"context"
	"fmt"
	"reflect"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/fairwayfreight/fairway/common/fault"
)

// method is one RPC of a handler. Reflection happens when it is built, apart from the call of the Go method itself.
type method struct {
	service  string // go-micro name and proto package: "vessel"
	endpoint string // go-micro endpoint: "VesselService.Create"
	desc     protoreflect.MethodDescriptor
	fn       reflect.Value
	in, out  reflect.Type // of the messages, for unary methods
	serve    server.HandlerFunc
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	streamType  = reflect.TypeFor[server.Stream]()
	messageType = reflect.TypeFor[proto.Message]()
)

// methodsOf builds the table of what a generated handler serves, from the proto service that has its name in the package
// that has the micro service's name. Every method of the proto must be there in its right shape.
func methodsOf(service string, h server.Handler) (protoreflect.ServiceDescriptor, []*method, error) {
	full := protoreflect.FullName(service + "." + h.Name())
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(full)
	if err != nil {
		return nil, nil, fmt.Errorf("rpc: no proto service %s is linked into this program", full)
	}
	desc, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, nil, fmt.Errorf("rpc: %s is not a proto service", full)
	}
	value := reflect.ValueOf(h.Handler())
	var list []*method
	for i := range desc.Methods().Len() {
		md := desc.Methods().Get(i)
		m := &method{service: service, endpoint: h.Name() + "." + string(md.Name()), desc: md, fn: value.MethodByName(string(md.Name()))}
		if err := m.check(); err != nil {
			return nil, nil, fmt.Errorf("rpc: %s: %w", md.FullName(), err)
		}
		list = append(list, m)
	}
	return desc, list, nil
}

func (m *method) streaming() bool { return m.desc.IsStreamingClient() || m.desc.IsStreamingServer() }

// check holds the Go method against the proto's: func(ctx, *In, *Out) error, or func(ctx, server.Stream) error.
func (m *method) check() error {
	if !m.fn.IsValid() {
		return fmt.Errorf("the handler has no such method")
	}
	t := m.fn.Type()
	if t.NumOut() != 1 || t.Out(0) != errorType || t.NumIn() == 0 || t.In(0) != contextType {
		return fmt.Errorf("the handler's method is a %s", t)
	}
	if m.streaming() {
		if t.NumIn() != 2 || t.In(1) != streamType {
			return fmt.Errorf("the handler's method is a %s, not a stream's", t)
		}
		return nil
	}
	if t.NumIn() != 3 || !isMessage(t.In(1), m.desc.Input()) || !isMessage(t.In(2), m.desc.Output()) {
		return fmt.Errorf("the handler's method is a %s, not func(context.Context, *%s, *%s) error",
			t, m.desc.Input().Name(), m.desc.Output().Name())
	}
	m.in, m.out = t.In(1).Elem(), t.In(2).Elem()
	return nil
}

func isMessage(t reflect.Type, want protoreflect.MessageDescriptor) bool {
	if t.Kind() != reflect.Pointer || !t.Implements(messageType) {
		return false
	}
	m := reflect.New(t.Elem()).Interface().(proto.Message)
	return m.ProtoReflect().Descriptor().FullName() == want.FullName()
}

func (m *method) newIn() proto.Message  { return reflect.New(m.in).Interface().(proto.Message) }
func (m *method) newOut() proto.Message { return reflect.New(m.out).Interface().(proto.Message) }

// wrap puts the wrappers around the handler, the first one outermost.
func (m *method) wrap(wrappers []server.HandlerWrapper) {
	m.serve = m.call
	for i := len(wrappers) - 1; i >= 0; i-- {
		m.serve = wrappers[i](m.serve)
	}
}

func (m *method) call(ctx context.Context, req server.Request, rsp any) error {
	var result []reflect.Value
	if m.streaming() {
		result = m.fn.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(rsp)})
	} else {
		body := req.Body()
		if body == nil {
			if _, err := req.Read(); err != nil {
				return err
			}
			return fault.New(fault.Internal, "the call has no message")
		}
		result = m.fn.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(body), reflect.ValueOf(rsp)})
	}
	err, _ := result[0].Interface().(error)
	return err
}
