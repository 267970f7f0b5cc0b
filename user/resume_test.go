package user

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency/idempotencytest"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

func TestASignUpWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	h := newHandler(t)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "keys.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	k := idempotencytest.Keeper(t, db, time.Now)
	create := func(key, password string, lost bool) (*userpb.User, bool, error) {
		in, out := ada(), &userpb.Response{}
		in.Password = password
		replayed, err := idempotencytest.Call(t.Context(), k, "user.UserService.Create", key, in, out, func(ctx context.Context) error {
			err := h.Create(ctx, in, out)
			if lost {
				return errors.Join(err, idempotencytest.ErrLost)
			}
			return err
		})
		return out.GetUser(), replayed, err
	}
	if _, _, err := create("k", "correct horse", true); !errors.Is(err, idempotencytest.ErrLost) {
		t.Fatal(err)
	}
	found, replayed, err := create("k", "battery staple", false)
	if err != nil || replayed || found.GetEmail() != "ada@example.com" {
		t.Fatalf("%v, replayed %v, %v", found, replayed, err)
	}
	if again, replayed, err := create("k", "correct horse", false); err != nil || !replayed || again.GetId() != found.GetId() {
		t.Errorf("%v, replayed %v, %v", again, replayed, err)
	}
	// It is somebody else's e-mail to every other request.
	if _, replayed, err := create("l", "correct horse", false); !errors.Is(err, fault.EmailTaken) || replayed {
		t.Errorf("replayed %v, %v", replayed, err)
	}
	page, err := h.accounts.Find(t.Context(), store.List[Account]{Limit: 10})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d accounts, %v", len(page.Items), err)
	}
	// The password is that of the request that made the account.
	if err := h.Auth(t.Context(), &userpb.User{Email: "ada@example.com", Password: "correct horse"}, &userpb.Token{}); err != nil {
		t.Error(err)
	}
}
