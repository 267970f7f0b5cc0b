package registry_test

import (
	"sync"
	"testing"
	"time"

	micro "go-micro.dev/v4/registry"
	"go.uber.org/goleak"

	"github.com/fairwayfreight/fairway/common/registry"
	"github.com/fairwayfreight/fairway/common/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	registrytest.Run(t, registrytest.Options{}, func(t *testing.T) micro.Registry {
		r, err := registry.New("memory")
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

func TestNewRefusesAnUnknownKind(t *testing.T) {
	if r, err := registry.New("zookeeper"); err == nil {
		t.Errorf("got %v", r)
	}
}

func TestMemoryTellsCreateUpdateAndDeleteInOrder(t *testing.T) {
	r := registry.NewMemory()
	w, err := r.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	node := func(id string) *micro.Service {
		return &micro.Service{Name: "vessel", Version: "v1", Nodes: []*micro.Node{{Id: id, Address: "127.0.0.1:1"}}}
	}
	for _, step := range []error{
		r.Register(node("a")), r.Register(node("b")), r.Register(node("b"), micro.RegisterTTL(time.Hour)),
		r.Deregister(node("b")), r.Deregister(node("a")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for i, want := range []string{"create", "update", "delete", "delete"} {
		e, err := w.Next()
		if err != nil || e.Action != want {
			t.Fatalf("event %d is %v, %v; want %s", i, e, err, want)
		}
	}
}

func TestMemorySlowWatcherMissesNothing(t *testing.T) {
	r := registry.NewMemory()
	w, err := r.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	const changes = 500
	for range changes {
		s := &micro.Service{Name: "vessel", Nodes: []*micro.Node{{Id: "a"}}}
		if err := r.Register(s); err != nil {
			t.Fatal(err)
		}
		if err := r.Deregister(s); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * changes {
		if _, err := w.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMemoryUnderConcurrency(t *testing.T) {
	r := registry.NewMemory()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			w, err := r.Watch(micro.WatchService("vessel"))
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Stop()
			s := &micro.Service{Name: "vessel", Nodes: []*micro.Node{{Id: string(rune('a' + i))}}}
			for range 100 {
				if err := r.Register(s, micro.RegisterTTL(time.Millisecond)); err != nil {
					t.Error(err)
				}
				_, _ = r.GetService("vessel")
				_, _ = r.ListServices()
				_ = r.Deregister(s)
			}
			if _, err := w.Next(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
