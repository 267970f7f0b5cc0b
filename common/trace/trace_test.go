package trace_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairwayfreight/fairway/common/trace"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	sampled = "00-" + traceID + "-b7ad6b7169203331-01"
	not     = "00-" + traceID + "-b7ad6b7169203331-00"
)

func header(h map[string]string) func(string) string { return func(k string) string { return h[k] } }

func newTracer(t *testing.T, cfg trace.Config) *trace.Tracer {
	t.Helper()
	cfg.Service = "test"
	tracer, err := trace.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tracer.Close() })
	return tracer
}

func TestTraceIDsWithoutJaeger(t *testing.T) {
	tracer := newTracer(t, trace.Config{})
	ctx, span := tracer.Serve(t.Context(), "op", header(nil))
	span.Tag("k", "v")
	span.End(errors.New("x"))
	id := trace.ID(ctx)
	if len(id) != 32 || strings.Trim(id, "0") == "" {
		t.Fatalf("trace id %q", id)
	}
	child, span := tracer.Call(ctx, "call")
	span.End(nil)
	if trace.ID(child) != id {
		t.Errorf("the call is in trace %s, not %s", trace.ID(child), id)
	}
	if trace.ID(t.Context()) != "" {
		t.Error("a context outside any trace has an id")
	}
}

func TestContinuesTheTraceOfTheHeader(t *testing.T) {
	for name, tc := range map[string]struct {
		header    map[string]string
		continued bool
	}{
		"sampled":             {map[string]string{"traceparent": sampled}, true},
		"not sampled":         {map[string]string{"traceparent": not}, true},
		"jaeger's own":        {map[string]string{"uber-trace-id": traceID + ":b7ad6b7169203331:0:1"}, true},
		"a later version":     {map[string]string{"traceparent": "01" + sampled[2:] + "-more"}, true},
		"none":                {nil, false},
		"version ff":          {map[string]string{"traceparent": "ff" + sampled[2:]}, false},
		"upper case":          {map[string]string{"traceparent": strings.ToUpper(sampled)}, false},
		"zero trace":          {map[string]string{"traceparent": "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"}, false},
		"zero span":           {map[string]string{"traceparent": "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01"}, false},
		"too long":            {map[string]string{"traceparent": sampled + "-more"}, false},
		"too short":           {map[string]string{"traceparent": sampled[:54]}, false},
		"not hex":             {map[string]string{"traceparent": strings.Replace(sampled, "af", "zz", 1)}, false},
		"garbage":             {map[string]string{"traceparent": "garbage", "uber-trace-id": "::::"}, false},
		"huge":                {map[string]string{"uber-trace-id": strings.Repeat("1", 1<<16)}, false},
		"later, badly joined": {map[string]string{"traceparent": "01" + sampled[2:] + "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, span := newTracer(t, trace.Config{}).Serve(t.Context(), "op", header(tc.header))
			defer span.End(nil)
			if got := trace.ID(ctx) == traceID; got != tc.continued {
				t.Errorf("trace %s: continued is %v, want %v", trace.ID(ctx), got, tc.continued)
			}
		})
	}
}

func TestHeadersCarryTraceAndState(t *testing.T) {
	tracer := newTracer(t, trace.Config{})
	ctx, _ := tracer.Serve(t.Context(), "op", header(map[string]string{"traceparent": not, "tracestate": "vendor=1"}))
	parent, state := trace.Headers(ctx)
	if parent != not || state != "vendor=1" {
		t.Errorf("got %q, %q", parent, state)
	}
	ctx, _ = tracer.Serve(t.Context(), "op", header(map[string]string{"traceparent": not, "tracestate": strings.Repeat("x", 513)}))
	if _, state := trace.Headers(ctx); state != "" {
		t.Error("an oversized tracestate was handed on")
	}
	if got := trace.ID(trace.Continue(t.Context(), parent)); got != traceID {
		t.Errorf("continued as %q", got)
	}
	if got := trace.ID(trace.Continue(t.Context(), "garbage")); got != "" {
		t.Errorf("garbage continued as %q", got)
	}
}

func TestSpansReachTheCollector(t *testing.T) {
	var posts atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer collector.Close()
	tracer, err := trace.New(trace.Config{Service: "test", Jaeger: collector.URL + "/api/traces", Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tracer.Serve(t.Context(), "op", header(nil))
	parent, _ := trace.Headers(ctx)
	if !strings.HasSuffix(parent, "-01") {
		t.Errorf("the trace is not recorded: %s", parent)
	}
	span.End(nil)
	if err := tracer.Close(); err != nil { // sends what waits
		t.Fatal(err)
	}
	if posts.Load() == 0 {
		t.Error("nothing reached the collector")
	}
}

func TestLogLinesCarryTheTraceID(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(trace.LogHandler(slog.NewJSONHandler(&out, nil))).With("service", "x")
	log.InfoContext(trace.Continue(t.Context(), sampled), "hello")
	log.InfoContext(context.Background(), "outside")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if !strings.Contains(lines[0], `"trace_id":"`+traceID+`"`) || strings.Contains(lines[1], "trace_id") {
		t.Errorf("got %s", out.String())
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(sampled)
	f.Add(not)
	f.Add("01-" + sampled[3:] + "-x")
	f.Fuzz(func(t *testing.T, text string) {
		ctx := trace.Continue(context.Background(), text)
		parent, _ := trace.Headers(ctx)
		if parent == "" {
			return
		}
		if again, _ := trace.Headers(trace.Continue(context.Background(), parent)); again != parent {
			t.Errorf("%q was read as %q, which is read as %q", text, parent, again)
		}
	})
}
