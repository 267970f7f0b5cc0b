package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Key is a private signing key. Its id is made of its public half, so it says which key to verify with.
type Key struct {
	ID      string
	private ed25519.PrivateKey
}

// Public is the half that verifies.
func (k Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// KeySet are public keys by id.
type KeySet map[string]ed25519.PublicKey

// KeyDir is a directory of keys as PEM files (PKCS #8 and PKIX):
//
//	tokens.pem              signs people's tokens; the user service needs it and nobody else
//	service-NAME.pem        a service's own key; only that service needs it
//	service-NAME.pub.pem    its public half; every service needs all of them
//	operator.pem            the operator's own key: whoever can read it may make admins, so no service should
//	operator.pub.pem        its public half; the user service needs it
type KeyDir string

const (
	tokensFile    = "tokens.pem"
	servicePrefix = "service-"
	privateSuffix = ".pem"
	publicSuffix  = ".pub.pem"
)

// pair is the name, without its ending, of the files of a service's key or of the operator's.
func pair(name string) string {
	if name == Operator {
		return Operator
	}
	return servicePrefix + name
}

// Create makes the keys that are missing, for the token signer, the operator and the named services, readable by the owner
// alone (mode 0600, directory 0700). It changes no key that exists.
func (d KeyDir) Create(services ...string) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("create the key directory: %w", err)
	}
	if _, err := d.create(tokensFile); err != nil {
		return err
	}
	for _, name := range append([]string{Operator}, services...) {
		key, err := d.create(pair(name) + privateSuffix)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return fmt.Errorf("encode the public key of %s: %w", name, err)
		}
		err = d.write(pair(name)+publicSuffix, "PUBLIC KEY", der)
		if errors.Is(err, fs.ErrExist) {
			err = d.matches(name, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// matches checks that a service's public key, or the operator's, is the half of its private one: else nobody would believe its tokens.
func (d KeyDir) matches(name string, key Key) error {
	public, err := d.Services()
	if err != nil {
		return err
	}
	if !key.Public().Equal(public[name]) {
		return fmt.Errorf("key file %s does not belong to the private key beside it; remove it to have it made anew",
			filepath.Join(string(d), pair(name)+publicSuffix))
	}
	return nil
}

// Tokens is the key that signs people's tokens.
func (d KeyDir) Tokens() (Key, error) { return d.read(tokensFile) }

// Service is the own key of a service, or of the Operator.
func (d KeyDir) Service(name string) (Key, error) { return d.read(pair(name) + privateSuffix) }

// Services are the public keys of all services by name, and the operator's under Operator. Without the latter, as in a
// directory older than that key, nobody is taken for the operator.
func (d KeyDir) Services() (map[string]ed25519.PublicKey, error) {
	files, err := filepath.Glob(filepath.Join(string(d), pair("*")+publicSuffix))
	if err != nil {
		return nil, fmt.Errorf("list the services' public keys: %w", err)
	}
	operator := filepath.Join(string(d), pair(Operator)+publicSuffix)
	if _, err := os.Lstat(operator); !errors.Is(err, fs.ErrNotExist) {
		files = append(files, operator)
	}
	keys := make(map[string]ed25519.PublicKey, len(files))
	for _, path := range files {
		der, err := readPEM(path, "PUBLIC KEY")
		if err != nil {
			return nil, err
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
		public, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("key file %s: not an Ed25519 key", path)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), servicePrefix), publicSuffix)
		keys[name] = public
	}
	return keys, nil
}

func (d KeyDir) create(name string) (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("encode a key: %w", err)
	}
	if err := d.write(name, "PRIVATE KEY", der); err != nil && !errors.Is(err, fs.ErrExist) {
		return Key{}, err
	}
	return d.read(name)
}

// write makes a file that did not exist. It is written beside its place and linked there, so that a crash leaves a whole
// key or none, and of two processes that start together one wins and both read the winner's.
func (d KeyDir) write(name, kind string, der []byte) error {
	path := filepath.Join(string(d), name)
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	temp, err := os.CreateTemp(string(d), name+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if err := pem.Encode(temp, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	if err := temp.Sync(); err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	if err := os.Link(temp.Name(), path); err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	return nil
}

func (d KeyDir) read(name string) (Key, error) {
	path := filepath.Join(string(d), name)
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return Key{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return Key{}, fmt.Errorf("key file %s: %w", path, err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return Key{}, fmt.Errorf("key file %s: not an Ed25519 key", path)
	}
	return newKey(private), nil
}

func newKey(private ed25519.PrivateKey) Key {
	sum := sha256.Sum256(private.Public().(ed25519.PublicKey))
	return Key{ID: hex.EncodeToString(sum[:8]), private: private}
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key file %s is missing; make it with: fairway keys create %s", path, filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("key file %s: no %s in it", path, kind)
	}
	return block.Bytes, nil
}
