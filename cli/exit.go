package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/config"
)

// The exit codes. Scripts depend on them: they are append-only.
const (
	exitOK          = 0
	exitRefused     = 1
	exitUsage       = 2
	exitNotAllowed  = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitUnavailable = 6
	exitInterrupted = 130
)

// exits says what each code means, for --help.
var exits = []struct {
	code  int
	means string
}{
	{exitOK, "done"},
	{exitRefused, "refused by the service, or failed in another way"},
	{exitUsage, "wrong command line, input file or configuration"},
	{exitNotAllowed, "not signed in, or not allowed"},
	{exitNotFound, "no such thing, or not yours to see"},
	{exitConflict, "conflict, such as no capacity or an e-mail that is taken"},
	{exitUnavailable, "service unreachable, overloaded or out of time: try again"},
	{exitInterrupted, "interrupted with Ctrl-C"},
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.means)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exitCode gives the exit code of a command that ended with err.
func exitCode(ctx context.Context, err error) int {
	var (
		ran     ranError
		usage   usageError
		conf    *config.Error
		login   loginError
		refusal *refusalError
		remote  *unreachableError
		failure *fault.Error
	)
	switch {
	case !errors.As(err, &ran), errors.As(err, &usage), errors.As(err, &conf):
		return exitUsage
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.As(err, &login):
		return exitNotAllowed
	case errors.As(err, &remote):
		return exitUnavailable
	case errors.As(err, &refusal):
		return exitOfRefusal(refusal)
	case errors.As(err, &failure): // of a command that calls a service itself
		return exitOfStatus(failure.Code.HTTP())
	}
	return exitRefused
}

// exitOfRefusal goes by the code, and by the status for codes that this version does not know. Of an answer that is not
// Fairway's only the statuses count that proxies give for a service that is away.
func exitOfRefusal(r *refusalError) int {
	status := r.Status
	if code := fault.Code(r.Code); code.Known() {
		status = code.HTTP()
	}
	code := exitOfStatus(status)
	if r.foreign && code != exitUnavailable {
		return exitRefused
	}
	return code
}

func exitOfStatus(status int) int {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitUnavailable
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitNotAllowed
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict:
		return exitConflict
	}
	return exitRefused
}

// explain is the text of an error for a person at a terminal.
func explain(ctx context.Context, err error) string {
	text := err.Error()
	if interrupted(ctx, err) {
		text = "interrupted"
		var remote *unreachableError
		var refusal *refusalError
		switch {
		case errors.As(err, &remote):
			text += remote.hint()
		case errors.As(err, &refusal): // between two tries
			text += uncertainHint(refusal.uncertain, refusal.key)
		}
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n")
}
