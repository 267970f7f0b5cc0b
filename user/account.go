// Package user is the user service: accounts, log-in, and the keys that verify its tokens. Password hashes never leave it.
package user

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/store"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// Name is the service's name, in the registry and as the name of its file in the data directory.
const Name = "user"

// Account is a person who may sign in.
type Account struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Company string `json:"company,omitempty"`
	// Email is in lower case; no two accounts share one.
	Email string `json:"email"`
	// PasswordHash is argon2id in PHC string format.
	PasswordHash string    `json:"password_hash"`
	Roles        []string  `json:"roles"`
	CreatedAt    time.Time `json:"created_at"`
}

// byEmail is the unique index of accounts.
const byEmail = "email"

func openAccounts(ctx context.Context, db store.DB) (*store.Collection[Account], error) {
	return store.Open(ctx, db, store.Spec[Account]{
		Name: "accounts",
		ID:   func(a *Account) string { return a.ID },
		Indexes: []store.Index[Account]{
			{Name: byEmail, Unique: true, Keys: func(a *Account) []store.Key { return store.Matches(a.Email) }},
		},
	})
}

// message is the account as others may see it: without the hash.
func message(doc store.Document[Account]) *userpb.User {
	a := doc.Value
	return &userpb.User{
		Id:        a.ID,
		Name:      a.Name,
		Company:   a.Company,
		Email:     a.Email,
		Roles:     a.Roles,
		CreatedAt: timestamppb.New(a.CreatedAt),
		Version:   doc.Version,
	}
}
