package event

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	deadletterpb "github.com/fairwayfreight/fairway/interface-center/out/deadletter"
)

// DeadLetterHandler answers the RPCs of the DeadLetterService that a consuming service declares. All of them have the same
// messages, so it fits each.
type DeadLetterHandler struct {
	consumer *Consumer
}

// NewDeadLetterHandler makes the handler for the dead letters of a consumer.
func NewDeadLetterHandler(c *Consumer) *DeadLetterHandler { return &DeadLetterHandler{consumer: c} }

// List lists dead letters without their payloads, newest first. Errors: invalid.
func (h *DeadLetterHandler) List(ctx context.Context, req *deadletterpb.ListRequest, rsp *deadletterpb.ListResponse) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	list, next, err := h.consumer.letters.List(ctx, rule.PageLimit(req.GetLimit()), req.GetCursor())
	if err != nil {
		return err
	}
	for i := range list {
		letter := new(deadletterpb.Letter)
		list[i].fill(letter)
		rsp.Letters = append(rsp.Letters, letter)
	}
	rsp.NextCursor = next
	return nil
}

// Get finds a dead letter with its payload. Errors: not_found.
func (h *DeadLetterHandler) Get(ctx context.Context, req *deadletterpb.Ref, rsp *deadletterpb.Letter) error {
	letter, err := h.consumer.letters.Get(ctx, req.GetId())
	if err != nil {
		return err
	}
	letter.fill(rsp)
	return nil
}

// Redrive hands the event to the service's consumer again. Errors: not_found, wrong_state (it failed again).
func (h *DeadLetterHandler) Redrive(ctx context.Context, req *deadletterpb.Ref, _ *deadletterpb.Done) error {
	if err := h.consumer.Redrive(ctx, req.GetId()); err != nil {
		return err
	}
	h.note(ctx, "a dead letter was redriven", req.GetId())
	return nil
}

// Drop gives an event up for good. Errors: not_found.
func (h *DeadLetterHandler) Drop(ctx context.Context, req *deadletterpb.Ref, _ *deadletterpb.Done) error {
	if err := h.consumer.letters.Drop(ctx, req.GetId()); err != nil {
		return err
	}
	h.note(ctx, "a dead letter was dropped", req.GetId())
	return nil
}

// note says in the log who has taken a letter away.
func (h *DeadLetterHandler) note(ctx context.Context, text, id string) {
	caller, _ := auth.FromContext(ctx)
	h.consumer.log.InfoContext(ctx, text, "id", id, "by", caller.UserID)
}

func (l *DeadLetter) fill(out *deadletterpb.Letter) {
	out.Id = l.ID
	out.Source = l.Source
	out.Type = l.Type
	out.EntityId = l.EntityID
	out.Reason = l.Reason
	out.Attempts = int32(l.Attempts)
	out.FailedAt = timestamppb.New(l.FailedAt)
	out.Payload = l.Payload
}
