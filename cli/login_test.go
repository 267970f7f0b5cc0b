package cli_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tokens lists the files of a person's token store.
func (p *person) tokens() []string {
	names, err := filepath.Glob(filepath.Join(p.home, "fairway", "*"))
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

func TestLoginKeepsTheTokenForThePersonAlone(t *testing.T) {
	g := newGateway(t)
	p := newPerson(t, "FAIRWAY_API="+g.URL, "FAIRWAY_PASSWORD="+testPassword)
	out := p.must("login", "--email", "ada@example.com")
	if !strings.HasPrefix(out, "Logged in at "+g.URL+" as ada@example.com until ") {
		t.Errorf("said %q", out)
	}
	files := p.tokens()
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	file, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Stat(filepath.Dir(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if file.Mode() != 0o600 || dir.Mode() != fs.ModeDir|0o700 {
		t.Errorf("modes are %v and %v", file.Mode(), dir.Mode())
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), testPassword) {
		t.Error("the password is on disk")
	}
	if out := p.must("whoami"); !strings.Contains(out, "Ada") {
		t.Errorf("whoami: %s", out)
	}
	// A second log-in replaces the file and leaves nothing else.
	p.must("login", "--email", "ada@example.com")
	if n := len(p.tokens()); n != 1 {
		t.Errorf("%d files", n)
	}
	// Another gateway has a log-in of its own.
	if r := p.run("whoami", "--api", "http://127.0.0.1:1"); r.code != 3 || r.err != "fairway: not logged in at http://127.0.0.1:1: run fairway login --api http://127.0.0.1:1\n" {
		t.Errorf("%+v", r)
	}
	if out := p.must("logout"); out != "Logged out at "+g.URL+".\n" {
		t.Errorf("said %q", out)
	}
	if out := p.must("logout"); out != "Was not logged in at "+g.URL+".\n" {
		t.Errorf("said %q", out)
	}
	if r := p.run("whoami"); r.code != 3 || len(p.tokens()) != 0 {
		t.Errorf("%+v, %v", r, p.tokens())
	}
}

func TestTokenOfTheEnvironmentComesFirst(t *testing.T) {
	g := newGateway(t)
	p := newPerson(t, "FAIRWAY_API="+g.URL, "FAIRWAY_PASSWORD="+testPassword)
	p.must("login", "--email", "ada@example.com")
	p.env = append(p.env, "FAIRWAY_TOKEN=another")
	if r := p.run("whoami"); r.code != 3 || !strings.Contains(r.err, "the token is not good\n  run fairway login --api "+g.URL+"\n") {
		t.Errorf("%+v", r)
	}
	p.env = append(p.env, "FAIRWAY_TOKEN=bad\nvalue")
	if r := p.run("whoami"); r.code != 3 || strings.Contains(r.err, "value") {
		t.Errorf("%+v", r)
	}
}

func TestExpiredAndDamagedTokensAskForALogin(t *testing.T) {
	g := newGateway(t)
	p := newPerson(t, "FAIRWAY_API="+g.URL, "FAIRWAY_PASSWORD="+testPassword)
	p.must("login", "--email", "ada@example.com")
	g.seen()
	file := p.tokens()[0]
	expired, _ := json.Marshal(map[string]any{"token": testToken, "expires_at": time.Now().Add(-time.Second)})
	for content, want := range map[string]string{string(expired): "has expired: run fairway login --api " + g.URL, "{": "is damaged: run fairway login --api " + g.URL, "{}": "is damaged"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := p.run("whoami"); r.code != 3 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v", content, r)
		}
	}
	if n := len(g.seen()); n != 0 {
		t.Errorf("%d requests with a token that cannot be good", n)
	}
}

func TestTheAdviceToLogInNamesAnyGatewayButTheDefault(t *testing.T) {
	const other, standard = "http://other", "http://127.0.0.1:8080"
	for _, tt := range []struct {
		env, args []string
		want      string
	}{
		{nil, nil, "at " + standard + ": run fairway login\n"},
		{nil, []string{"--api", standard}, "at " + standard + ": run fairway login\n"},
		{nil, []string{"--api", other}, "at " + other + ": run fairway login --api " + other + "\n"},
		{[]string{"FAIRWAY_API=" + other}, nil, "at " + other + ": run fairway login --api " + other + "\n"},
		// Without --api the log-in would go to the other one.
		{[]string{"FAIRWAY_API=" + other}, []string{"--api", standard}, "at " + standard + ": run fairway login --api " + standard + "\n"},
	} {
		if r := newPerson(t, tt.env...).run(append([]string{"whoami"}, tt.args...)...); r.code != 3 || r.err != "fairway: not logged in "+tt.want {
			t.Errorf("%v %v: %+v", tt.env, tt.args, r)
		}
	}
}

func TestWhereTheTokenLives(t *testing.T) {
	g := newGateway(t)
	home := t.TempDir()
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"home":         {[]string{"HOME=" + home}, filepath.Join(home, ".config", "fairway")},
		"relative XDG": {[]string{"HOME=" + home, "XDG_CONFIG_HOME=here"}, filepath.Join(home, ".config", "fairway")},
		"XDG":          {[]string{"HOME=" + home, "XDG_CONFIG_HOME=" + home}, filepath.Join(home, "fairway")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			p.env = append(tt.env, "FAIRWAY_API="+g.URL, "FAIRWAY_PASSWORD="+testPassword)
			p.must("login", "--email", "a")
			if files, _ := filepath.Glob(filepath.Join(tt.want, "token-*.json")); len(files) != 1 {
				t.Errorf("files: %v", files)
			}
			p.must("logout")
		})
	}
	p := newPerson(t)
	p.env = []string{"FAIRWAY_API=" + g.URL, "FAIRWAY_PASSWORD=" + testPassword}
	if r := p.run("login", "--email", "a"); r.code != 2 || !strings.Contains(r.err, "FAIRWAY_TOKEN works without") {
		t.Errorf("%+v", r)
	}
}

