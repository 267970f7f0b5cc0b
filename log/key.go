package log

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairwayfreight/fairway/common/auth"
)

// signingKey is the service's own key. Tokens and heads that are signed with it cannot pass for each other: heads are JSON
// objects, and what is signed of a token is not JSON.
func signingKey(dir auth.KeyDir) (ed25519.PrivateKey, error) {
	known, err := dir.Service(Name)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(string(dir), "service-"+Name+".pem")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("key file %s: no PRIVATE KEY in it", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok || !known.Public().Equal(key.Public()) {
		return nil, fmt.Errorf("key file %s: not the key it was a moment ago", path)
	}
	return key, nil
}
