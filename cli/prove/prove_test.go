package prove_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/cli"
	"github.com/fairwayfreight/fairway/cli/prove"
)

// outcome is what a run printed with -o json.
type outcome struct {
	Confirmed  int   `json:"confirmed"`
	Cancelled  int   `json:"cancelled"`
	NoCapacity int   `json:"refused_no_capacity"`
	WrongState int   `json:"refused_wrong_state"`
	Replays    int   `json:"replays"`
	Repeats    int   `json:"repeats_after_lost_answers"`
	Kills      int   `json:"kills"`
	Clean      *bool `json:"clean"`
	Findings   []struct {
		Kind  string   `json:"kind"`
		Count int      `json:"count"`
		First []string `json:"first"`
	} `json:"findings"`
}

func (o outcome) count(kind string) int {
	for _, f := range o.Findings {
		if f.Kind == kind {
			return f.Count
		}
	}
	return -1
}

func execute(ctx context.Context, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	s := cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e}
	code = cli.Execute(ctx, s, cli.Root(s, prove.Command(s)), append([]string{"prove"}, args...))
	return code, o.String(), e.String()
}

// try runs prove against an API for a moment.
func try(t *testing.T, api string, args ...string) (int, outcome) {
	t.Helper()
	args = append([]string{"--api", api, "--writers", "4", "--settle", "200ms", "--timeout", "5s", "--seed", "1", "-o", "json"}, args...)
	code, out, errs := execute(t.Context(), args...)
	var o outcome
	if err := json.Unmarshal([]byte(out), &o); err != nil || o.Clean == nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	return code, o
}

// loads are how long runs last, one after the other, until a load was long enough to do what a test waits for. Mostly the
// first is; a busy machine needs more.
var loads = []string{"300ms", "1500ms", "6s"}

func TestAFairwayThatKeepsItsPromisesIsClean(t *testing.T) {
	for _, load := range loads {
		_, api := serveFake(t, none)
		code, o := try(t, api, "--for", load)
		if code != 0 || !*o.Clean {
			t.Fatalf("exit %d: %+v", code, o.Findings)
		}
		if o.Confirmed > 0 && o.Cancelled > 0 && o.NoCapacity > 0 && o.WrongState > 0 && o.Replays > 0 {
			return
		}
	}
	t.Error("the load does not do all that it should")
}

func TestLostAnswersAroundAKillAreRepeatedAndNoFinding(t *testing.T) {
	f, api := serveFake(t, none)
	code, o := try(t, api, "--kill-command", "touch '"+f.killed+"'", "--kills", "3", "--for", "1s", "--settle", "3s")
	if code != 0 || !*o.Clean || o.Kills != 3 || o.Repeats == 0 {
		t.Errorf("exit %d, %d kills, %d repeats: %+v", code, o.Kills, o.Repeats, o.Findings)
	}
}

func TestEveryBrokenPromiseIsFound(t *testing.T) {
	for defect, kind := range map[defect]string{
		forgetsBookings:   "lost",
		forgetsCancels:    "lost",
		reopens:           "lost",
		booksTwice:        "doubled",
		booksUnasked:      "doubled",
		oversells:         "oversold",
		keepsRoom:         "leaked_capacity",
		keepsWeight:       "leaked_capacity",
		chargesAllLegs:    "leaked_capacity",
		leavesHalfDone:    "half_done",
		skipsLog:          "missing_log_entries",
		skipsVersion:      "wrong_answers",
		logsTwice:         "repeated_log_entries",
		listsEntryTwice:   "repeated_log_entries",
		hidesReplays:      "broken_replays",
		ignoresKeys:       "broken_replays",
		ignoresBodies:     "broken_replays",
		dropsRejected:     "wrong_answers",
		booksClosed:       "wrong_answers",
		changesBookings:   "wrong_answers",
		fails:             "wrong_answers",
		panics:            "wrong_answers",
		plainErrors:       "wrong_answers",
		untraced:          "wrong_answers",
		hangsUp:           "wrong_answers",
		forgetsRetryAfter: "wrong_answers",
		showsStrangers:    "strangers_who_saw",
		listsStrangers:    "strangers_who_saw",
		logsStrangers:     "strangers_who_saw",
		pagesOverlap:      "paged_twice",
	} {
		t.Run(string(defect), func(t *testing.T) {
			t.Parallel()
			for _, load := range loads {
				_, api := serveFake(t, defect)
				code, o := try(t, api, "--for", load)
				if o.count(kind) > 0 && code == 1 && !*o.Clean {
					return
				}
			}
			t.Errorf("no %s was found", kind)
		})
	}
}

func TestAVoyageThatIsOversoldForAMomentIsSeen(t *testing.T) {
	t.Parallel()
	_, api := serveFake(t, oversellsInBetween)
	if code, o := try(t, api, "--for", "1500ms"); code != 1 || o.count("oversold") < 1 {
		t.Errorf("exit %d: %+v", code, o.Findings)
	}
}

func TestKillsThatCannotBeMadeAreAFinding(t *testing.T) {
	_, api := serveFake(t, none)
	if code, o := try(t, api, "--for", "300ms", "--kill-command", "echo no such process; false", "--kills", "2"); code != 1 || o.Kills != 0 || o.count("not_killed") != 1 {
		t.Errorf("exit %d, %d kills: %+v", code, o.Kills, o.Findings)
	}
}

func TestTheTableNamesEveryKindAndTheVerdict(t *testing.T) {
	_, api := serveFake(t, booksTwice)
	code, out, errs := execute(t.Context(), "--api", api, "--writers", "4", "--for", "300ms", "--settle", "0s", "--seed", "7")
	for _, want := range []string{"seed 7", "DOUBLED ", "LEAKED CAPACITY ", "Not every answer held:", "doubled: consignments "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if code != 1 || !strings.Contains(errs, "fairway: ") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestWhatCannotBeTriedExitsWithTwo(t *testing.T) {
	for name, args := range map[string][]string{
		"nobody there":   {"--api", "http://127.0.0.1:1", "--timeout", "100ms", "--settle", "0s"},
		"no URL":         {"--api", "127.0.0.1:8080"},
		"no writers":     {"--writers", "0"},
		"no voyages":     {"--hot", "0", "--spread", "0"},
		"no time":        {"--for", "0s"},
		"negative kills": {"--kills", "-1"},
		"unknown output": {"-o", "xml"},
		"an argument":    {"now"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out, errs := execute(t.Context(), args...); code != 2 || out != "" || errs == "" {
				t.Errorf("exit %d: %s%s", code, out, errs)
			}
		})
	}
}

func TestInterruptEndsARun(t *testing.T) {
	_, api := serveFake(t, none)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for a run that does not end
	defer cancel()
	time.AfterFunc(300*time.Millisecond, cancel)
	began := time.Now()
	code, out, _ := execute(ctx, "--api", api, "--writers", "4", "--for", "1m")
	if took := time.Since(began); code != 130 || out != "" || took > 15*time.Second {
		t.Errorf("exit %d after %s: %s", code, took, out)
	}
}
