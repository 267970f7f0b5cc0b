package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
)

// authenticate lets in whoever has a good token, and hands the token on: the services verify it themselves.
func (g *Gateway) authenticate(c *gin.Context) {
	token, err := bearer(c.Request.Header)
	if err != nil {
		refuse(c, err)
		return
	}
	ctx := c.Request.Context()
	caller, err := g.deps.Verifier.Verify(ctx, token)
	if err != nil {
		refuse(c, err)
		return
	}
	if caller.Service != "" || caller.UserID == "" { // services have no business at the front door
		refuse(c, fault.New(fault.Unauthenticated, "the token is not a person's"))
		return
	}
	ctx = auth.NewContext(ctx, caller)
	ctx = rpc.WithMetadata(ctx, rpc.KeyAuthorization, auth.Bearer(token))
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// bearer is the token of the Authorization header (RFC 6750, section 2.1). Errors: unauthenticated.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	switch len(values) {
	case 0:
		return "", fault.New(fault.Unauthenticated, "a token is needed: sign in and send it as Authorization: Bearer TOKEN")
	case 1:
	default:
		return "", fault.New(fault.Unauthenticated, "there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsFunc(token, notInToken) {
		return "", fault.New(fault.Unauthenticated, "the Authorization header must be: Bearer TOKEN")
	}
	return token, nil
}

// notInToken is true for what a bearer token must not hold (token68 of RFC 9110, section 11.2).
func notInToken(c rune) bool {
	letterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !letterOrDigit && !strings.ContainsRune("-._~+/=", c)
}
