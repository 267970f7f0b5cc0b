package idempotency_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	"github.com/fairwayfreight/fairway/common/rpc"
	"github.com/fairwayfreight/fairway/common/store"
	"github.com/fairwayfreight/fairway/common/store/sqlite"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// ship is an entity that requests make.
type ship struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// world is a service on a real store, with a clock that the test sets.
type world struct {
	t     *testing.T
	db    *flaky
	ships *store.Collection[ship]
	clock atomic.Int64 // Unix nanoseconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "vessel.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, db: &flaky{DB: db}}
	w.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	w.ships, err = store.Open(t.Context(), db, store.Spec[ship]{Name: "ships", ID: func(s *ship) string { return s.ID }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()) }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

// replica is one more process of the service, as far as keys go.
func (w *world) replica() *idempotency.Keeper {
	w.t.Helper()
	k, err := idempotency.New(w.t.Context(), w.db, false, w.now, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// build is what a handler does: it makes a ship, or finds the one that an earlier request made.
func (w *world) build(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
	id, err := idempotency.NewID(ctx)
	if err != nil {
		return err
	}
	_, err = w.ships.Insert(ctx, ship{ID: id, Name: in.GetName()})
	if err != nil && !(idempotency.Resumed(ctx) && store.IsDuplicate(err, store.ByID)) {
		return err
	}
	out.Created, out.Vessel = true, &vesselpb.Vessel{Id: id, Name: in.GetName()}
	return nil
}

// fleet lists the ids of the ships that there are.
func (w *world) fleet() []string {
	w.t.Helper()
	page, err := w.ships.Find(w.t.Context(), store.List[ship]{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, doc := range page.Items {
		ids = append(ids, doc.Value.ID)
	}
	return ids
}

// handler is a method of vesselpb.VesselService.
type handler func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error

// ask is one call. The zero values of its fields are a carrier's call of Create.
type ask struct {
	key     string
	unkeyed bool
	caller  string
	service string
	nobody  bool
	method  string
	name    string
	stream  bool
}

// outcome is how a call ended.
type outcome struct {
	id       string
	replayed bool
	err      error
}

func (o outcome) code() fault.Code { return fault.CodeOf(o.err) }

// call makes a call through a keeper, as the rpc package would.
func call(ctx context.Context, k *idempotency.Keeper, a ask, h handler) outcome {
	said := &trailers{}
	ctx = said.attach(ctx)
	if !a.nobody {
		user := a.caller
		if user == "" {
			user = "ada"
		}
		ctx = auth.NewContext(ctx, auth.Identity{UserID: user, Service: a.service})
	}
	req := &request{method: a.method, header: map[string]string{}, stream: a.stream, body: &vesselpb.Vessel{Name: a.name}}
	if req.method == "" {
		req.method = "VesselService.Create"
	}
	if !a.unkeyed {
		req.header[rpc.KeyIdempotency] = a.key
	}
	out := &vesselpb.Response{}
	err := k.Wrap(func(ctx context.Context, req server.Request, rsp any) error {
		return h(ctx, req.Body().(*vesselpb.Vessel), rsp.(*vesselpb.Response))
	})(ctx, req, out)
	return outcome{id: out.GetVessel().GetId(), replayed: said.replayed(), err: err}
}

// request is a server.Request.
type request struct {
	server.Request
	service, method string
	header          map[string]string
	body            proto.Message
	stream          bool
}

func (r *request) Service() string {
	if r.service == "" {
		return "vessel"
	}
	return r.service
}
func (r *request) Endpoint() string          { return r.method }
func (r *request) Header() map[string]string { return r.header }
func (r *request) Body() any                 { return r.body }
func (r *request) Stream() bool              { return r.stream }

// flaky is a database whose next writes can be made to fail before they begin.
type flaky struct {
	store.DB
	failing atomic.Bool
	// cutOff, where set, ends the caller's context while an insert is under way, which then happens all the same.
	cutOff func()
}

var errDisk = errors.New("the disk is full")

func (f *flaky) Table(ctx context.Context, s store.Schema) (store.Table, error) {
	t, err := f.DB.Table(ctx, s)
	return &flakyTable{Table: t, db: f}, err
}

type flakyTable struct {
	store.Table
	db *flaky
}

func (t *flakyTable) Insert(ctx context.Context, r store.Record) error {
	if t.db.failing.Load() {
		return errDisk
	}
	if t.db.cutOff != nil {
		t.db.cutOff()
		return errors.Join(t.Table.Insert(context.WithoutCancel(ctx), r), ctx.Err())
	}
	return t.Table.Insert(ctx, r)
}

func (t *flakyTable) Replace(ctx context.Context, r store.Record) error {
	if t.db.failing.Load() {
		return errDisk
	}
	return t.Table.Replace(ctx, r)
}

// hung is a handler whose process hangs, or has died, at a certain point: its call comes back only when the test lets it.
type hung struct {
	reached, resume chan struct{}
	once            sync.Once
	done            chan outcome
}

func newHung(t *testing.T) *hung {
	h := &hung{reached: make(chan struct{}), resume: make(chan struct{}), done: make(chan outcome, 1)}
	t.Cleanup(h.release)
	return h
}

func (h *hung) here()    { close(h.reached); <-h.resume }
func (h *hung) release() { h.once.Do(func() { close(h.resume) }) }

// start makes the call and returns once it hangs.
func (h *hung) start(k *idempotency.Keeper, a ask, do handler) {
	go func() { h.done <- call(context.Background(), k, a, do) }()
	<-h.reached
}

// callUser makes an anonymous call of the user service.
func callUser(ctx context.Context, k *idempotency.Keeper, method string, in *userpb.User, h func(*userpb.User) error) outcome {
	said := &trailers{}
	req := &request{service: "user", method: method, header: map[string]string{rpc.KeyIdempotency: "k"}, body: in}
	err := k.Wrap(func(_ context.Context, req server.Request, _ any) error {
		return h(req.Body().(*userpb.User))
	})(said.attach(ctx), req, &userpb.Response{})
	return outcome{replayed: said.replayed(), err: err}
}

// intents counts what is kept, without a look at whether it counts.
func (w *world) intents() int {
	w.t.Helper()
	table, err := w.db.DB.Table(w.t.Context(), store.Schema{Name: "idempotency", Indexes: []store.IndexSchema{{Name: "age"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := table.Find(w.t.Context(), store.Query{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(found)
}
