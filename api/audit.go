package api

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairwayfreight/fairway/common/rule"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// The log's hash chains, for admins who verify them. What was hashed or signed is a JSON string here, not an object, so that
// its bytes come through as they are.

type linkView struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"` // hexadecimal digits
	Content  string `json:"content"`
}

type headsView struct {
	Content   string `json:"content"`
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"` // Base64
}

type chainAnswer struct {
	Chain int32      `json:"chain"`
	Links []linkView `json:"links"`
}

type headsAnswer struct {
	Heads      []headsView `json:"heads"`
	NextCursor string      `json:"next_cursor,omitempty"`
	// Keys are public Ed25519 keys in Base64 by key id.
	Keys map[string][]byte `json:"keys"`
}

// Bounds of a request for a part of a chain.
const (
	lastChain = 15
	maxLinks  = 1_000
)

func (g *Gateway) logChain(r *request) (reply, error) {
	if !r.query.Has("chain") {
		r.found.add("chain", rule.Required, "must be given, from 0 to %d", lastChain)
	}
	in := &logpb.ChainRequest{
		Chain: r.count("chain", lastChain),
		After: r.position("after"),
		Limit: r.count("limit", maxLinks),
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Logs.Chain(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: chainAnswer{in.GetChain(), each(out.GetLinks(), viewLink)}}, nil
}

func (g *Gateway) logHeads(r *request) (reply, error) {
	in := &logpb.HeadsRequest{Limit: r.limit(), Cursor: r.cursor()}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Logs.Heads(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: headsAnswer{each(out.GetHeads(), viewHeads), out.GetNextCursor(), out.GetKeys()}}, nil
}

// position is a place in a chain, 0 when it is not given.
func (r *request) position(name string) int64 {
	if !r.query.Has(name) {
		return 0
	}
	text := r.query.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(text, "0123456789") != "" {
		r.found.add(name, rule.Type, "must be a whole number, 0 or more")
		return 0
	}
	return n
}

func viewLink(l *logpb.Link) linkView {
	return linkView{Position: l.GetPosition(), Hash: hex.EncodeToString(l.GetHash()), Content: string(l.GetContent())}
}

func viewHeads(h *logpb.Heads) headsView {
	return headsView{Content: string(h.GetContent()), KeyID: h.GetKeyId(), Signature: h.GetSignature()}
}
