package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go-micro.dev/v4/client"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	deadletterpb "github.com/fairwayfreight/fairway/interface-center/out/deadletter"
)

// DeadLetterService is what every service offers that consumes events. Only admins get an answer.
type DeadLetterService interface {
	List(context.Context, *deadletterpb.ListRequest, ...client.CallOption) (*deadletterpb.ListResponse, error)
	Get(context.Context, *deadletterpb.Ref, ...client.CallOption) (*deadletterpb.Letter, error)
	Redrive(context.Context, *deadletterpb.Ref, ...client.CallOption) (*deadletterpb.Done, error)
	Drop(context.Context, *deadletterpb.Ref, ...client.CallOption) (*deadletterpb.Done, error)
}

type letterView struct {
	Service  string     `json:"service"`
	ID       string     `json:"id"`
	Source   string     `json:"source"` // the topic
	Type     string     `json:"type,omitempty"`
	EntityID string     `json:"entity_id,omitempty"`
	Reason   string     `json:"reason"`
	Attempts int32      `json:"attempts"`
	FailedAt *time.Time `json:"failed_at,omitempty"`
	// The message as it came: as text, or in Base64 where it is none. A list has neither.
	Payload       *string `json:"payload,omitempty"`
	PayloadBase64 []byte  `json:"payload_base64,omitempty"`
}

type letterAnswer struct {
	DeadLetter letterView `json:"dead_letter"`
}

type lettersAnswer struct {
	DeadLetters []letterView `json:"dead_letters"`
	NextCursor  string       `json:"next_cursor,omitempty"`
}

// deadLetters lists those of one service: each has an order of its own.
func (g *Gateway) deadLetters(r *request) (reply, error) {
	in := &deadletterpb.ListRequest{Limit: r.limit(), Cursor: r.cursor()}
	name := r.query.Get("service")
	service, known := g.deps.DeadLetters[name]
	switch names := strings.Join(slices.Sorted(maps.Keys(g.deps.DeadLetters)), " or "); {
	case !r.query.Has("service"):
		r.found.add("service", rule.Required, "must be given: %s", names)
	case !known:
		r.found.add("service", rule.Choice, "must be %s", names)
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := service.List(r.ctx, in)
	if err != nil {
		return reply{}, err
	}
	view := func(l *deadletterpb.Letter) letterView { return viewLetter(name, l) }
	return reply{status: http.StatusOK, body: lettersAnswer{each(out.GetLetters(), view), out.GetNextCursor()}}, nil
}

func (g *Gateway) deadLetter(r *request) (reply, error) {
	service, err := g.deadLettersOf(r)
	if err != nil {
		return reply{}, err
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	out, err := service.Get(r.ctx, &deadletterpb.Ref{Id: r.id})
	if err != nil {
		return reply{}, err
	}
	view := viewLetter(r.service, out)
	if text := string(out.GetPayload()); utf8.ValidString(text) {
		view.Payload = &text
	} else {
		view.PayloadBase64 = out.GetPayload()
	}
	return reply{status: http.StatusOK, body: letterAnswer{view}}, nil
}

func (g *Gateway) redriveDeadLetter(r *request) (reply, error) {
	return g.endLetter(r, DeadLetterService.Redrive)
}

func (g *Gateway) dropDeadLetter(r *request) (reply, error) {
	return g.endLetter(r, DeadLetterService.Drop)
}

// endLetter does what takes a letter away when it goes well.
func (g *Gateway) endLetter(r *request,
	end func(DeadLetterService, context.Context, *deadletterpb.Ref, ...client.CallOption) (*deadletterpb.Done, error),
) (reply, error) {
	service, err := g.deadLettersOf(r)
	if err != nil {
		return reply{}, err
	}
	if err := r.noBody(); err != nil {
		return reply{}, err
	}
	if err := r.check(nil); err != nil {
		return reply{}, err
	}
	if _, err := end(service, r.ctx, &deadletterpb.Ref{Id: r.id}); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// deadLettersOf finds the service that the path names.
func (g *Gateway) deadLettersOf(r *request) (DeadLetterService, error) {
	service, known := g.deps.DeadLetters[r.service]
	if !known {
		return nil, fault.New(fault.NotFound, "no such service has dead letters")
	}
	return service, nil
}

func viewLetter(service string, l *deadletterpb.Letter) letterView {
	return letterView{
		Service:  service,
		ID:       l.GetId(),
		Source:   l.GetSource(),
		Type:     l.GetType(),
		EntityID: l.GetEntityId(),
		Reason:   l.GetReason(),
		Attempts: l.GetAttempts(),
		FailedAt: moment(l.GetFailedAt()),
	}
}
