package auth

import (
	"context"
	"strings"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
)

// tokenKey is the header under which the original contract's clients send their token.
const tokenKey = "token"

// Bearer formats a token for rpc.KeyAuthorization.
func Bearer(token string) string { return "Bearer " + token }

// HandlerWrapper verifies the caller of every call and refuses those that the table of this package does not let in.
func HandlerWrapper(v *Verifier) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			rule, ok := access[method(req.Service(), req.Endpoint())]
			if !ok {
				return fault.New(fault.PermissionDenied, "this method is not open to anybody")
			}
			if rule.public {
				return next(ctx, req, rsp)
			}
			identity, err := identify(ctx, v, req.Header())
			if err != nil {
				return err
			}
			if err := rule.allow(identity); err != nil {
				return err
			}
			return next(NewContext(ctx, identity), req, rsp)
		}
	}
}

func identify(ctx context.Context, v *Verifier, headers map[string]string) (Identity, error) {
	token := headers[tokenKey]
	if value := headers[rpc.KeyAuthorization]; value != "" {
		scheme, rest, found := strings.Cut(value, " ")
		if !found || !strings.EqualFold(scheme, "Bearer") { // RFC 9110, section 11.1: schemes ignore case
			return Identity{}, fault.New(fault.Unauthenticated, "the authorization must be a bearer token")
		}
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return Identity{}, fault.New(fault.Unauthenticated, "a token is needed: sign in first")
	}
	identity, err := v.Verify(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	// Only a service may name the person for whom it acts: else whoever has a token could. The operator acts for nobody.
	if identity.Service != "" && identity.Service != Operator {
		identity.UserID = headers[rpc.KeyActorID]
		if roles := headers[rpc.KeyActorRoles]; roles != "" {
			identity.Roles = strings.Split(roles, ",")
		}
	}
	return identity, nil
}

// ClientWrapper makes calls to internal methods in the service's own name, with the person for whom it acts beside it.
// Calls to other methods hand on the caller's token.
func ClientWrapper(tokens *ServiceTokens) client.Wrapper {
	return func(next client.Client) client.Client { return &identifiedClient{Client: next, tokens: tokens} }
}

type identifiedClient struct {
	client.Client
	tokens *ServiceTokens
}

func (c *identifiedClient) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	ctx, err := c.outgoing(ctx, req)
	if err != nil {
		return err
	}
	return c.Client.Call(ctx, req, rsp, opts...)
}

func (c *identifiedClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	ctx, err := c.outgoing(ctx, req)
	if err != nil {
		return nil, err
	}
	return c.Client.Stream(ctx, req, opts...)
}

func (c *identifiedClient) outgoing(ctx context.Context, req client.Request) (context.Context, error) {
	if !access[method(req.Service(), req.Endpoint())].internalOnly() {
		return ctx, nil
	}
	token, err := c.tokens.Token()
	if err != nil {
		return nil, err
	}
	identity, _ := FromContext(ctx)
	return rpc.WithMetadata(ctx,
		rpc.KeyAuthorization, Bearer(token),
		rpc.KeyActorID, identity.UserID,
		rpc.KeyActorRoles, strings.Join(identity.Roles, ","),
	), nil
}
