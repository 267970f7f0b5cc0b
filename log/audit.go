package log

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	"github.com/fairwayfreight/fairway/log/chain"
)

// Sizes of a page of a chain.
const (
	defaultLinks = 200
	maxLinks     = 1_000
)

// Chain reads a chain behind a position. A page ends early when its entries are large; the chain ends with an empty page.
//
// Whoever walks the pages sees every entry that lists show of the blocks in the index of chains, whatever somebody has written
// into the database: a page goes on beyond its limit while the index has blocks that begin within what it has shown.
func (h *handler) Chain(ctx context.Context, req *logpb.ChainRequest, rsp *logpb.ChainResponse) error {
	if err := fault.InvalidFields(checkChain(req)); err != nil {
		return err
	}
	limit := int(req.GetLimit())
	if limit == 0 {
		limit = defaultLinks
	}
	size, shown := 0, req.GetAfter() // shown: up to this position
	full := func() bool { return len(rsp.Links) >= limit || size >= pageBytes }
	for page, err := range h.blocks.Pages(ctx, store.List[block]{
		Index: byChain,
		Match: chainKey(int(req.GetChain())),
		From:  positionKey(max(0, req.GetAfter()+2-blockLength)), // a block that begins there may reach behind
		Limit: blockLength,
	}) {
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			b := &doc.Value
			beyond := full()
			if beyond && doc.Order > positionKey(shown) {
				return nil
			}
			// Only somebody who has written into the database can have left a block that does not say what the index says of it.
			inPlace := b.First > 0 && doc.Order == positionKey(b.First)
			if !inPlace && req.GetAfter() > 0 && doc.Order <= positionKey(req.GetAfter()) {
				continue // it was on the page before
			}
			for i, l := range b.held() {
				position := b.position(i)
				if inPlace && position <= req.GetAfter() {
					continue
				}
				if full() && !beyond {
					break
				}
				hash, _ := hex.DecodeString(l.Hash) // one that is none does not fit
				rsp.Links = append(rsp.Links, &logpb.Link{Position: position, Hash: hash, Content: []byte(l.Content)})
				size += len(l.Content)
				if inPlace {
					shown = max(shown, position)
				}
			}
		}
	}
	return nil
}

func checkChain(req *logpb.ChainRequest) []fault.Field {
	var broken []fault.Field
	within := func(name string, n, low, high int64) {
		if n < low || n > high {
			broken = append(broken, fault.Field{Name: name, Rule: rule.Range, Message: fmt.Sprintf("must be from %d to %d", low, high)})
		}
	}
	within("chain", int64(req.GetChain()), 0, chain.Count-1)
	within("after", req.GetAfter(), 0, maxPosition)
	within("limit", int64(req.GetLimit()), 0, maxLinks)
	return broken
}

// Heads lists signed heads, newest first, with the key that this service signs with. Heads signed with an earlier key are
// verified by whoever kept its public half.
func (h *handler) Heads(ctx context.Context, req *logpb.HeadsRequest, rsp *logpb.HeadsResponse) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	page, err := h.heads.Find(ctx, store.List[signedHeads]{
		Descending: true,
		Limit:      rule.PageLimit(req.GetLimit()),
		Cursor:     req.GetCursor(),
	})
	if errors.Is(err, store.ErrCursor) {
		return fault.InvalidFields(rule.Cursor())
	}
	if err != nil {
		return err
	}
	for _, doc := range page.Items {
		rsp.Heads = append(rsp.Heads, &logpb.Heads{
			Content:   []byte(doc.Value.Content),
			KeyId:     doc.Value.KeyID,
			Signature: doc.Value.Signature,
		})
	}
	rsp.NextCursor = page.Next
	rsp.Keys = map[string][]byte{chain.KeyID(h.key): h.key}
	return nil
}
