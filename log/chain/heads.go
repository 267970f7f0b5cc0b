package chain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Heads are where all chains stood at one moment. They are a chain of their own: each names the one before it.
type Heads struct {
	// Number counts from 1.
	Number int64 `json:"number"`
	// Previous is the Digest of the heads with the number before, HeadsGenesis for number 1.
	Previous string    `json:"previous"`
	Time     time.Time `json:"time"`
	// Chains has the heads by the number of their chain.
	Chains [Count]Head `json:"chains"`
}

// Head is the last entry of a chain; position 0 and the genesis hash where there is none yet.
type Head struct {
	Position int64 `json:"position"`
	// Hash is in hexadecimal digits.
	Hash string `json:"hash"`
}

// Signed are signed heads.
type Signed struct {
	// Content is what was signed: the JSON of a Heads.
	Content []byte
	// KeyID is the KeyID of the key.
	KeyID     string
	Signature []byte
}

// HeadsGenesis is what the first heads have for a Digest of the ones before them: the SHA-256 of "fairway log heads".
func HeadsGenesis() string { return digest([]byte("fairway log heads")) }

// Digest is the SHA-256 of the content, in hexadecimal digits.
func (s Signed) Digest() string { return digest(s.Content) }

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// KeyID says which key a signature is to be verified with: the first 8 bytes of the SHA-256 of the public key, in hexadecimal
// digits.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Sign signs heads with an Ed25519 key (RFC 8032).
func Sign(h Heads, key ed25519.PrivateKey) (Signed, error) {
	content, err := json.Marshal(h)
	if err != nil {
		return Signed{}, fmt.Errorf("encode the heads of the chains: %w", err)
	}
	id := KeyID(key.Public().(ed25519.PublicKey))
	return Signed{Content: content, KeyID: id, Signature: ed25519.Sign(key, content)}, nil
}

var (
	// ErrUnknownKey: the heads name a key that is not among those that are trusted.
	ErrUnknownKey = errors.New("signed with an unknown key")
	// ErrSignature: the signature is not that of the key over the content.
	ErrSignature = errors.New("the signature is false")
	// ErrNoHeads: what was signed is not the JSON of heads with a number.
	ErrNoHeads = errors.New("not the heads of the chains")
)

// Open gives the heads if one of the keys, which are found by their KeyID, has signed them.
// Errors: ErrUnknownKey, ErrSignature, ErrNoHeads.
func (s Signed) Open(keys map[string]ed25519.PublicKey) (Heads, error) {
	key, ok := keys[s.KeyID]
	if !ok || len(key) != ed25519.PublicKeySize {
		return Heads{}, ErrUnknownKey
	}
	if !ed25519.Verify(key, s.Content, s.Signature) {
		return Heads{}, ErrSignature
	}
	return s.Claim()
}

// Claim gives what the content says, whoever has signed it. Errors: ErrNoHeads.
func (s Signed) Claim() (Heads, error) {
	var h Heads
	if err := json.Unmarshal(s.Content, &h); err != nil {
		return Heads{}, fmt.Errorf("%w: %w", ErrNoHeads, err)
	}
	if h.Number < 1 {
		return Heads{}, fmt.Errorf("%w: number %d", ErrNoHeads, h.Number)
	}
	return h, nil
}
