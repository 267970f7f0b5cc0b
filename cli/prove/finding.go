package prove

import (
	"fmt"
	"strconv"
	"sync"
)

// kind is a promise that was broken.
type kind int

// The kinds, in the order in which they are reported.
const (
	lost         kind = iota // answered with success, and not there or not in that state
	doubled                  // two bookings for one key, or one that nobody asked for
	oversold                 // more on a leg than it carries
	leaked                   // the room taken on a leg is not the sum of the bookings on it
	halfDone                 // still RECEIVED after the time to settle
	missingLog               // a change without its entry in the log
	repeatedLog              // a change with two entries, or an entry listed twice
	brokenReplay             // the same key did not give the same answer, or another body was not refused
	wrongAnswer              // an answer that the API does not promise, or that contradicts itself
	strangerSaw              // somebody was shown what is not theirs
	pagedTwice               // a walk through a list met an item twice
	notKilled                // the kill command did not do what it was asked: the run proves less than it should
	kinds                    // how many there are
)

var kindNames = [kinds]string{
	lost: "lost", doubled: "doubled", oversold: "oversold", leaked: "leaked_capacity", halfDone: "half_done",
	missingLog: "missing_log_entries", repeatedLog: "repeated_log_entries", brokenReplay: "broken_replays",
	wrongAnswer: "wrong_answers", strangerSaw: "strangers_who_saw", pagedTwice: "paged_twice", notKilled: "not_killed",
}

func (k kind) String() string { return kindNames[k] }

// maxShown is how many findings of a kind are told; all are counted.
const maxShown = 10

// findings collects what is wrong. It is safe for many goroutines.
type findings struct {
	mu     sync.Mutex
	counts [kinds]int
	first  [kinds][]string
}

func (f *findings) add(k kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[k]++
	if len(f.first[k]) < maxShown {
		f.first[k] = append(f.first[k], clean(fmt.Sprintf(format, args...)))
	}
}

// count is how many findings of a kind there are.
func (f *findings) count(k kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[k]
}

func (f *findings) clean() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts == [kinds]int{}
}

// merge adds another's findings, of which nobody adds any more.
func (f *findings) merge(other *findings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range kinds {
		f.counts[k] += other.counts[k]
		f.first[k] = append(f.first[k], other.first[k]...)
		f.first[k] = f.first[k][:min(len(f.first[k]), maxShown)]
	}
}

// clean makes one line of text from a server that is safe to show on a terminal and not too long to read.
func clean(s string) string {
	const most = 600
	r := []rune(s)
	for i := range r {
		if !strconv.IsPrint(r[i]) {
			r[i] = '\ufffd'
		}
	}
	if len(r) > most {
		r = append(r[:most], '…')
	}
	return string(r)
}
