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
	blocks *store.Collection[block]
	heads  *store.Collection[signedHeads]
	key    ed25519.PublicKey // verifies the heads
}

const (
	// pageBytes ends a page of entries early when they are large.
	pageBytes = 1 << 20
	// pageScan ends it when so many entries were read for it, blockScan a look for more of them after so many blocks.
	pageScan  = 5_000
	blockScan = 256
	// readAhead is how many fitting blocks are read at once, and so the most that the next page has to read again.
	readAhead = 16
)

// List finds entries that the caller may see, newest first: those of an entity in the order in which they were appended, turned
// round, and all others in the order of the service's clock. Those that were appended together come chain by chain, so a few
// moments can be out of order; after a clock that was ahead, it is as long as that was. A page can hold fewer entries than the
// limit, even none, and still have a next: when they are large, or when many had to be passed over.
func (h *handler) List(ctx context.Context, req *logpb.ListRequest, rsp *logpb.ListResponse) error {
	if err := fault.InvalidFields(rule.Page(req.GetLimit())); err != nil {
		return err
	}
	at, ok := parseCursor(req.GetCursor())
	if !ok {
		return fault.InvalidFields(rule.Cursor())
	}
	caller, _ := auth.FromContext(ctx)
	scanned, size, limit := 0, 0, rule.PageLimit(req.GetLimit())
	list := store.List[block]{Descending: true, Scan: blockScan, Where: func(b *block) bool {
		scanned += len(b.held())
		if at.block != "" && b.ID > at.block { // on an earlier page, or younger than the first
			return false
		}
		return b.choose(func(e *Entry) bool { return fits(e, req) && visible(e, caller) })
	}}
	list.Index, list.Match = narrowest(req, caller)
	for {
		list.Cursor, list.Limit = at.behind, readAhead
		if at.behind == "" {
			list.Limit = 1 // soon gives the next page a place to begin at, which need not read what comes meanwhile
		}
		page, err := h.blocks.Find(ctx, list)
		if errors.Is(err, store.ErrCursor) {
			return fault.InvalidFields(rule.Cursor())
		}
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			for i, l := range doc.Value.chosen {
				if doc.Value.ID == at.block && i < at.given {
					continue
				}
				if len(rsp.Entries) == limit || size >= pageBytes {
					rsp.NextCursor = cursor{at.behind, doc.Value.ID, i}.String()
					return nil
				}
				rsp.Entries = append(rsp.Entries, message(l.entry))
				size += len(l.Content)
			}
		}
		at.behind = page.Next
		if at.behind == "" {
			return nil
		}
		if len(rsp.Entries) == limit || size >= pageBytes || scanned >= pageScan {
			rsp.NextCursor = at.String()
			return nil
		}
	}
}

// narrowest is the index that passes over the most of what does not fit, and what to ask for in it.
func narrowest(req *logpb.ListRequest, caller auth.Identity) (index, match string) {
	switch {
	case req.GetEntityId() != "":
		return byEntity, req.GetEntityId()
	case req.GetTraceId() != "":
		return byTrace, req.GetTraceId()
	case !caller.Has(auth.RoleAdmin):
		return byReader, caller.UserID
	case req.GetActorId() != "":
		return byReader, req.GetActorId()
	}
	return "", ""
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
