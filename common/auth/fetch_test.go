package auth_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
)

// rotate gives the house another key to sign people's tokens with.
func (h *house) rotate(t *testing.T) {
	t.Helper()
	dir := auth.KeyDir(filepath.Join(t.TempDir(), "keys"))
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	key, err := dir.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	h.issuer = auth.NewIssuer(key, time.Hour, h.now)
}

func TestATokenOfANewKeyIsUndecidedWhileTheKeyCannotBeHad(t *testing.T) {
	h := newHouse(t)
	if _, err := h.verifier.Verify(t.Context(), h.userToken(t)); err != nil {
		t.Fatal(err)
	}
	h.rotate(t)
	h.down.Store(true)
	h.advance(11 * time.Second)
	token, before := h.userToken(t), h.fetches.Load()
	for range 10 {
		_, err := h.verifier.Verify(t.Context(), token)
		if fault.CodeOf(err) != fault.Unavailable || fault.From(err).RetryAfter == 0 || !strings.Contains(err.Error(), "away") {
			t.Errorf("got %v", err)
		}
	}
	if n := h.fetches.Load() - before; n != 1 {
		t.Errorf("asked %d times within a second", n)
	}
	h.down.Store(false)
	h.advance(time.Second)
	if i, err := h.verifier.Verify(t.Context(), token); err != nil || i.UserID != "user-1" {
		t.Errorf("a second later: %+v, %v", i, err)
	}
}

// asking is a verifier whose source answers when it is told to.
func asking(t *testing.T) (h *house, answer chan error) {
	h, answer = newHouse(t), make(chan error, 1)
	h.verifier = auth.NewVerifier(func(ctx context.Context) (auth.KeySet, error) {
		h.fetches.Add(1)
		select {
		case err := <-answer:
			return h.issuer.Keys(), err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, nil, h.now)
	return h, answer
}

func TestAllWhoWaitForTheKeysLearnWhyTheyCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, answer := asking(t)
		token, results := h.userToken(t), make(chan error, 3)
		for range cap(results) {
			go func() {
				_, err := h.verifier.Verify(t.Context(), token)
				results <- err
			}()
		}
		synctest.Wait()
		answer <- errors.New("burnt down")
		for range cap(results) {
			if err := <-results; fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "burnt down") {
				t.Errorf("got %v", err)
			}
		}
		if n := h.fetches.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestACallerThatLeavesDoesNotEndTheAskingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, answer := asking(t)
		token := h.userToken(t)
		first, leave := context.WithCancel(t.Context())
		left, stayed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := h.verifier.Verify(first, token)
			left <- err
		}()
		synctest.Wait()
		go func() {
			_, err := h.verifier.Verify(t.Context(), token)
			stayed <- err
		}()
		synctest.Wait()
		leave()
		if err := <-left; fault.CodeOf(err) != fault.Canceled {
			t.Errorf("who left got %v", err)
		}
		answer <- nil
		if err := <-stayed; err != nil {
			t.Errorf("who stayed got %v", err)
		}
	})
}

func TestASourceThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := asking(t)
		start := time.Now()
		_, err := h.verifier.Verify(t.Context(), h.userToken(t))
		if fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}
