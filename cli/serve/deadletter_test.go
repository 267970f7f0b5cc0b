package serve_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/event"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	"github.com/fairwayfreight/fairway/config"
)

// TestWhatTheLogCannotHandleIsADeadLetter lays poison between two runs: a message that is no event, an event that can never be
// logged, and one that the log's database refuses until it is mended.
func TestWhatTheLogCannotHandleIsADeadLetter(t *testing.T) {
	cfg := testConfig(t)
	h := open(t, cfg)
	h.admin("boss@example.com")
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	thing := func(version int64, audience ...string) store.Event {
		e := event.New(t.Context(), time.Now(), "thing", fmt.Sprint("change", version), "thing-1", version)
		e.Audience = audience
		r, err := e.Record(nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	never, refused := thing(2, "not an id"), thing(4)
	garbage := store.Event{ID: "garbage", Body: []byte("\xffgarbage")}
	publish(t, cfg, thing(1), never, garbage, thing(3), refused, thing(5))
	alter(t, cfg, `CREATE TRIGGER poison BEFORE INSERT ON "ix_blocks.event" WHEN NEW.match = '`+refused.ID+`' BEGIN SELECT RAISE(ABORT, 'poisoned'); END`)

	h = open(t, cfg)
	boss := h.signIn("boss@example.com")
	logged := func() (versions []int) {
		for _, e := range h.all("/logs?entity_id=thing-1&limit=200", "entries", boss) {
			versions = append(versions, int(e["version"].(float64)))
		}
		slices.Sort(versions)
		return versions
	}
	await(t, "the events around the poison", func() bool { return slices.Equal(logged(), []int{1, 3, 5}) })
	_, shipper := h.person("ada@example.com") // and others go on
	await(t, "another entity's event", func() bool { return len(h.all("/logs?action=created&limit=200", "entries", shipper)) == 1 })

	letters := map[string]object{}
	var unread string // the id of the letter of what is no event
	for _, l := range h.all("/dead-letters?service=log&limit=1", "dead_letters", boss) {
		id := l["id"].(string)
		letters[id] = l
		if id != never.ID && id != refused.ID {
			unread = id
		}
	}
	if len(letters) != 3 || unread == "" {
		t.Fatalf("dead letters %v", letters)
	}
	for id, want := range map[string]struct {
		attempts float64
		reason   string
	}{
		never.ID:   {1, `invalid: "not an id" in event "` + never.ID + `" cannot be an id`},
		refused.ID: {5, "poisoned"},
	} {
		l := letters[id]
		reason, _ := l["reason"].(string)
		if l["attempts"] != want.attempts || !strings.Contains(reason, want.reason) || l["entity_id"] != "thing-1" || l["source"] != "fairway.user" {
			t.Errorf("%s: %v", id, l)
		}
	}
	if got := h.call(http.StatusOK, "GET", "/dead-letters/log/"+never.ID, boss, nil).text("dead_letter", "payload"); got != string(never.Body) {
		t.Errorf("payload %s, want %s", got, never.Body)
	}
	if got := h.call(http.StatusOK, "GET", "/dead-letters/log/"+unread, boss, nil).text("dead_letter", "payload_base64"); got != "/2dhcmJhZ2U=" {
		t.Errorf("payload in Base64 %s", got)
	}
	for _, call := range [][2]string{
		{"GET", "/dead-letters?service=log"}, {"GET", "/dead-letters/log/" + never.ID},
		{"POST", "/dead-letters/log/" + never.ID + "/redrive"}, {"DELETE", "/dead-letters/log/" + never.ID},
	} {
		h.call(http.StatusForbidden, call[0], call[1], shipper, nil)
	}
	if detail := h.call(http.StatusConflict, "POST", "/dead-letters/log/"+refused.ID+"/redrive", boss, nil).text("detail"); !strings.Contains(detail, "poisoned") {
		t.Errorf("the redrive says %q", detail)
	}
	if n := h.call(http.StatusOK, "GET", "/dead-letters/log/"+refused.ID, boss, nil).number("dead_letter", "attempts"); n != 6 {
		t.Errorf("%v attempts after a redrive", n)
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	alter(t, cfg, `DROP TRIGGER poison`)

	h = open(t, cfg)
	h.call(http.StatusNoContent, "POST", "/dead-letters/log/"+refused.ID+"/redrive", boss, nil)
	if got := logged(); !slices.Equal(got, []int{1, 3, 4, 5}) {
		t.Errorf("versions %v are logged", got)
	}
	for _, id := range []string{never.ID, unread} {
		h.call(http.StatusConflict, "POST", "/dead-letters/log/"+id+"/redrive", boss, nil)
		h.call(http.StatusNoContent, "DELETE", "/dead-letters/log/"+id, boss, nil)
		h.call(http.StatusNotFound, "DELETE", "/dead-letters/log/"+id, boss, nil)
	}
	if left := h.all("/dead-letters?service=log", "dead_letters", boss); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// publish puts events of one document into the user service's outbox. Nothing may run on the data directory.
func publish(t *testing.T, cfg config.Config, events ...store.Event) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(cfg.Data.Dir, "user.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	accounts, err := db.Table(t.Context(), store.Schema{Name: "accounts"})
	if err != nil {
		t.Fatal(err)
	}
	if err := accounts.Insert(t.Context(), store.Record{ID: "thing-1", Body: []byte(`{"id":"thing-1"}`), Outbox: events}); err != nil {
		t.Fatal(err)
	}
}

// alter changes the log's database behind its back. Nothing may run on the data directory.
func alter(t *testing.T, cfg config.Config, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(cfg.Data.Dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
