// Package registry gives the registries that services find each other through: go-micro's registry.Registry, each
// implementation held to the suite of package registrytest.
//
// What every one of them guarantees: a node that registered is found until it deregisters or its TTL runs out without
// another registration; a watch that was opened before a change tells of it; what is returned is the caller's own.
package registry

import (
	"fmt"

	"go-micro.dev/v4/registry"
)

// New makes the registry of a kind. "memory" is for services that all run in one process; each call makes another one.
func New(kind string) (registry.Registry, error) {
	switch kind {
	case "memory":
		return NewMemory(), nil
	}
	return nil, fmt.Errorf("registry: there is no kind %q; choose memory", kind)
}
