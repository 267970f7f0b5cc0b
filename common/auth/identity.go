// Package auth says who is calling and what they may call.
//
// People have access tokens: JWTs (RFC 7519) signed with EdDSA by the user service, which alone holds those keys. Services
// have tokens of their own, signed with a key per service and good for a minute. So has the operator, who runs Fairway, to make
// admins with. Every service verifies tokens itself with public keys; nobody asks the user service on the way of a request.
// The verified identity is in the context and nowhere else: no message field says who the caller is.
package auth

import (
	"context"
	"slices"
)

// Roles of people.
const (
	RoleShipper = "shipper" // books consignments
	RoleCarrier = "carrier" // offers vessels
	RoleAdmin   = "admin"   // sees everything
)

// Identity is a verified caller: a person, or a service that may act for one.
type Identity struct {
	// UserID is the person who acts, or for whom the service acts; empty when a service acts for nobody.
	UserID string
	// Roles are that person's.
	Roles []string
	// Service is the calling service's name, or Operator; empty when the caller is a person.
	Service string
}

// Has tells whether the person has a role.
func (i Identity) Has(role string) bool { return slices.Contains(i.Roles, role) }

type identityKey struct{}

// NewContext returns a context that carries a verified identity. Only code that has verified one may call it.
func NewContext(ctx context.Context, i Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// FromContext finds the verified identity; false when the call was to a public method.
func FromContext(ctx context.Context) (Identity, bool) {
	i, ok := ctx.Value(identityKey{}).(Identity)
	return i, ok
}
