package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairwayfreight/fairway/log/chain"
)

// tampered is a log in which something is wrong. What it is has been printed.
type tampered int

func (n tampered) Error() string {
	if n == 1 {
		return "the log is not what it was: there is one finding"
	}
	return fmt.Sprintf("the log is not what it was: there are %d findings", int(n))
}

// verdictView and reportView are the report for programs.
type verdictView struct {
	Chain   int    `json:"chain"`
	Entries int64  `json:"entries"`
	Last    int64  `json:"last"`
	Signed  int64  `json:"signed"`
	Head    string `json:"head"`
	Verdict string `json:"verdict"`
}

type findingView struct {
	Kind  chain.Kind `json:"kind"`
	Chain *int       `json:"chain,omitempty"`
	First int64      `json:"first,omitempty"`
	Last  int64      `json:"last,omitempty"`
	Text  string     `json:"text"`
}

type reportView struct {
	Sound    bool          `json:"sound"`
	Entries  int64         `json:"entries"`
	Heads    int           `json:"heads"`
	SignedAt *time.Time    `json:"signed_at,omitempty"`
	Chains   []verdictView `json:"chains"`
	Findings []findingView `json:"findings"`
}

func viewReport(r chain.Report) reportView {
	view := reportView{Heads: r.Heads, Findings: []findingView{}}
	if !r.Newest.IsZero() {
		view.SignedAt = &r.Newest
	}
	for number, c := range r.Chains {
		view.Entries += c.Entries
		view.Chains = append(view.Chains, verdictView{number, c.Entries, c.Last, c.Signed, hex.EncodeToString(c.Hash), verdict(c.Findings)})
	}
	for _, f := range r.Findings() {
		v := findingView{Kind: f.Kind, First: f.First, Last: f.Last, Text: f.Text}
		if f.Chain != chain.NoChain {
			v.Chain = &f.Chain
		}
		view.Findings = append(view.Findings, v)
	}
	view.Sound = len(view.Findings) == 0
	return view
}

// verdict names what is wrong with a chain.
func verdict(found []chain.Finding) string {
	if len(found) == 0 {
		return "sound"
	}
	var kinds []string
	for _, f := range found {
		if kind := string(f.Kind); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, ", ")
}

var verdictColumns = []column[verdictView]{
	{title: "CHAIN", value: func(v verdictView) string { return strconv.Itoa(v.Chain) }},
	{title: "ENTRIES", value: func(v verdictView) string { return strconv.FormatInt(v.Entries, 10) }},
	{title: "SIGNED", value: func(v verdictView) string { return strconv.FormatInt(v.Signed, 10) }},
	{title: "HEAD", value: func(v verdictView) string { return v.Head[:min(16, len(v.Head))] }},
	{title: "VERDICT", value: func(v verdictView) string { return v.Verdict }},
}

// printReport prints the report. A log that is not sound is an error.
func printReport(r *remote, report chain.Report) error {
	view := viewReport(report)
	var err error
	if r.asJSON() {
		var data []byte
		if data, err = encode(view); err == nil {
			err = printJSON(r.streams.Out, data)
		}
	} else {
		err = printVerdict(r.streams.Out, view)
	}
	if err != nil {
		return err
	}
	if view.Heads == 0 && view.Entries > 0 {
		fmt.Fprintln(r.streams.Err, "No heads with a good signature: the chains fit in themselves, but they could have been written anew.")
	}
	if !view.Sound {
		return tampered(len(view.Findings))
	}
	return nil
}

func printVerdict(w io.Writer, view reportView) error {
	if err := printTable(w, view.Chains, verdictColumns); err != nil {
		return err
	}
	text := fmt.Sprintf("\nentries: %d, signed heads: %d", view.Entries, view.Heads)
	if view.SignedAt != nil {
		text += ", the last of " + view.SignedAt.UTC().Format(time.RFC3339)
	}
	if view.Sound {
		text += ": sound"
	}
	text += "\n"
	for _, f := range view.Findings {
		text += clean(f.Text) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
