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
	// retryInterval is how soon we ask again after that failed: the unknown key may be a good one.
	retryInterval = time.Second
	// fetchTimeout bounds one asking, for which many callers may be waiting.
	fetchTimeout = 2 * time.Second
	// maxToken bounds what is parsed before it is known who sent it.
	maxToken = 4096
)

// KeySource asks for the public keys that verify people's tokens.
type KeySource func(ctx context.Context) (KeySet, error)

// Verifier verifies tokens. It keeps the keys that it last had while their source is away, and remembers a verified token
// until it expires, at most a minute. It asks for keys when a token names an unknown one: once at a time, not within 10 s of
// an answer, and not within 1 s of a failure. It is safe for concurrent use.
type Verifier struct {
	source   KeySource
	services map[string]ed25519.PublicKey
	now      func() time.Time
	parser   *jwt.Parser
	cache    cache

	mu     sync.RWMutex
	keys   KeySet
	under  *fetch    // nil while nobody asks for keys
	rested time.Time // from when on they may be asked for again
	failed error     // why the last asking failed; nil when it did not
}

// fetch is one asking for keys, for all who wait for its end.
type fetch struct {
	done chan struct{}
	err  error // to be read once done is closed
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
// Errors: unauthenticated when the token is not good, for whatever reason; unavailable, with a time to try again, when the
// token names an unknown key and the keys cannot be had; canceled or deadline_exceeded when ctx ends while they are asked for.
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
	var undecided *fault.Error // why nobody can say whether the token is good
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		key, err := v.key(ctx, t, &c)
		errors.As(err, &undecided)
		return key, err
	})
	switch {
	case undecided != nil:
		return Identity{}, undecided
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
// audience must fit, and its key must be of that kind, so one kind never passes for the other. Its error is a fault only
// where the key could not be asked for.
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
	err := v.Refresh(ctx)
	v.mu.RLock()
	key, ok = v.keys[kid]
	v.mu.RUnlock()
	switch {
	case ok:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("unknown key %q", kid)
	case ctx.Err() != nil:
		return nil, fault.From(ctx.Err())
	}
	return nil, fault.Wrap(fault.Unavailable, err, "the token cannot be verified now; try again shortly").WithRetryAfter(retryInterval)
}

// Refresh asks for the keys, unless it is too soon to ask again: then it says how the last asking went. Callers that come
// while one asks wait for its end. A caller whose ctx ends gets the context's error at once; the asking goes on for the others.
func (v *Verifier) Refresh(ctx context.Context) error {
	v.mu.Lock()
	if v.under == nil {
		if v.now().Before(v.rested) {
			defer v.mu.Unlock()
			return v.failed
		}
		v.under = &fetch{done: make(chan struct{})}
		go v.ask(context.WithoutCancel(ctx), v.under)
	}
	under := v.under
	v.mu.Unlock()
	select {
	case <-under.done:
		return under.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *Verifier) ask(ctx context.Context, f *fetch) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := v.source(ctx)
	if err == nil && len(keys) == 0 {
		err = errors.New("the source of the keys has none")
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	rest := retryInterval
	if err == nil {
		v.keys, rest = keys, refetchInterval
	}
	v.under, v.failed, v.rested = nil, err, v.now().Add(rest)
	f.err = err
	close(f.done)
}

// Ready tells whether there is any key to verify people's tokens with.
func (v *Verifier) Ready() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.keys) > 0
}
