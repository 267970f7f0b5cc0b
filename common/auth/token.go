package auth

import (
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Issuers and audiences keep the two kinds of token apart, beside their keys.
const (
	issuerUsers      = "fairway/user"
	audienceAPI      = "fairway/api"
	issuerServices   = "fairway/service"
	audienceInternal = "fairway/internal"
)

// leeway is how far the clocks of two machines may be apart.
const leeway = 30 * time.Second

// serviceTokenTTL is short because such a token is never revoked.
const serviceTokenTTL = time.Minute

type claims struct {
	jwt.RegisteredClaims
	Roles []string `json:"roles,omitempty"`
}

// Issuer signs people's tokens.
type Issuer struct {
	key Key
	ttl time.Duration
	now func() time.Time
}

// NewIssuer makes an issuer whose tokens are good for ttl.
func NewIssuer(key Key, ttl time.Duration, now func() time.Time) *Issuer {
	return &Issuer{key: key, ttl: ttl, now: now}
}

// Keys are the public keys that verify this issuer's tokens.
func (s *Issuer) Keys() KeySet { return KeySet{s.key.ID: s.key.Public()} }

// Issue signs a token that says who its bearer is and which roles they have, and nothing else about them.
func (s *Issuer) Issue(userID string, roles []string) (token string, expires time.Time, err error) {
	now := s.now()
	expires = now.Add(s.ttl).Truncate(time.Second)
	token, err = sign(s.key, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuerUsers,
			Audience:  jwt.ClaimStrings{audienceAPI},
			Subject:   userID,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		Roles: roles,
	})
	return token, expires, err
}

// ServiceTokens gives a service its own token, made anew when half its time is over.
type ServiceTokens struct {
	name string
	key  Key
	now  func() time.Time

	mu    sync.Mutex
	token string
	renew time.Time
}

// NewServiceTokens makes the tokens of the named service.
func NewServiceTokens(name string, key Key, now func() time.Time) *ServiceTokens {
	return &ServiceTokens{name: name, key: key, now: now}
}

// Token is a token that is good for at least half a minute.
func (s *ServiceTokens) Token() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.renew) {
		return s.token, nil
	}
	token, err := sign(s.key, claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer:    issuerServices,
		Audience:  jwt.ClaimStrings{audienceInternal},
		Subject:   s.name,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(serviceTokenTTL)),
	}})
	if err != nil {
		return "", err
	}
	s.token, s.renew = token, now.Add(serviceTokenTTL/2)
	return token, nil
}

func sign(key Key, c claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c)
	t.Header["kid"] = key.ID
	text, err := t.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}
