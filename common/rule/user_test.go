package rule_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/rule"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
)

func person() *userpb.User {
	return &userpb.User{Name: "Ann", Company: "Acme", Email: "ann@example.com", Password: "correct horse", Roles: []string{"shipper"}}
}

func TestSignUp(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*userpb.User)
		want []string
	}{
		"fine":                  {func(*userpb.User) {}, nil},
		"no company":            {func(u *userpb.User) { u.Company = "" }, nil},
		"no roles":              {func(u *userpb.User) { u.Roles = nil }, nil},
		"both roles":            {func(u *userpb.User) { u.Roles = []string{"carrier", "shipper"} }, nil},
		"empty":                 {func(u *userpb.User) { proto.Reset(u) }, []string{"name required", "email required", "password required"}},
		"long name":             {func(u *userpb.User) { u.Name = strings.Repeat("n", 201) }, []string{"name length"}},
		"long name, wide runes": {func(u *userpb.User) { u.Name = strings.Repeat("船", 200) }, nil},
		"control in name":       {func(u *userpb.User) { u.Name = "a\x00b" }, []string{"name format"}},
		"C1 control in name":    {func(u *userpb.User) { u.Name = "a\u0085b" }, []string{"name format"}},
		"bad UTF-8 in name":     {func(u *userpb.User) { u.Name = "a\xff" }, []string{"name format"}},
		"long company":          {func(u *userpb.User) { u.Company = strings.Repeat("n", 201) }, []string{"company length"}},
		"short password":        {func(u *userpb.User) { u.Password = "123456" }, []string{"password length"}},
		"shortest password":     {func(u *userpb.User) { u.Password = "1234567" }, nil},
		"longest password":      {func(u *userpb.User) { u.Password = strings.Repeat("ß", 128) }, nil},
		"too long password":     {func(u *userpb.User) { u.Password = strings.Repeat("a", 129) }, []string{"password length"}},
		"six wide characters":   {func(u *userpb.User) { u.Password = "ßßßßßß" }, []string{"password length"}},
		"NUL in password":       {func(u *userpb.User) { u.Password = "1234567\x00" }, []string{"password format"}},
		"bad UTF-8 in password": {func(u *userpb.User) { u.Password = "1234567\xc3" }, []string{"password format"}},
		"admin":                 {func(u *userpb.User) { u.Roles = []string{"admin"} }, []string{"roles[0] choice"}},
		"role twice":            {func(u *userpb.User) { u.Roles = []string{"carrier", "carrier"} }, []string{"roles[1] unique"}},
		"many roles": {func(u *userpb.User) { u.Roles = make([]string, 100) },
			[]string{"roles[0] choice", "roles[1] choice", "roles[2] choice"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.SignUp(change(person(), c.edit)), c.want...) })
	}
}

func TestEmail(t *testing.T) {
	name64 := strings.Repeat("a", 64)
	for email, want := range map[string]string{
		"a@b": "", "ann+x@example.com": "", "用户@例子.广告": "", "o'neil@example.com": "",
		name64 + "@example.com":                   "",
		name64 + "a@example.com":                  "length",
		name64 + "@" + strings.Repeat("d", 189):   "",
		name64 + "@" + strings.Repeat("d", 190):   "length",
		"":                                        "required",
		"ann":                                     "format",
		"@example.com":                            "format",
		"ann@":                                    "format",
		"ann@@example.com":                        "format",
		"ann@ex@ample.com":                        "format",
		"ann smith@example.com":                   "format",
		"ann\u00a0@example.com":                   "format",
		"ann\u200b@example.com":                   "format", // zero width
		"ann\r\nBcc: x@example.com":               "format",
		"ann@example.com\x00":                     "format",
		"ann\xff@example.com":                     "format",
		strings.Repeat("@", 255):                  "length",
		strings.Repeat("a", 1<<20) + "@huge.test": "length",
	} {
		want := want
		var list []string
		if want != "" {
			list = []string{"email " + want}
		}
		expect(t, rule.SignUp(change(person(), func(u *userpb.User) { u.Email = email })), list...)
	}
}

func TestCredentialsDoNotTellAShortPasswordApart(t *testing.T) {
	expect(t, rule.Credentials(&userpb.User{Email: "a@b", Password: "x"}))
	expect(t, rule.Credentials(&userpb.User{}), "email required", "password required")
	expect(t, rule.Credentials(&userpb.User{Email: "a@b", Password: strings.Repeat("x", 129)}), "password length")
}

func TestNormalizeUser(t *testing.T) {
	u := &userpb.User{Name: " Ann\t", Company: "\nAcme ", Email: "  Ann@EXAMPLE.com ", Password: " Secret 1 "}
	rule.NormalizeUser(u)
	want := &userpb.User{Name: "Ann", Company: "Acme", Email: "ann@example.com", Password: " Secret 1 "}
	if !proto.Equal(u, want) {
		t.Errorf("normalized to %v, want %v", u, want)
	}
}

func FuzzSignUp(f *testing.F) {
	f.Add("Ann", "ann@example.com", "correct horse")
	f.Add("\xff", "İ@B\xff", "\x00")
	f.Fuzz(func(t *testing.T, name, email, password string) {
		u := &userpb.User{Name: name, Email: email, Password: password}
		rule.NormalizeUser(u)
		again := proto.Clone(u).(*userpb.User)
		rule.NormalizeUser(again)
		if again.Email != u.Email || again.Name != u.Name {
			t.Errorf("normalizing twice: %q, once: %q", again, u)
		}
		if len(rule.SignUp(u)) > 0 {
			return
		}
		if u.Password != password {
			t.Error("the password was changed")
		}
		for _, s := range []string{u.Name, u.Email, u.Password} {
			if !utf8.ValidString(s) || s == "" {
				t.Errorf("accepted %q", s)
			}
		}
		if strings.Count(u.Email, "@") != 1 || len(u.Email) > 254 || strings.ToLower(u.Email) != u.Email {
			t.Errorf("accepted the e-mail %q", u.Email)
		}
	})
}
