package user

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/fairwayfreight/fairway/common/fault"
)

// Parameters of argon2id as the OWASP password storage cheat sheet recommends: 19 MiB, two passes, one lane. One hash takes
// about 20 ms of a core and 19 MiB of memory, which is why only a few may run at once.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltSize    = 16
	hashSize    = 32
)

// hasher hashes and checks passwords, a few at a time; beyond a short queue it refuses at once, so that a flood of log-ins
// costs bounded memory and does not starve the rest of the process.
type hasher struct {
	running *semaphore.Weighted
	// admitted counts those that run and those that wait.
	admitted *semaphore.Weighted
	// decoy is what a password is checked against when there is no account: an unknown e-mail takes as long as a known one.
	decoy string
}

func newHasher(concurrent, queue int64) (*hasher, error) {
	h := &hasher{running: semaphore.NewWeighted(concurrent), admitted: semaphore.NewWeighted(concurrent + queue)}
	decoy, err := h.Hash(context.Background(), "nobody's password")
	h.decoy = decoy
	return h, err
}

// Hash makes a PHC string. Errors: too_many_requests when the queue is full; the context's when it ends before its turn.
func (h *hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	sum, err := h.sum(ctx, password, salt)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, argonMemory, argonTime, argonLanes, encode(salt), encode(sum)), nil
}

// Matches tells whether the password is the one that was hashed; an empty hash never matches but takes as long.
// Errors: too_many_requests when the queue is full; the context's when it ends before its turn; that of a malformed hash.
func (h *hasher) Matches(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.decoy
	}
	salt, want, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	sum, err := h.sum(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && known, nil
}

func (h *hasher) sum(ctx context.Context, password string, salt []byte) ([]byte, error) {
	if !h.admitted.TryAcquire(1) {
		return nil, fault.New(fault.TooManyRequests, "too many sign-ins at once; try again in a moment").WithRetryAfter(time.Second)
	}
	defer h.admitted.Release(1)
	if err := h.running.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer h.running.Release(1)
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, hashSize), nil
}

func parseHash(hash string) (salt, sum []byte, err error) {
	var version, memory, passes, lanes int
	var rest string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &passes, &lanes, &rest); err != nil {
		return nil, nil, fmt.Errorf("read a password hash: %w", err)
	}
	if version != argon2.Version || memory != argonMemory || passes != argonTime || lanes != argonLanes {
		return nil, nil, fmt.Errorf("read a password hash: unknown parameters v=%d m=%d t=%d p=%d", version, memory, passes, lanes)
	}
	first, second, _ := strings.Cut(rest, "$")
	if salt, err = base64.RawStdEncoding.DecodeString(first); err != nil {
		return nil, nil, fmt.Errorf("read a password hash: salt: %w", err)
	}
	if sum, err = base64.RawStdEncoding.DecodeString(second); err != nil {
		return nil, nil, fmt.Errorf("read a password hash: sum: %w", err)
	}
	if len(salt) == 0 || len(sum) != hashSize {
		return nil, nil, fmt.Errorf("read a password hash: %d bytes of salt, %d of sum", len(salt), len(sum))
	}
	return salt, sum, nil
}
