package idempotency_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/idempotency"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func TestTheSameRequestGetsTheSameAnswerAndIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica(), w.replica()
	first := call(t.Context(), a, ask{key: "k", name: "Tern"}, w.build)
	if first.err != nil || first.replayed || first.id == "" {
		t.Fatalf("first %+v", first)
	}
	for name, k := range map[string]*idempotency.Keeper{"same replica": a, "other replica": b} {
		if again := call(t.Context(), k, ask{key: "k", name: "Tern"}, w.build); again.err != nil || !again.replayed || again.id != first.id {
			t.Errorf("%s: %+v", name, again)
		}
	}
	if n := len(w.fleet()); n != 1 {
		t.Errorf("%d ships", n)
	}
}

func TestWhatIsADifferentRequest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other ask
		code  fault.Code
		again bool // the work is done again
	}{
		{"another key", ask{key: "l", name: "Tern"}, "", true},
		{"another caller", ask{key: "k", name: "Tern", caller: "bob"}, "", true},
		{"nobody", ask{key: "k", name: "Tern", nobody: true}, "", true},
		{"another method", ask{key: "k", name: "Tern", method: "VesselService.CreateVoyage"}, "", true},
		{"another body", ask{key: "k", name: "Teal"}, fault.KeyReused, false},
		{"no key", ask{unkeyed: true, name: "Tern"}, "", true},
		{"empty key", ask{name: "Tern"}, fault.Invalid, false},
		{"key with a space", ask{key: "k k", name: "Tern"}, fault.Invalid, false},
		{"key that is too long", ask{key: strings.Repeat("k", 129), name: "Tern"}, fault.Invalid, false},
		{"method without side effects", ask{key: "k", name: "Tern", method: "VesselService.Get"}, "", true},
		{"stream", ask{key: "k", name: "Tern", stream: true}, "", true},
		{"service", ask{key: "k", name: "Tern", service: "consignment"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			k := w.replica()
			if first := call(t.Context(), k, ask{key: "k", name: "Tern"}, w.build); first.err != nil {
				t.Fatal(first.err)
			}
			o := call(t.Context(), k, tt.other, w.build)
			if o.code() != tt.code || o.replayed || (len(w.fleet()) == 2) != tt.again {
				t.Errorf("%+v, %d ships", o, len(w.fleet()))
			}
			if f := fault.From(o.err); tt.code == fault.Invalid && (len(f.Fields) != 1 || f.Fields[0].Name != "Idempotency-Key") {
				t.Errorf("fields %v", f.Fields)
			}
		})
	}
}

func TestNobodysKeysAreNotThoseOfSomebodyWithThatName(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	call(t.Context(), k, ask{key: "k", name: "Tern", nobody: true}, w.build)
	if o := call(t.Context(), k, ask{key: "k", name: "Tern", caller: "anonymous"}, w.build); o.err != nil || o.replayed {
		t.Errorf("%+v", o)
	}
}

func TestMethodsWithoutAnAnswerToKeepAreNotKept(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	for _, method := range []string{"VesselService.Get", "VesselService.ListVoyages"} {
		for range 2 {
			if o := call(t.Context(), k, ask{key: "read", method: method}, w.build); o.err != nil || o.replayed {
				t.Errorf("%s: %+v", method, o)
			}
		}
	}
	for range 2 { // log-in
		if o := signUp(t.Context(), k, "UserService.Auth", "ada@example.com", "secret"); o.err != nil || o.replayed {
			t.Errorf("log-in: %+v", o)
		}
	}
}

func TestWhichAnswersAreKept(t *testing.T) {
	kept := map[fault.Code]bool{
		fault.Invalid: true, fault.TooLarge: true, fault.UnsupportedMediaType: true, fault.MethodNotAllowed: true,
		fault.PermissionDenied: true, fault.NotFound: true, fault.Conflict: true, fault.EmailTaken: true,
		fault.WrongState: true, fault.NoCapacity: true, fault.KeyReused: true,
	}
	for _, code := range fault.Codes() {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			k := w.replica()
			refused := fault.New(code, "because")
			refused.Fields = []fault.Field{{Name: "name", Rule: "length", Message: "too long"}}
			first := call(t.Context(), k, ask{key: "k"}, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { return refused })
			if first.code() != code || first.replayed {
				t.Fatalf("first %+v", first)
			}
			again := call(t.Context(), k, ask{key: "k"}, w.build)
			if again.replayed != kept[code] || (len(w.fleet()) == 0) != kept[code] {
				t.Errorf("again %+v, %d ships", again, len(w.fleet()))
			}
			if f := fault.From(again.err); kept[code] && (f.Code != code || f.Message != "because" || len(f.Fields) != 1 || f.Fields[0] != refused.Fields[0]) {
				t.Errorf("replayed as %+v", f)
			}
		})
	}
	t.Run("a time to try again", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		call(t.Context(), k, ask{key: "k"}, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error {
			return fault.New(fault.Conflict, "not now").WithRetryAfter(time.Second)
		})
		if again := call(t.Context(), k, ask{key: "k"}, w.build); again.err != nil || again.replayed {
			t.Errorf("%+v", again)
		}
	})
	t.Run("an error that is no fault", func(t *testing.T) {
		w := newWorld(t)
		k := w.replica()
		call(t.Context(), k, ask{key: "k"}, func(context.Context, *vesselpb.Vessel, *vesselpb.Response) error { return errDisk })
		if again := call(t.Context(), k, ask{key: "k"}, w.build); again.err != nil || again.replayed {
			t.Errorf("%+v", again)
		}
	})
}

