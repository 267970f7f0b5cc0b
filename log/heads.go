package log

import (
	"context"
	"crypto/ed25519"
	"errors"
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
	// ID is their number, so that of several replicas one signs each.
	ID        string `json:"id"`
	Content   string `json:"content"`
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"`
}

func (h *signedHeads) signed() chain.Signed {
	return chain.Signed{Content: []byte(h.Content), KeyID: h.KeyID, Signature: h.Signature}
}

// headsID is the id of the heads with a number. The order of bytes is that of numbers.
func headsID(number int64) string { return fmt.Sprintf("%019d", number) }

func openHeads(ctx context.Context, db store.DB) (*store.Collection[signedHeads], error) {
	return store.Open(ctx, db, store.Spec[signedHeads]{
		Name: "heads",
		ID:   func(h *signedHeads) string { return h.ID },
	})
}

// notary signs the heads of the chains. It refuses, with an error that says why, while the database has no longer what was
// signed last: new heads would make a log that was cut off look as if it had never been longer.
type notary struct {
	store  *store.Collection[signedHeads]
	blocks *store.Collection[block]
	// heads reads where the chains stand.
	heads func(context.Context) ([chain.Count]chain.Head, error)
	key   ed25519.PrivateKey
	now   func() time.Time

	mu sync.Mutex
	// seen are the newest heads that this process knows of.
	seen sealed
}

// sealed are signed heads; the zero value stands for those before the first.
type sealed struct {
	chain.Heads
	digest string
}

func (s sealed) String() string {
	return fmt.Sprintf("heads %d of %s", s.Number, s.Time.UTC().Format(time.RFC3339))
}

// errRival: another replica has signed heads at the same moment.
var errRival = errors.New("another replica has signed")

// signMinute signs the heads, if something was appended since they were last signed and no replica has signed in the current
// minute.
func (n *notary) signMinute(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, err := n.newest(ctx)
	if err != nil {
		return err
	}
	now := n.now()
	if last.Number > 0 && now.Truncate(time.Minute).Equal(last.Time.Truncate(time.Minute)) {
		return nil
	}
	err = n.signBehind(ctx, last, now)
	if errors.Is(err, errRival) {
		return nil // the next minute will have what the rival's heads lack
	}
	return err
}

// signLast signs the heads at an orderly stop, if something was appended since they were last signed.
func (n *notary) signLast(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		last, err := n.newest(ctx)
		if err == nil {
			err = n.signBehind(ctx, last, n.now())
		}
		if !errors.Is(err, errRival) {
			return err
		}
	}
}

// newest reads the newest heads, and checks that they are none that this process knows to have been followed by others.
func (n *notary) newest(ctx context.Context) (sealed, error) {
	page, err := n.store.Find(ctx, store.List[signedHeads]{Descending: true, Limit: 1})
	if err != nil {
		return sealed{}, err
	}
	var last sealed
	if len(page.Items) > 0 {
		if last, err = n.open(&page.Items[0].Value); err != nil {
			return sealed{}, err
		}
	}
	switch {
	case last.Number < n.seen.Number:
		return sealed{}, fmt.Errorf("%v are gone from the database, whose newest heads are %d", n.seen, last.Number)
	case last.Number == n.seen.Number && last.digest != n.seen.digest:
		return sealed{}, fmt.Errorf("%v were replaced in the database by others", n.seen)
	}
	n.seen = last
	return last, nil
}

// open reads stored heads. Those that name another key are taken at their word: the service may have had that key before.
func (n *notary) open(doc *signedHeads) (sealed, error) {
	s, key := doc.signed(), n.key.Public().(ed25519.PublicKey)
	h, err := s.Open(map[string]ed25519.PublicKey{chain.KeyID(key): key})
	if errors.Is(err, chain.ErrUnknownKey) {
		h, err = s.Claim()
	}
	if err == nil && doc.ID != headsID(h.Number) {
		err = fmt.Errorf("their number is %d", h.Number)
	}
	if err != nil {
		return sealed{}, fmt.Errorf("the newest signed heads, those with the id %q, were changed: %w", doc.ID, err)
	}
	return sealed{h, s.Digest()}, nil
}

// signBehind signs the heads with the number behind last, unless they are the same.
func (n *notary) signBehind(ctx context.Context, last sealed, now time.Time) error {
	heads, err := n.heads(ctx)
	if err != nil {
		return err
	}
	grown := false
	for number, h := range heads {
		if err := n.extends(ctx, number, h, last); err != nil {
			return err
		}
		grown = grown || h.Position > last.Chains[number].Position
	}
	if !grown {
		return nil
	}
	next := chain.Heads{Number: last.Number + 1, Previous: last.digest, Time: now.UTC(), Chains: heads}
	if last.Number == 0 {
		next.Previous = chain.HeadsGenesis()
	}
	signed, err := chain.Sign(next, n.key)
	if err != nil {
		return err
	}
	_, err = n.store.Insert(ctx, signedHeads{
		ID:        headsID(next.Number),
		Content:   string(signed.Content),
		KeyID:     signed.KeyID,
		Signature: signed.Signature,
	})
	if store.IsDuplicate(err, store.ByID) {
		return errRival
	}
	if err != nil {
		return err
	}
	n.seen = sealed{next, signed.Digest()}
	return nil
}

// extends checks that a chain still has what was signed of it, in the database and where this process has appended to it.
func (n *notary) extends(ctx context.Context, number int, now chain.Head, last sealed) error {
	signed := last.Chains[number]
	held, err := holds(ctx, n.blocks, number, signed)
	if err != nil {
		return err
	}
	if !held || signed.Position > 0 && now.Position == signed.Position && now.Hash != signed.Hash {
		return fmt.Errorf("chain %d no longer has at position %d what %v hold of it: it was cut off or changed", number, signed.Position, last)
	}
	return nil
}

// holds tells whether the database has a head of a chain, there or further on.
func holds(ctx context.Context, blocks *store.Collection[block], number int, h chain.Head) (bool, error) {
	if h.Position == 0 {
		return true, nil
	}
	page, err := blocks.Find(ctx, store.List[block]{
		Index: byChain, Match: chainKey(number), Until: positionKey(h.Position + 1), Descending: true, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	b := &page.Items[0].Value
	place := h.Position - b.First
	return place >= 0 && place < int64(len(b.held())) && b.Links[place].Hash == h.Hash, nil
}
