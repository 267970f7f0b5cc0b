package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestTheCommandIsWhole(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"serve", "--help"}, nil, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	if !strings.Contains(out.String(), "--rpc.timeout") || !strings.Contains(out.String(), "fairway serve") {
		t.Errorf("help of serve:\n%s", out.String())
	}
}

func TestAWrongConfigurationStopsServeAtOnce(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"serve", "--rpc.timeout", "5 apples"}, []string{"FAIRWAY_ENV=production"}, strings.NewReader(""), &out, &errs)
	if code != 2 || !strings.Contains(errs.String(), `rpc.timeout: "5 apples" from --rpc.timeout is not a duration such as 5s`) {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
