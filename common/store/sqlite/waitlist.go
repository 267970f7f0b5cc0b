package sqlite

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/fairwayfreight/fairway/common/store"
)

// maxHeld is how many waiting events of a collection are kept in memory. Behind them, the others wait on disk alone.
const maxHeld = 16_384

// waitlist is what claims are made from: the waiting events of a collection, oldest first, and who is publishing which. In
// normal running an event comes here when it has been committed and leaves when it has been settled, and is never read back.
type waitlist struct {
	now    func() time.Time
	signal chan struct{}

	mu        sync.Mutex
	documents map[string]*document
	ready     byAge // documents that nobody has claimed
	claimed   map[*document]struct{}
	held      int
	// Every event up to number loaded is in memory, or settled. Up to number last there are more on disk.
	loaded, last int64
	// depth is how many events wait in all.
	depth int
	// timer runs to the end of the next lease.
	timer   *time.Timer
	stopped bool
}

// waitingEvent is an event in an outbox. Numbers rise over all events of a collection.
type waitingEvent struct {
	sequence int64
	document string
	store.Event
}

// document is one with waiting events.
type document struct {
	id     string
	events []waitingEvent
	until  time.Time // the end of its claim
	place  int       // in ready; away when it is not there
}

const away = -1

func newWaitlist(now func() time.Time) *waitlist {
	return &waitlist{
		now:       now,
		signal:    make(chan struct{}, 1),
		documents: make(map[string]*document),
		claimed:   make(map[*document]struct{}),
	}
}

// found tells of the events that waited when the collection was opened.
func (l *waitlist) found(depth int, last int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depth, l.last = depth, last
	l.wake()
}

