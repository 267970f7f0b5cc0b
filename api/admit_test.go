package api_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/api"
)

func TestLargeBodiesAreDecodedOnlyAsFarAsThereIsRoom(t *testing.T) {
	const many, size = 60, 1 << 20 // twice as much as there is room for
	b := newBench(t, api.Config{MaxBody: size, RequestTimeout: time.Minute})
	var inside, refused atomic.Int32
	release := make(chan struct{})
	b.services.before = func(context.Context) {
		inside.Add(1)
		<-release
	}
	body := `{"name":"Ship","capacity":1,"max_weight":1`
	body += strings.Repeat(" ", size-len(body)-1) + "}"
	var wait sync.WaitGroup
	for range many {
		wait.Go(func() {
			switch w := b.do("POST", "/api/v1/vessels", body); w.Code {
			case http.StatusCreated:
			case http.StatusServiceUnavailable:
				if w.Header().Get("Retry-After") == "" {
					t.Error("a refusal without Retry-After")
				}
				refused.Add(1)
			default:
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); inside.Load()+refused.Load() < many && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if inside.Load() != 32 || refused.Load() != many-32 {
		t.Errorf("%d were let in, %d refused", inside.Load(), refused.Load())
	}
	if w := b.do("GET", "/readyz", ""); w.Code != http.StatusOK {
		t.Errorf("meanwhile readyz answers %d", w.Code)
	}
	close(release)
	wait.Wait()
	if w := b.do("POST", "/api/v1/vessels", body); w.Code != http.StatusCreated {
		t.Errorf("afterwards: status %d", w.Code)
	}
}
