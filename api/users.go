package api

import (
	"net/http"

	"github.com/fairwayfreight/fairway/common/rule"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

// oldFields are the fields of the original contract's messages, which its clients fill and the server decides.
var oldFields = []string{"id", "user_id", "vessel_id", "available", "ower_id"}

func (g *Gateway) signUp(r *request) (reply, error) { return g.newUser(r) }

func (g *Gateway) signUpOriginal(r *request) (reply, error) { return g.newUser(r, oldFields...) }

func (g *Gateway) newUser(r *request, ignored ...string) (reply, error) {
	body, err := r.object()
	if err != nil {
		return reply{}, err
	}
	u := &userpb.User{
		Name:     body.text("name"),
		Company:  body.text("company"),
		Email:    body.text("email"),
		Password: body.text("password"),
		Roles:    body.texts("roles", len(rule.OpenRoles())),
	}
	body.ignore(ignored...)
	rule.NormalizeUser(u)
	if err := r.check(rule.SignUp(u)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Users.Create(r.ctx, u)
	if err != nil {
		return reply{}, err
	}
	user := viewUser(out.GetUser())
	return reply{http.StatusCreated, "/users/" + user.ID, userAnswer{user}}, nil
}

func (g *Gateway) logIn(r *request) (reply, error) { return g.newSession(r) }

// logInOriginal takes a whole user: the original clients send one.
func (g *Gateway) logInOriginal(r *request) (reply, error) {
	return g.newSession(r, append([]string{"name", "company"}, oldFields...)...)
}

func (g *Gateway) newSession(r *request, ignored ...string) (reply, error) {
	body, err := r.object()
	if err != nil {
		return reply{}, err
	}
	u := &userpb.User{Email: body.text("email"), Password: body.text("password")}
	body.ignore(ignored...)
	rule.NormalizeUser(u)
	if err := r.check(rule.Credentials(u)); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Users.Auth(r.ctx, u)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: sessionAnswer{
		Token:     out.GetToken(),
		ExpiresAt: moment(out.GetExpiresAt()),
		User:      viewUser(out.GetUser()),
	}}, nil
}

func (g *Gateway) self(r *request) (reply, error) { return g.userByID(r, r.caller.UserID) }

func (g *Gateway) user(r *request) (reply, error) { return g.userByID(r, r.id) }

func (g *Gateway) userByID(r *request, id string) (reply, error) {
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Users.Get(r.ctx, &userpb.User{Id: id})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: userAnswer{viewUser(out.GetUser())}}, nil
}

func (g *Gateway) users(r *request) (reply, error) {
	in := &userpb.Request{Limit: r.limit(), Cursor: r.cursor()}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := g.deps.Users.GetAll(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: usersAnswer{each(out.GetUsers(), viewUser), out.GetNextCursor()}}, nil
}