func TestThePasswordIsNotCompared(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	for _, tt := range []struct {
		email, password string
		code            fault.Code
		replayed        bool
	}{
		{"ada@example.com", "first", "", false},
		{"ada@example.com", "second", "", true},
		{"bob@example.com", "first", fault.KeyReused, false},
	} {
		if o := signUp(t.Context(), k, "UserService.Create", tt.email, tt.password); o.code() != tt.code || o.replayed != tt.replayed {
			t.Errorf("%s, %s: %+v", tt.email, tt.password, o)
		}
	}
}

// signUp calls a method of the user service whose handler wants the password.
func signUp(ctx context.Context, k *idempotency.Keeper, method, email, password string) outcome {
	return callUser(ctx, k, method, &userpb.User{Email: email, Password: password}, func(in *userpb.User) error {
		if in.GetPassword() != password {
			return errors.New("the handler did not get the password")
		}
		in.Password = "" // as handlers change what they get
		return nil
	})
}

func TestARequestIsComparedAsItCame(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	normalizing := func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		in.Name = strings.TrimSpace(in.GetName())
		return w.build(ctx, in, out)
	}
	call(t.Context(), k, ask{key: "k", name: " Tern "}, normalizing)
	if again := call(t.Context(), k, ask{key: "k", name: " Tern "}, normalizing); !again.replayed {
		t.Errorf("%+v", again)
	}
}

func TestAKeyCountsForADay(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	first := call(t.Context(), k, ask{key: "k", name: "Tern"}, w.build)
	w.advance(24*time.Hour - time.Second)
	if o := call(t.Context(), k, ask{key: "k", name: "Teal"}, w.build); o.code() != fault.KeyReused {
		t.Errorf("a second early: %+v", o)
	}
	w.advance(time.Second)
	// It is there still, and counts as absent: another request, another entity.
	second := call(t.Context(), k, ask{key: "k", name: "Teal"}, func(ctx context.Context, in *vesselpb.Vessel, out *vesselpb.Response) error {
		if idempotency.Resumed(ctx) {
			t.Error("resumed")
		}
		return w.build(ctx, in, out)
	})
	if second.err != nil || second.replayed || second.id == first.id {
		t.Errorf("after a day: %+v", second)
	}
	if again := call(t.Context(), k, ask{key: "k", name: "Teal"}, w.build); !again.replayed || again.id != second.id {
		t.Errorf("it counts anew: %+v", again)
	}
}

func TestASweepRemovesWhatHasExpiredAndNothingElse(t *testing.T) {
	w := newWorld(t)
	k := w.replica()
	const old = 450 // more than a batch
	var group sync.WaitGroup
	for i := range old {
		group.Go(func() {
			if o := call(t.Context(), k, ask{key: "old" + string(rune('a'+i%26)) + strings.Repeat("x", i/26), name: "Tern"}, w.build); o.err != nil {
				t.Error(o.err)
			}
		})
	}
	group.Wait()
	w.advance(23 * time.Hour)
	call(t.Context(), k, ask{key: "young", name: "Tern"}, w.build)
	if n := w.intents(); n != old+1 {
		t.Fatalf("%d intents", n)
	}
	if err := k.Sweep(t.Context()); err != nil || w.intents() != old+1 {
		t.Errorf("an hour early: %d left, %v", w.intents(), err)
	}
	w.advance(time.Hour + time.Second)
	if err := k.Sweep(t.Context()); err != nil || w.intents() != 1 {
		t.Errorf("%d left, %v", w.intents(), err)
	}
	if o := call(t.Context(), k, ask{key: "young", name: "Tern"}, w.build); !o.replayed {
		t.Errorf("%+v", o)
	}
}

func TestWithoutAKeyIdsAreFresh(t *testing.T) {
	seen := map[string]bool{}
	for range 10 {
		id, err := idempotency.NewID(t.Context())
		renewed, again := idempotency.Renew(t.Context())
		if err != nil || again != nil || seen[id] || seen[renewed] || idempotency.Resumed(t.Context()) {
			t.Fatalf("%q %v, %q %v", id, err, renewed, again)
		}
		seen[id], seen[renewed] = true, true
	}
}

func TestThePartOfAnEntityHasTheSameIDEveryTime(t *testing.T) {
	id, err := idempotency.NewID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	part := idempotency.Part(id, "sailing")
	if part != idempotency.Part(id, "sailing") || part == idempotency.Part(id, "other") || part == id {
		t.Errorf("%s of %s", part, id)
	}
	if part[:18] != id[:18] || part[14] != '7' {
		t.Errorf("%s does not sort as %s does", part, id)
	}
	if len(idempotency.Part("no UUID", "sailing")) != len(part) {
		t.Error("of an entity whose id is no UUID")
	}
}
