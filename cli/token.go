package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// loginError says why a command needs a log-in first.
type loginError string

func (e loginError) Error() string { return string(e) }

// savedToken is one log-in.
type savedToken struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// tokenStore keeps the token of the last log-in at each gateway in a file of its own, readable by the person alone.
type tokenStore struct{ dir string }

// newTokenStore finds its folder as the XDG Base Directory Specification says: an absolute XDG_CONFIG_HOME, else ~/.config.
func newTokenStore(s Streams) (tokenStore, error) {
	if dir := s.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return tokenStore{filepath.Join(dir, "fairway")}, nil
	}
	if home := s.getenv("HOME"); filepath.IsAbs(home) {
		return tokenStore{filepath.Join(home, ".config", "fairway")}, nil
	}
	return tokenStore{}, usageError("no place for the token: neither XDG_CONFIG_HOME nor HOME is set; FAIRWAY_TOKEN works without")
}

func (t tokenStore) file(address string) string {
	return filepath.Join(t.dir, "token-"+url.QueryEscape(address)+".json")
}

// save replaces the file as a whole, so that a crash or a second log-in leaves either the old token or the new one.
func (t tokenStore) save(address string, token savedToken) error {
	data, err := json.Marshal(token)
	if err == nil {
		err = os.MkdirAll(t.dir, 0o700)
	}
	if err == nil {
		err = replaceFile(t.file(address), data)
	}
	if err != nil {
		return fmt.Errorf("store the token: %w", err)
	}
	return nil
}

// load reads the token of an address. Its error is a loginError where there is none.
func (t tokenStore) load(address string) (savedToken, error) {
	data, err := os.ReadFile(t.file(address))
	if errors.Is(err, fs.ErrNotExist) {
		return savedToken{}, loginError("not logged in at " + address)
	}
	if err != nil {
		return savedToken{}, fmt.Errorf("read the token: %w", err)
	}
	var token savedToken
	if json.Unmarshal(data, &token) != nil || token.Token == "" {
		return savedToken{}, loginError("not logged in at " + address + ", " + t.file(address) + " is damaged")
	}
	return token, nil
}

// forget removes the token of an address and tells whether there was one.
func (t tokenStore) forget(address string) (bool, error) {
	err := os.Remove(t.file(address))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("forget the token: %w", err)
	}
	return true, nil
}
