package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fairwayfreight/fairway/common/fault"
)

const (
	// maxCached is how long a verification holds. Verifying costs about 50 µs, which every hop would pay.
	maxCached = time.Minute
	// refetchInterval is how often an unknown key id may make us ask for keys: anybody can send one.
	refetchInterval = 10 * time.Second
	// maxToken bounds what is parsed before it is known who sent it.
	maxToken = 4096
)

// KeySource asks for the public keys that verify people's tokens.
type KeySource func(ctx context.Context) (KeySet, error)

// Verifier verifies tokens. It keeps the keys that it last had while their source is away, asks for keys when a token names
// an unknown one, at most once in 10 s, and remembers a verified token until it expires, at most a minute.
// It is safe for concurrent use.
type Verifier struct {
	source   KeySource
	services map[string]ed25519.PublicKey
	now      func() time.Time
	parser   *jwt.Parser
	cache    cache

	mu      sync.RWMutex
	keys    KeySet
	fetch   chan struct{} // closed when the fetch under way ends; nil when none is
	fetched time.Time     // when the last fetch began
}

// NewVerifier makes a verifier. services are the public keys of the services by name.
func NewVerifier(source KeySource, services map[string]ed25519.PublicKey, now func() time.Time) *Verifier {
	return &Verifier{
		source:   source,
		services: services,
		now:      now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // else a public key could pass for an HMAC secret
			jwt.WithExpirationRequired(),
			jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(now),
		),
	}
}

// Verify says whose token this is.
//
// Errors: unauthenticated when the token is not good, for whatever reason; unavailable when no key has ever been had.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if len(token) > maxToken {
		return Identity{}, fault.New(fault.Unauthenticated, "the token is not valid")
	}
	now := v.now()
	sum := sha256.Sum256([]byte(token))
	if i, ok := v.cache.get(sum, now); ok {
		return i, nil
	}
	var c claims
	var unavailable error
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		key, err := v.key(ctx, t, &c)
		if fault.CodeOf(err) == fault.Unavailable {
			unavailable = err
		}
		return key, err
	})
	switch {
	case unavailable != nil:
		return Identity{}, unavailable
	case errors.Is(err, jwt.ErrTokenExpired):
		return Identity{}, fault.Wrap(fault.Unauthenticated, err, "the token has expired: sign in again")
	case err != nil:
		return Identity{}, fault.Wrap(fault.Unauthenticated, err, "the token is not valid")
	}
	i := Identity{UserID: c.Subject, Roles: c.Roles}
	if c.Issuer == issuerServices {
		i = Identity{Service: c.Subject}
	}
	until := c.ExpiresAt.Add(leeway)
	if latest := now.Add(maxCached); until.After(latest) {
		until = latest
	}
	v.cache.put(sum, i, until, now)
	return i, nil
}

// key finds the key that this token must be signed with. Which of the two kinds a token is follows from its issuer; its
// audience must fit, and its key must be of that kind, so one kind never passes for the other.
func (v *Verifier) key(ctx context.Context, t *jwt.Token, c *claims) (any, error) {
	kid, _ := t.Header["kid"].(string)
	if kid == "" || c.Subject == "" || len(c.Audience) != 1 {
		return nil, errors.New("key id, subject or audience is missing")
	}
	switch {
	case c.Issuer == issuerServices && c.Audience[0] == audienceInternal:
		if key, ok := v.services[c.Subject]; ok {
			return key, nil
		}
		return nil, fmt.Errorf("unknown service %q", c.Subject)
	case c.Issuer == issuerUsers && c.Audience[0] == audienceAPI:
		return v.userKey(ctx, kid)
	}
	return nil, fmt.Errorf("unknown issuer %q or audience %q", c.Issuer, c.Audience[0])
}

func (v *Verifier) userKey(ctx context.Context, kid string) (any, error) {
	v.mu.RLock()
	key, ok := v.keys[kid]
	v.mu.RUnlock()
	if ok {
		return key, nil
	}
	err := v.refresh(ctx)
	v.mu.RLock()
	key, ok = v.keys[kid]
	have := len(v.keys) > 0
	v.mu.RUnlock()
	switch {
	case ok:
		return key, nil
	case !have:
		return nil, fault.Wrap(fault.Unavailable, err, "tokens cannot be verified yet; try again shortly").WithRetryAfter(time.Second)
	}
	return nil, fmt.Errorf("unknown key %q", kid)
}

// Refresh asks for the keys if that was not done within the last 10 s. Callers that come while one asks wait for it.
// While there has never been a key, every caller may ask.
func (v *Verifier) Refresh(ctx context.Context) error { return v.refresh(ctx) }

func (v *Verifier) refresh(ctx context.Context) error {
	v.mu.Lock()
	if under := v.fetch; under != nil {
		v.mu.Unlock()
		select {
		case <-under:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(v.keys) > 0 && v.now().Sub(v.fetched) < refetchInterval {
		v.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	v.fetch, v.fetched = done, v.now()
	v.mu.Unlock()

	keys, err := v.source(ctx)

	v.mu.Lock()
	if err == nil && len(keys) > 0 {
		v.keys = keys
	}
	v.fetch = nil
	v.mu.Unlock()
	close(done)
	return err
}

// Ready tells whether there is any key to verify people's tokens with.
func (v *Verifier) Ready() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.keys) > 0
}
