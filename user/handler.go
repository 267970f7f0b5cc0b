package user

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// handler answers the RPCs of userpb.UserService.
type handler struct {
	accounts  *store.Collection[Account]
	passwords *hasher
	tokens    *auth.Issuer
	verifier  *auth.Verifier
	now       func() time.Time
}

// Create signs a person up. Ids sent by clients are ignored.
func (h *handler) Create(ctx context.Context, req *userpb.User, rsp *userpb.Response) error {
	rule.NormalizeUser(req)
	if err := fault.InvalidFields(rule.SignUp(req)); err != nil {
		return err
	}
	id, err := idempotency.NewID(ctx)
	if err != nil {
		return err
	}
	hash, err := h.passwords.Hash(ctx, req.GetPassword())
	if err != nil {
		return err
	}
	account := Account{
		ID:           id,
		Name:         req.GetName(),
		Company:      req.GetCompany(),
		Email:        req.GetEmail(),
		PasswordHash: hash,
		Roles:        req.GetRoles(),
		CreatedAt:    h.now().UTC(),
	}
	if len(account.Roles) == 0 {
		account.Roles = rule.OpenRoles()
	}
	created := event.New(ctx, account.CreatedAt, "user", "created", account.ID, 1)
	created.ActorID = account.ID
	record, err := created.Record(map[string]any{"roles": account.Roles})
	if err != nil {
		return err
	}
	doc, err := h.accounts.Insert(ctx, account, record)
	if store.IsDuplicate(err, store.ByID) { // an earlier attempt of this request got so far, see idempotency.NewID
		doc, err = h.accounts.Get(ctx, id)
	}
	if store.IsDuplicate(err, byEmail) {
		return fault.New(fault.EmailTaken, "an account with this e-mail exists")
	}
	if err != nil {
		return err
	}
	rsp.User = message(doc)
	return nil
}

// Get finds an account: one's own, or any for an admin.
func (h *handler) Get(ctx context.Context, req *userpb.User, rsp *userpb.Response) error {
	caller, _ := auth.FromContext(ctx)
	notFound := fault.New(fault.NotFound, "there is no such user")
	if req.GetId() != caller.UserID && !caller.Has(auth.RoleAdmin) {
		return notFound
	}
	doc, err := h.accounts.Get(ctx, req.GetId())
	if errors.Is(err, store.ErrNotFound) {
		return notFound
	}
	if err != nil {
		return err
	}
	rsp.User = message(doc)
	return nil
}

// GetAll lists accounts, newest first.
func (h *handler) GetAll(ctx context.Context, req *userpb.Request, rsp *userpb.Response) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	page, err := h.accounts.Find(ctx, store.List[Account]{
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
		rsp.Users = append(rsp.Users, message(doc))
	}
	rsp.NextCursor = page.Next
	return nil
}

// Auth exchanges e-mail and password for a token. An unknown e-mail takes as long as a wrong password and answers the same.
func (h *handler) Auth(ctx context.Context, req *userpb.User, rsp *userpb.Token) error {
	rule.NormalizeUser(req)
	if err := fault.InvalidFields(rule.Credentials(req)); err != nil {
		return err
	}
	doc, err := h.find(ctx, req.GetEmail())
	if err != nil {
		return err
	}
	ok, err := h.passwords.Matches(ctx, doc.Value.PasswordHash, req.GetPassword())
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.BadCredentials, "e-mail and password do not belong together")
	}
	token, expires, err := h.tokens.Issue(doc.Value.ID, doc.Value.Roles)
	if err != nil {
		return err
	}
	rsp.Token = token
	rsp.Valid = true
	rsp.UserId = doc.Value.ID
	rsp.ExpiresAt = timestamppb.New(expires)
	rsp.User = message(doc)
	return nil
}

// find finds an account by its e-mail; the empty document when there is none.
func (h *handler) find(ctx context.Context, email string) (store.Document[Account], error) {
	page, err := h.accounts.Find(ctx, store.List[Account]{Index: byEmail, Match: email, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return store.Document[Account]{}, err
	}
	return page.Items[0], nil
}

// ValidateToken says whether a token is good and which person's it is. A service's token is answered invalid, without an error.
func (h *handler) ValidateToken(ctx context.Context, req *userpb.Token, rsp *userpb.Token) error {
	identity, err := h.verifier.Verify(ctx, req.GetToken())
	switch {
	case fault.CodeOf(err) == fault.Unauthenticated:
		rsp.Errors = &userpb.Error{Code: int32(fault.Unauthenticated.HTTP()), Description: fault.From(err).Message}
	case err != nil:
		return err
	case identity.Service == "":
		rsp.Valid, rsp.UserId = true, identity.UserID
	}
	return nil
}

// GetKeys hands out the public keys that verify tokens.
func (h *handler) GetKeys(_ context.Context, _ *userpb.KeysRequest, rsp *userpb.KeySet) error {
	for kid, key := range h.tokens.Keys() {
		rsp.Keys = append(rsp.Keys, &userpb.Key{Kid: kid, PublicKey: key})
	}
	return nil
}

// Grant gives an account the role admin, or takes it back. The event says that the operator did it, who is no person, and
// the person whose account it is may see it. Where nothing is to change there is no event.
func (h *handler) Grant(ctx context.Context, req *userpb.GrantRequest, rsp *userpb.Response) error {
	named := &userpb.User{Email: req.GetEmail()}
	rule.NormalizeUser(named)
	found, err := h.find(ctx, named.GetEmail())
	if err != nil {
		return err
	}
	if found.Version == 0 {
		return fault.New(fault.NotFound, "there is no account with this e-mail")
	}
	doc, err := h.accounts.Update(ctx, found.Value.ID, func(doc *store.Document[Account]) ([]store.Event, error) {
		account, action := &doc.Value, "admin_revoked"
		if slices.Contains(account.Roles, auth.RoleAdmin) == req.GetAdmin() {
			return nil, store.ErrUnchanged
		}
		account.Roles = slices.DeleteFunc(account.Roles, func(role string) bool { return role == auth.RoleAdmin })
		if req.GetAdmin() {
			account.Roles, action = append(account.Roles, auth.RoleAdmin), "admin_granted"
		}
		changed := event.New(ctx, h.now(), "user", action, account.ID, doc.Version)
		changed.Audience = []string{account.ID}
		record, err := changed.Record(map[string]any{"roles": account.Roles})
		return []store.Event{record}, err
	})
	if err != nil {
		return err
	}
	rsp.User = message(doc)
	return nil
}
