package log

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/log/chain"
)

// signEvery is the time between two signatures. An entry is held by one that long after it was appended, at the latest.
const signEvery = time.Minute

// signedHeads is the document of signed heads. Its content is a string for the reason of link.Content.
type signedHeads struct {
	// ID is the minute in which they were signed, so that of several replicas one signs, or the moment of an orderly stop.
	ID        string `json:"id"`
	Content   string `json:"content"`
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"`
}

func openHeads(ctx context.Context, db store.DB) (*store.Collection[signedHeads], error) {
	return store.Open(ctx, db, store.Spec[signedHeads]{
		Name: "heads",
		ID:   func(h *signedHeads) string { return h.ID },
	})
}

// notary signs the heads of the chains.
type notary struct {
	store *store.Collection[signedHeads]
	// heads reads where the chains stand.
	heads func(context.Context) ([chain.Count]chain.Head, error)
	key   ed25519.PrivateKey
	now   func() time.Time

	mu sync.Mutex
	// last is what was signed last, nil until it is known.
	last *[chain.Count]chain.Head
	// latest is the latest time under which heads were signed.
	latest time.Time
}

// signMinute signs the heads for the current minute, if something was appended since they were last signed and no other replica
// has signed this minute.
func (n *notary) signMinute(ctx context.Context) error {
	now := n.now()
	return n.sign(ctx, now.Truncate(time.Minute), now)
}

// signLast signs the heads at an orderly stop, if something was appended since they were last signed.
func (n *notary) signLast(ctx context.Context) error {
	now := n.now()
	return n.sign(ctx, now, now)
}

func (n *notary) sign(ctx context.Context, id, now time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.remember(ctx); err != nil {
		return err
	}
	heads, err := n.heads(ctx)
	if err != nil || heads == *n.last {
		return err
	}
	if now.Before(n.latest) {
		id = now // the clock went back, to minutes that were signed before
	}
	signed, err := chain.Sign(chain.Heads{Time: now.UTC(), Chains: heads}, n.key)
	if err != nil {
		return err
	}
	_, err = n.store.Insert(ctx, signedHeads{
		ID:        store.TimeOrder(id),
		Content:   string(signed.Content),
		KeyID:     signed.KeyID,
		Signature: signed.Signature,
	})
	if store.IsDuplicate(err, store.ByID) {
		return nil // the next minute will have what this one lacks
	}
	if err != nil {
		return err
	}
	n.last = &heads
	if now.After(n.latest) {
		n.latest = now
	}
	return nil
}

// remember reads what was signed last before this process.
func (n *notary) remember(ctx context.Context) error {
	if n.last != nil {
		return nil
	}
	var last chain.Heads
	for number := range last.Chains {
		last.Chains[number].Hash = fmt.Sprintf("%x", chain.Genesis(number)) // nothing to sign while nothing was appended
	}
	page, err := n.store.Find(ctx, store.List[signedHeads]{Descending: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Items) > 0 {
		if err := json.Unmarshal([]byte(page.Items[0].Value.Content), &last); err != nil {
			return fmt.Errorf("decode the heads of %s: %w", page.Items[0].Value.ID, err)
		}
	}
	n.last, n.latest = &last.Chains, last.Time
	return nil
}
