package rule

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairwayfreight/fairway/common/fault"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

const (
	minPassword = 7 // characters; the upper bound keeps the cost of hashing one bounded
	maxPassword = 128
)

// OpenRoles are the roles that one may take at sign-up, and gets when one names none.
func OpenRoles() []string { return []string{"shipper", "carrier"} }

// NormalizeUser trims name, company and email, and brings email into lower case. The password stays as it is.
func NormalizeUser(u *userpb.User) {
	trim(&u.Name)
	trim(&u.Company)
	lowerEmail(&u.Email)
}

// SignUp checks name, email and password, and where given company and roles. Other fields are not read.
func SignUp(u *userpb.User) []fault.Field {
	var f findings
	f.text("name", u.GetName(), 1, maxName)
	f.text("company", u.GetCompany(), 0, maxName)
	f.email("email", u.GetEmail())
	f.password(u.GetPassword(), minPassword)
	roles := OpenRoles()
	for i, role := range u.GetRoles() {
		field := "roles[" + strconv.Itoa(i) + "]"
		switch {
		case !slices.Contains(roles, role):
			f.add(field, Choice, "must be %s", strings.Join(roles, " or "))
		case slices.Contains(u.GetRoles()[:i], role):
			f.add(field, Unique, "is there twice")
		}
		if i == len(roles) { // one more than there are: whatever follows is wrong too
			break
		}
	}
	return f
}

// Credentials checks the email and password of a log-in. A password that is too short to exist is not named: it is wrong
// like any other.
func Credentials(u *userpb.User) []fault.Field {
	var f findings
	f.email("email", u.GetEmail())
	f.password(u.GetPassword(), 1)
	return f
}

// password checks a password, which may hold any character but NUL, where C libraries stop reading.
func (f *findings) password(s string, low int) {
	const field = "password"
	switch n := utf8.RuneCountInString(s); {
	case s == "":
		f.add(field, Required, "must not be empty")
	case !utf8.ValidString(s):
		f.add(field, Format, "must be valid UTF-8")
	case n < low || n > maxPassword:
		f.add(field, Length, "must have %d to %d characters", low, maxPassword)
	case strings.ContainsRune(s, 0):
		f.add(field, Format, "must not hold a NUL character")
	}
}
