package serve_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/serve"
	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/config"
)

// adminCommand runs fairway admin with the given arguments.
func adminCommand(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	streams := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &err}
	code = cli.Execute(ctx, streams, cli.Root(streams, serve.AdminCommand(streams)), append([]string{"admin"}, args...))
	return code, out.String(), err.String()
}

// operate is adminCommand at this Fairway, with its keys.
func (h *house) operate(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	return adminCommand(h.t.Context(), append(args, "--keys.dir", h.cfg.KeysDir(), "--rpc.address", h.RPC())...)
}

// signIn is a new token of a person who has signed up with person.
func (h *house) signIn(email string) string {
	h.t.Helper()
	return h.call(http.StatusOK, "POST", "/sessions", "", object{"email": email, "password": "a good password"}).text("token")
}

// admin makes a person an admin, as an operator does, and returns the token.
func (h *house) admin(email string) string {
	h.t.Helper()
	h.person(email)
	if code, _, stderr := h.operate("grant", email); code != 0 {
		h.t.Fatalf("exit %d: %s", code, stderr)
	}
	return h.signIn(email)
}

func TestTheOperatorMakesAnAdminAndTakesItBack(t *testing.T) {
	h := open(t, testConfig(t))
	const email = "ada@example.com"
	id, before := h.person(email)
	h.call(http.StatusForbidden, "GET", "/users", before, nil)

	for range 2 { // the second changes nothing
		code, stdout, stderr := h.operate("grant", " Ada@Example.COM")
		if code != 0 || stderr != "" || stdout != "\" Ada@Example.COM\" is an admin from the next log-in on.\n" {
			t.Errorf("exit %d: %s%s", code, stdout, stderr)
		}
	}
	h.call(http.StatusForbidden, "GET", "/users", before, nil) // roles count from the next log-in
	admin := h.signIn(email)
	if n := len(h.all("/users?limit=10", "users", admin)); n != 1 {
		t.Errorf("the admin sees %d users", n)
	}

	code, stdout, stderr := h.operate("revoke", email)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, `"ada@example.com" is no admin from the next log-in on; tokens `) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	after := h.signIn(email)
	h.call(http.StatusForbidden, "GET", "/users", after, nil)

	// The person may know it too.
	entries := func() (list []object) {
		for _, e := range h.all("/logs?limit=10&entity_id="+id, "entries", after) {
			if e["action"] != "created" {
				list = append(list, e)
			}
		}
		return list
	}
	await(t, "both entries of the log", func() bool { return len(entries()) >= 2 })
	list := entries()
	if len(list) != 2 || list[0]["action"] != "admin_revoked" || list[1]["action"] != "admin_granted" {
		t.Fatalf("the log has %v", list)
	}
	for _, e := range list {
		if actor, _ := e["actor_id"].(string); actor != "" || e["entity_type"] != "user" || e["trace_id"] == "" {
			t.Errorf("entry %v", e)
		}
	}
}

func TestWhyNobodyBecameAnAdmin(t *testing.T) {
	h := open(t, testConfig(t))
	h.person("ada@example.com")
	keys := func(change func(dir string)) string {
		dir := filepath.Join(t.TempDir(), "keys")
		if err := auth.KeyDir(dir).Create(); err != nil {
			t.Fatal(err)
		}
		change(dir)
		return dir
	}
	damaged := keys(func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "operator.pem"), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	unreadable := keys(func(dir string) { // a directory cannot be read as a file, whoever one is
		path := filepath.Join(dir, "operator.pem")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	})
	ours, gone := h.cfg.KeysDir(), t.TempDir()
	for name, tc := range map[string]struct {
		email, keys, address string
		code                 int
		says                 []string
	}{
		"there is no such account":   {"bob@example.com", ours, h.RPC(), 4, []string{`there is no account with the e-mail "bob@example.com"`}},
		"the key is missing":         {"ada@example.com", gone, h.RPC(), 1, []string{filepath.Join(gone, "operator.pem") + " is missing", "fairway keys create", "--keys.dir"}},
		"the key cannot be read":     {"ada@example.com", unreadable, h.RPC(), 1, []string{"operator.pem", "--keys.dir"}},
		"the key is damaged":         {"ada@example.com", damaged, h.RPC(), 1, []string{"operator.pem", "no PRIVATE KEY", "--keys.dir"}},
		"the key is another's":       {"ada@example.com", keys(func(string) {}), h.RPC(), 3, []string{h.RPC() + " does not know the operator's key", "--keys.dir"}},
		"nothing runs there":         {"ada@example.com", ours, closedPort(t), 6, []string{"no Fairway answers at 127.0.0.1:", "--rpc.address"}},
		"that is the HTTP gateway":   {"ada@example.com", ours, h.HTTP(), 6, []string{"no Fairway answers at " + h.HTTP()}},
		"the address is no address":  {"ada@example.com", ours, "nonsense", 2, []string{"rpc.address"}},
		"there is no e-mail at all":  {" ", ours, h.RPC(), 4, []string{"there is no account"}},
		"the e-mail is for terminal": {"\x1b[31m@example.com", ours, h.RPC(), 4, []string{`"\x1b[31m@example.com"`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := adminCommand(t.Context(), "grant", tc.email, "--keys.dir", tc.keys, "--rpc.address", tc.address)
			if code != tc.code || stdout != "" {
				t.Errorf("exit %d, want %d: %s%s", code, tc.code, stdout, stderr)
			}
			for _, want := range tc.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q is missing from: %s", want, stderr)
				}
			}
		})
	}
	h.call(http.StatusForbidden, "GET", "/users", h.signIn("ada@example.com"), nil)
}

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestKeysMadeBeforeTheOperatorsStillServe(t *testing.T) {
	cfg := testConfig(t)
	cfg.Keys.Dir = filepath.Join(t.TempDir(), "keys")
	if err := auth.KeyDir(cfg.Keys.Dir).Create(serve.Names()...); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"operator.pem", "operator.pub.pem"} {
		if err := os.Remove(filepath.Join(cfg.Keys.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, env := range []string{config.Production, config.Development} {
		t.Run(env, func(t *testing.T) {
			cfg := cfg
			cfg.Env, cfg.Data.Dir = env, filepath.Join(t.TempDir(), "data")
			h := open(t, cfg)
			h.person("ada@example.com")
			code, _, stderr := h.operate("grant", "ada@example.com")
			if made := env == config.Development; (code == 0) != made || !made && !strings.Contains(stderr, "operator.pem is missing; make it with: fairway keys create") {
				t.Errorf("exit %d: %s", code, stderr)
			}
		})
	}
}

func TestACommandThatAdminDoesNotHaveFails(t *testing.T) {
	for args, want := range map[string]string{
		"revok ada@example.com": `"revok" is not a command of admin, which needs one of: grant, revoke`,
		"":                      "admin needs one of: grant, revoke",
		"grant":                 "admin grant needs an EMAIL",
		"grant a b":             `"b" is too much`,
	} {
		if code, stdout, stderr := adminCommand(t.Context(), strings.Fields(args)...); code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("admin %s: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
}
