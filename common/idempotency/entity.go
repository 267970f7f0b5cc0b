package idempotency

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
)

type workKey struct{}

func workOf(ctx context.Context) *work {
	w, _ := ctx.Value(workKey{}).(*work)
	return w
}

// NewID is the id for what the request makes: the one that was assigned before the work began where the request has a key,
// the same every time, else a fresh one. Ids are UUIDs of version 7, so their order is that in which they were made.
func NewID(ctx context.Context) (string, error) {
	w := workOf(ctx)
	if w == nil {
		return freshID()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.doc.Value.EntityID, nil
}

// Resumed tells whether an earlier request with the same key may have done something under the id that NewID gives: all of the
// work, a part, or nothing. Then the handler looks for the entity, finishes it where it is half made and answers with it.
// It is false for requests without a key.
func Resumed(ctx context.Context) bool {
	w := workOf(ctx)
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resumed
}

// Renew replaces the id that NewID gives by a fresh one, durably, and returns it. It is for a resumed request whose entity came
// to an end that must not be its answer: a booking that was rejected because a service was away. From then on the request is
// not Resumed. Without a key it is just a fresh id.
//
// Errors: conflict, when the lease of this request is over and another has taken its place; then the handler must stop.
func Renew(ctx context.Context) (string, error) {
	w := workOf(ctx)
	if w == nil {
		return freshID()
	}
	return w.renew(ctx)
}

// Part is the id for something that is made together with an entity, such as the first sailing of a vessel: the same every
// time for the same entity and name, so that making it again finds it. It sorts among ids as the entity's does.
func Part(entity, name string) string {
	sum := sha256.Sum256([]byte(entity + "\x00" + name))
	id := uuid.UUID(sum[:16])
	if whole, err := uuid.Parse(entity); err == nil {
		copy(id[:8], whole[:8]) // the time of a UUID of version 7, RFC 9562, section 5.7
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

func freshID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}