func TestPasswordsComeFromAnywhereButTheCommandLine(t *testing.T) {
	g := newGateway(t)
	login := []string{"login", "--email", "a"}
	tests := []struct {
		name, stdin string
		env         []string
		args        []string
		code        int
		want        string
	}{
		{"first line of standard input", testPassword + "\nmore\n", nil, append(login, "--password-stdin"), 0, ""},
		{"line of Windows", testPassword + "\r\n", nil, append(login, "--password-stdin"), 0, ""},
		{"line without an end", testPassword, nil, append(login, "--password-stdin"), 0, ""},
		{"environment", "", []string{"FAIRWAY_PASSWORD=" + testPassword}, login, 0, ""},
		{"standard input before environment", testPassword, []string{"FAIRWAY_PASSWORD=x"}, append(login, "--password-stdin"), 0, ""},
		{"wrong", "wrong horse\n", nil, append(login, "--password-stdin"), 3, "Wrong e-mail or password"},
		{"none", "", nil, append(login, "--password-stdin"), 2, "no password on standard input"},
		{"endless", strings.Repeat("x", 1<<20), nil, append(login, "--password-stdin"), 2, "longer than 1024 bytes"},
		{"no terminal", testPassword, nil, login, 2, "no terminal to ask for the password on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPerson(t, append(tt.env, "FAIRWAY_API="+g.URL)...)
			p.stdin = tt.stdin
			g.seen()
			r := p.run(tt.args...)
			if r.code != tt.code || !strings.Contains(r.err, tt.want) {
				t.Errorf("%+v", r)
			}
			if strings.Contains(r.out+r.err, "horse") {
				t.Errorf("the password is shown: %+v", r)
			}
			for _, q := range g.seen() {
				if q.auth != "" {
					t.Errorf("log-in sent %q", q.auth)
				}
			}
		})
	}
}

func TestSignUp(t *testing.T) {
	g := newGateway(t)
	p := newPerson(t, "FAIRWAY_API="+g.URL)
	p.stdin = testPassword + "\n"
	out := p.must("user", "create", "--name", "Ada", "--company", "Engines", "--email", "ada@example.com", "--role", "shipper", "--role", "carrier", "--password-stdin")
	if !strings.Contains(out, "u1") || strings.Contains(out, testPassword) {
		t.Errorf("printed %s", out)
	}
	seen := g.seen()
	sameJSON(t, seen[0].body, `{"name":"Ada","company":"Engines","email":"ada@example.com","password":"`+testPassword+`","roles":["shipper","carrier"]}`)
	if seen[0].auth != "" {
		t.Errorf("sent %+v", seen[0])
	}
}

func TestSignUpCanLogInAtOnce(t *testing.T) {
	g := newGateway(t)
	p := newPerson(t, "FAIRWAY_API="+g.URL, "FAIRWAY_PASSWORD="+testPassword)
	out := p.must("user", "create", "--name", "Ada", "--email", "ada@example.com", "--login")
	if !strings.Contains(out, "u1") || !strings.Contains(out, "Logged in at "+g.URL) {
		t.Errorf("printed %s", out)
	}
	p.must("whoami")
	sameJSON(t, p.must("user", "create", "--name", "Ada", "--email", "a@b", "--login", "-o", "json"),
		`{"user":{"id":"u1","name":"Ada","company":"","email":"a@b","roles":["shipper","carrier"]}}`)
	var login struct{ Token string }
	if err := json.Unmarshal([]byte(p.must("login", "--email", "a@b", "-o", "json")), &login); err != nil || login.Token != testToken {
		t.Errorf("%v, %+v", err, login)
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	leaked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	r := newPerson(t, "FAIRWAY_API="+s.URL, "FAIRWAY_TOKEN="+testToken).run("whoami")
	if r.code != 1 || leaked || strings.Contains(r.out+r.err, testToken) {
		t.Errorf("leaked: %v, %+v", leaked, r)
	}
}
