package cli

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
)

// readPublicKeys reads Ed25519 keys, each the 64 hexadecimal digits of a key or the name of a file with one (PEM, PKIX).
func readPublicKeys(ctx context.Context, s Streams, names []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, name := range names {
		if raw, err := hex.DecodeString(name); err == nil && len(raw) == ed25519.PublicKeySize {
			keys = append(keys, raw)
			continue
		}
		data, err := readInput(ctx, s, name)
		if err != nil {
			return nil, err
		}
		key, ok := parsePublicKey(data)
		if !ok {
			return nil, usageError(fmt.Sprintf("%s holds no Ed25519 public key: one in PEM is wanted, or 64 hexadecimal digits in place of a file", name))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePublicKey(data []byte) (ed25519.PublicKey, bool) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, false
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, false
	}
	key, ok := parsed.(ed25519.PublicKey)
	return key, ok
}
