package rpc

import (
	"reflect"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
)

// handler is what NewHandler makes of a generated one.
type handler struct {
	value any
	opts  server.HandlerOptions
}

func newHandler(value any, opts []server.HandlerOption) *handler {
	h := &handler{value: value, opts: server.HandlerOptions{Metadata: map[string]map[string]string{}}}
	for _, o := range opts {
		o(&h.opts)
	}
	return h
}

// Name is the proto service's name without its package, which generated code gives to the handler's type.
func (h *handler) Name() string {
	v := reflect.Indirect(reflect.ValueOf(h.value))
	if !v.IsValid() {
		return ""
	}
	return v.Type().Name()
}

func (h *handler) Handler() any { return h.value }

// Endpoints is empty: gRPC reflection describes the methods, so the registry need not carry them.
func (h *handler) Endpoints() []*registry.Endpoint { return nil }

func (h *handler) Options() server.HandlerOptions { return h.opts }
