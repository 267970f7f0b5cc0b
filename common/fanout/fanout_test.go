package fanout_test

import (
	"errors"
	"fmt"
	"strings"
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

func TestAPanicFailsItsOwnCallAlone(t *testing.T) {
	done := make([]bool, 3)
	err := fanout.All(3, 1, func(i int) error {
		if i == 1 {
			panic("at the second")
		}
		done[i] = true
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "at the second") || !done[0] || !done[2] {
		t.Errorf("%v, done %v", err, done)
	}
}
