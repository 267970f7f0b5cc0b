package fanout_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/fairwayfreight/fairway/common/fanout"
)

func TestAllAreDoneThoughSomeFail(t *testing.T) {
	var done, running, most atomic.Int32
	sick := errors.New("sick")
	err := fanout.All(100, 7, func(i int) error {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		done.Add(1)
		if i%10 == 0 {
			return fmt.Errorf("%d: %w", i, sick)
		}
		return nil
	})
	if done.Load() != 100 || !errors.Is(err, sick) {
		t.Errorf("%d done, %v", done.Load(), err)
	}
	if most.Load() > 7 {
		t.Errorf("%d at a time", most.Load())
	}
	if err := fanout.All(0, 1, nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}
