// Package fanout does many alike things at once.
package fanout

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// maxErrors bounds what an error text can grow to: when many fail, they mostly fail alike.
const maxErrors = 10

// All calls do for 0 to n-1, at most limit at a time, and returns when all calls have returned. One that fails stops none of
// the others; a panic is a failure. The error joins the first ten failures in the order of their numbers.
func All(n, limit int, do func(i int) error) error {
	failures := make([]error, n)
	slots := make(chan struct{}, limit)
	var wait sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if v := recover(); v != nil {
					failures[i] = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
				}
			}()
			failures[i] = do(i)
		})
	}
	wait.Wait()
	var some []error
	for _, err := range failures {
		if err != nil && len(some) < maxErrors {
			some = append(some, err)
		}
	}
	return errors.Join(some...)
}