// add takes in events that were just committed, in the order of their numbers.
func (l *waitlist) add(events []waitingEvent) {
	if len(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depth += len(events)
	behind := l.loaded < l.last
	l.last = events[len(events)-1].sequence
	if !behind && l.held+len(events) <= maxHeld {
		l.hold(events)
		l.loaded = l.last
	}
	l.wake()
}

func (l *waitlist) hold(events []waitingEvent) {
	for _, e := range events {
		d, ok := l.documents[e.document]
		if !ok {
			d = &document{id: e.document, place: away}
			l.documents[e.document] = d
		}
		d.events = append(d.events, e)
		if !ok {
			heap.Push(&l.ready, d)
		}
	}
	l.held += len(events)
}

// claim claims up to limit documents. load reads events with numbers behind after, up to until.
func (l *waitlist) claim(limit int, lease time.Duration, load func(after, until int64, limit int) ([]waitingEvent, error)) ([]store.Waiting, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.expire(now)
	// What the writer has committed and not yet added is behind last, so nothing comes in twice.
	for len(l.ready) < limit && l.loaded < l.last && l.held < maxHeld {
		room := min(maxHeld-l.held, store.MaxBatch)
		events, err := load(l.loaded, l.last, room)
		if err != nil {
			return nil, err
		}
		l.hold(events)
		if len(events) < room {
			l.loaded = l.last
		} else {
			l.loaded = events[len(events)-1].sequence
		}
	}
	var list []store.Waiting
	for len(list) < limit && len(l.ready) > 0 {
		d := heap.Pop(&l.ready).(*document)
		d.until = now.Add(lease)
		l.claimed[d] = struct{}{}
		w := store.Waiting{DocumentID: d.id, Events: make([]store.Event, len(d.events))}
		for i, e := range d.events {
			w.Events[i] = e.Event
		}
		list = append(list, w)
	}
	l.wakeForRest() // for another claimer
	l.schedule(now)
	return list, nil
}

// find gives the numbers of events, and those that it does not know because they are on disk alone.
func (l *waitlist) find(done []store.Waiting) (known []int64, unknown []waitingEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range done {
		d := l.documents[w.DocumentID]
		for _, e := range w.Events {
			at := -1
			if d != nil {
				at = slices.IndexFunc(d.events, func(x waitingEvent) bool { return x.ID == e.ID })
			}
			switch {
			case at >= 0:
				known = append(known, d.events[at].sequence)
			case l.loaded < l.last:
				unknown = append(unknown, waitingEvent{document: w.DocumentID, Event: e})
			}
		}
	}
	return known, unknown
}

// settled takes out events that were removed on disk, where they were that many, and ends the claims of those who published
// them. Of a document that no longer has any of the events the claim, if there is one, is somebody else's.
func (l *waitlist) settled(done []store.Waiting, removed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depth -= int(removed)
	for _, w := range done {
		d := l.documents[w.DocumentID]
		if d == nil {
			continue
		}
		before := len(d.events)
		d.events = slices.DeleteFunc(d.events, func(e waitingEvent) bool { return contains(w.Events, e.ID) })
		if gone := before - len(d.events); gone > 0 {
			l.held -= gone
			l.free(d)
		}
	}
	l.wakeForRest()
}

// dropped takes out a document that was deleted with its events, of which there were that many.
func (l *waitlist) dropped(id string, removed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depth -= int(removed)
	if d := l.documents[id]; d != nil {
		l.held -= len(d.events)
		d.events = nil
		l.tidy(d)
	}
}

// end gives those claimed documents free of which nothing was published.
func (l *waitlist) end(done []store.Waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range done {
		if d := l.documents[w.DocumentID]; d != nil && len(w.Events) == 0 {
			l.free(d)
		}
	}
	l.wakeForRest()
}

// wakeForRest makes signal receive where there is something to claim. What waits on disk while memory is full of claimed
// events is not: a claimer that was woken for it would come again and again for nothing.
func (l *waitlist) wakeForRest() {
	if len(l.ready) > 0 || l.loaded < l.last && l.held < maxHeld {
		l.wake()
	}
}

func (l *waitlist) free(d *document) {
	delete(l.claimed, d)
	l.tidy(d)
}

// tidy puts a document where it belongs after its events or its claim have changed.
func (l *waitlist) tidy(d *document) {
	_, claimed := l.claimed[d]
	switch {
	case len(d.events) == 0:
		if d.place != away {
			heap.Remove(&l.ready, d.place)
		}
		delete(l.claimed, d)
		delete(l.documents, d.id)
	case claimed:
	case d.place == away:
		heap.Push(&l.ready, d)
	default:
		heap.Fix(&l.ready, d.place)
	}
}

// mayHave tells whether events of a document may wait, when youngest is the number of the youngest event, committed or not.
func (l *waitlist) mayHave(id string, youngest int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.documents[id] != nil || l.loaded < youngest
}

func (l *waitlist) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.depth
}

// stop ends the timer for good.
func (l *waitlist) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// wake makes signal receive; it never blocks.
func (l *waitlist) wake() {
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// expire gives those free whose lease has ended, and tells whether there were any.
func (l *waitlist) expire(now time.Time) (some bool) {
	for d := range l.claimed {
		if !now.Before(d.until) {
			l.free(d)
			some = true
		}
	}
	return some
}

// schedule sets the timer to the end of the first lease.
func (l *waitlist) schedule(now time.Time) {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.stopped || len(l.claimed) == 0 {
		return
	}
	var first time.Time
	for d := range l.claimed {
		if first.IsZero() || d.until.Before(first) {
			first = d.until
		}
	}
	l.timer = time.AfterFunc(first.Sub(now), l.leaseEnded)
}

func (l *waitlist) leaseEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.expire(now) {
		l.wake()
	}
	l.schedule(now)
}

// byAge is a heap of documents, the one with the oldest waiting event on top.
type byAge []*document

func (h byAge) Len() int           { return len(h) }
func (h byAge) Less(i, j int) bool { return h[i].events[0].sequence < h[j].events[0].sequence }

func (h byAge) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *byAge) Push(x any) {
	d := x.(*document)
	d.place = len(*h)
	*h = append(*h, d)
}

func (h *byAge) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	d.place = away
	return d
}
