package rpc

import "sync"

// lastError keeps what a stream's Error method tells. Send and Recv may run at the same time.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) keep(err error) error {
	if err != nil {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
	}
	return err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
