package log

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/auth"
	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rule"
	"github.com/fairwayfreight/fairway/common/store"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
)

// handler answers the RPCs of logpb.LogService.
type handler struct {
	records *store.Collection[record]
	heads   *store.Collection[signedHeads]
	key     ed25519.PublicKey // verifies the heads
}

// List finds entries that the caller may see, newest first.
func (h *handler) List(ctx context.Context, req *logpb.ListRequest, rsp *logpb.ListResponse) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	caller, _ := auth.FromContext(ctx)
	list := store.List[record]{
		Descending: true,
		Limit:      rule.PageLimit(req.GetLimit()),
		Cursor:     req.GetCursor(),
		// An entry that cannot be read is shown to nobody: who may see it? The verification of its chain finds it.
		Where: func(r *record) bool {
			return r.decode() == nil && fits(&r.entry, req) && visible(&r.entry, caller)
		},
	}
	// The narrowest index that helps; Where does the rest.
	switch {
	case req.GetEntityId() != "":
		list.Index, list.Match = byEntity, req.GetEntityId()
	case req.GetTraceId() != "":
		list.Index, list.Match = byTrace, req.GetTraceId()
	case !caller.Has(auth.RoleAdmin):
		list.Index, list.Match = byReader, caller.UserID
	case req.GetActorId() != "":
		list.Index, list.Match = byReader, req.GetActorId()
	}
	page, err := h.records.Find(ctx, list)
	if errors.Is(err, store.ErrCursor) {
		return fault.InvalidFields(rule.Cursor())
	}
	if err != nil {
		return err
	}
	for _, doc := range page.Items {
		rsp.Entries = append(rsp.Entries, message(&doc.Value.entry))
	}
	rsp.NextCursor = page.Next
	return nil
}

func fits(e *Entry, req *logpb.ListRequest) bool {
	same := func(asked, is string) bool { return asked == "" || asked == is }
	return same(req.GetEntityId(), e.EntityID) && same(req.GetTraceId(), e.TraceID) &&
		same(req.GetActorId(), e.ActorID) && same(req.GetAction(), e.Action)
}

func visible(e *Entry, caller auth.Identity) bool {
	return caller.Has(auth.RoleAdmin) || slices.Contains(e.VisibleTo, caller.UserID)
}

func message(e *Entry) *logpb.Entry {
	return &logpb.Entry{
		Id:         e.ID,
		EntityType: e.EntityType,
		EntityId:   e.EntityID,
		Action:     e.Action,
		ActorId:    e.ActorID,
		Via:        e.Via,
		At:         timestamppb.New(e.At),
		TraceId:    e.TraceID,
		Data:       e.Data,
		Version:    e.Version,
	}
}
