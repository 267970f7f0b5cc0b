package prove

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the outcome of a run. Times are in seconds.
type report struct {
	Seed    uint64  `json:"seed"`
	Run     string  `json:"run"`
	Writers int     `json:"writers"`
	Voyages int     `json:"voyages"`
	Load    float64 `json:"load_seconds"`

	Confirmed  int64   `json:"confirmed"`
	PerSecond  float64 `json:"confirmed_per_second"`
	NoCapacity int64   `json:"refused_no_capacity"`
	WrongState int64   `json:"refused_wrong_state"`
	Cancelled  int64   `json:"cancelled"`
	// GivenUp are attempts at a booking that Fairway could not finish and keeps as REJECTED.
	GivenUp int `json:"given_up"`

	Requests int64 `json:"requests"`
	// Replays are repeats of what had been answered, Repeats those of what had not.
	Replays int64            `json:"replays"`
	Repeats int64            `json:"repeats_after_lost_answers"`
	Errors  map[string]int64 `json:"errors"`

	Kills       int     `json:"kills"`
	Unavailable float64 `json:"longest_unavailable_seconds"`
	// Waited is the longest time that one request was repeated until its final answer.
	Waited float64 `json:"longest_wait_seconds"`
	// Settled is from the end of the load to the beginning of the audit that decided; SettledAfterKill from the last kill.
	Settled          float64 `json:"settled_seconds"`
	SettledAfterKill float64 `json:"settled_after_last_kill_seconds,omitempty"`

	Clean    bool           `json:"clean"`
	Findings []reportedKind `json:"findings"`
}

type reportedKind struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	// First has the first few of them.
	First []string `json:"first"`
}

// sum makes a report of the load, without what the audit finds.
func (r *run) sum(took time.Duration) *report {
	t := r.tally
	return &report{
		Seed: r.o.seed, Run: r.fleet.run, Writers: r.o.writers, Voyages: len(r.fleet.voyages), Load: took.Seconds(),
		Confirmed: t.confirmed.Load(), PerSecond: float64(t.confirmed.Load()) / took.Seconds(),
		NoCapacity: t.noCapacity.Load(), WrongState: t.wrongState.Load(), Cancelled: t.cancelled.Load(),
		Requests: t.requests.Load(), Replays: t.replays.Load(), Repeats: t.repeats.Load(), Errors: t.failures(),
		Kills: r.kills, Unavailable: r.unavailable.Seconds(), Waited: t.longestWait().Seconds(),
	}
}

// conclude adds the findings, of every kind, and the verdict.
func (r *report) conclude(f *findings) {
	r.Clean = f.clean()
	for k := range kinds {
		r.Findings = append(r.Findings, reportedKind{k.String(), f.count(k), append([]string{}, f.first[k]...)})
	}
}

// print writes the report, as one JSON object or for people.
func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("RUN", "%s, seed %d", r.Run, r.Seed)
	row("LOAD", "%.1f s, %d writers on %d voyages", r.Load, r.Writers, r.Voyages)
	row("CONFIRMED", "%d bookings, %.1f a second", r.Confirmed, r.PerSecond)
	row("REFUSED", "%d no_capacity, %d wrong_state", r.NoCapacity, r.WrongState)
	row("CANCELLED", "%d", r.Cancelled)
	row("GIVEN UP", "%d attempts, kept as REJECTED", r.GivenUp)
	row("REQUESTS", "%d", r.Requests)
	row("REPLAYS", "%d of answered requests, %d repeats after lost answers", r.Replays, r.Repeats)
	row("ERRORS", "%s", r.failures())
	row("KILLS", "%d", r.Kills)
	row("UNAVAILABLE", "%.1f s at the longest, %.1f s until a request had its final answer", r.Unavailable, r.Waited)
	settled := fmt.Sprintf("%.1f s after the load", r.Settled)
	if r.Kills > 0 {
		settled += fmt.Sprintf(", %.1f s after the last kill", r.SettledAfterKill)
	}
	row("SETTLED", "%s", settled)
	fmt.Fprintln(t)
	for _, k := range r.Findings {
		row(strings.ToUpper(strings.ReplaceAll(k.Kind, "_", " ")), "%d", k.Count)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString("\n" + r.verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) failures() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Errors)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.Errors[name], clean(name)))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// verdict says in words whether all is well, and what is not.
func (r *report) verdict() string {
	if r.Clean {
		return "Every answer held.\n"
	}
	var b strings.Builder
	b.WriteString("Not every answer held:\n")
	for _, k := range r.Findings {
		for _, sentence := range k.First {
			fmt.Fprintf(&b, "  %s: %s\n", k.Kind, sentence)
		}
		if more := k.Count - len(k.First); more > 0 {
			fmt.Fprintf(&b, "  %s: and %d more\n", k.Kind, more)
		}
	}
	return b.String()
}
