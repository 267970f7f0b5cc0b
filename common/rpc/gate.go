package rpc

import "sync"

// gate counts the calls that are in a service and can be shut for new ones. It starts shut.
type gate struct {
	mu     sync.Mutex
	opened bool
	inside int
	idle   chan struct{} // made by shut, closed once nobody is inside
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = true
}

// enter reports whether a call may go in; each one that did must leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.opened {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.idle != nil {
		close(g.idle)
	}
}

// shut refuses new calls from now on. The channel is closed when the last call inside has left. It may be called repeatedly.
func (g *gate) shut() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = false
	if g.idle == nil {
		g.idle = make(chan struct{})
		if g.inside == 0 {
			close(g.idle)
		}
	}
	return g.idle
}
