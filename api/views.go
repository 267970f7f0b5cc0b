package api

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// The views are the JSON shapes that clients read. They are written out by hand and not derived from the messages, so that
// a field added to a message is not published by accident, such as a password.

type userView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Company   string     `json:"company,omitempty"`
	Email     string     `json:"email"`
	Roles     []string   `json:"roles"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	Version   int64      `json:"version,omitempty"`
}

type vesselView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	IMO       string     `json:"imo,omitempty"`
	Capacity  int32      `json:"capacity"`   // TEU
	MaxWeight int32      `json:"max_weight"` // kg
	Available bool       `json:"available"`
	OwnerID   string     `json:"owner_id,omitempty"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	Version   int64      `json:"version,omitempty"`
}

type voyageView struct {
	ID        string     `json:"id"`
	Number    string     `json:"number"`
	VesselID  string     `json:"vessel_id"`
	State     string     `json:"state"`
	Calls     []callView `json:"calls"`
	Legs      []legView  `json:"legs"`
	CutOff    *time.Time `json:"cut_off,omitempty"`
	OwnerID   string     `json:"owner_id,omitempty"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	Version   int64      `json:"version,omitempty"`
}

type callView struct {
	Port      string     `json:"port"`
	Arrival   *time.Time `json:"arrival,omitempty"`
	Departure *time.Time `json:"departure,omitempty"`
}

type legView struct {
	From       string  `json:"from,omitempty"`
	To         string  `json:"to,omitempty"`
	Capacity   int32   `json:"capacity"`    // TEU
	Used       float64 `json:"used"`        // TEU, in steps of 0.25, which a float64 holds exactly
	Free       float64 `json:"free"`        // as Used
	MaxWeight  int64   `json:"max_weight"`  // kg
	UsedWeight int64   `json:"used_weight"` // kg
}

type consignmentView struct {
	ID          string          `json:"id"`
	State       string          `json:"state"`
	Description string          `json:"description"`
	Weight      int32           `json:"weight"` // kg
	Containers  []containerView `json:"containers"`
	From        string          `json:"from,omitempty"`
	To          string          `json:"to,omitempty"`
	NotBefore   *time.Time      `json:"not_before,omitempty"`
	VesselID    string          `json:"vessel_id,omitempty"`
	VoyageID    string          `json:"voyage_id,omitempty"`
	UserID      string          `json:"user_id,omitempty"`
	CarrierID   string          `json:"carrier_id,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	CreatedAt   *time.Time      `json:"created_at,omitempty"`
	Version     int64           `json:"version"`
}

type containerView struct {
	Number     string `json:"number,omitempty"`
	Type       string `json:"type,omitempty"`
	CustomerID string `json:"customer_id,omitempty"`
	Origin     string `json:"origin,omitempty"`
}

type entryView struct {
	ID         string          `json:"id"`
	EntityType string          `json:"entity_type"`
	EntityID   string          `json:"entity_id"`
	Action     string          `json:"action"`
	ActorID    string          `json:"actor_id,omitempty"`
	Via        string          `json:"via,omitempty"`
	At         *time.Time      `json:"at,omitempty"`
	TraceID    string          `json:"trace_id,omitempty"`
	Version    int64           `json:"version,omitempty"`
	Data       json.RawMessage `json:"data"`
}

func viewUser(u *userpb.User) userView {
	return userView{
		ID:        u.GetId(),
		Name:      u.GetName(),
		Company:   u.GetCompany(),
		Email:     u.GetEmail(),
		Roles:     append([]string{}, u.GetRoles()...), // never null
		CreatedAt: moment(u.GetCreatedAt()),
		Version:   u.GetVersion(),
	}
}

func viewVessel(v *vesselpb.Vessel) vesselView {
	return vesselView{
		ID:        v.GetId(),
		Name:      v.GetName(),
		IMO:       v.GetImo(),
		Capacity:  v.GetCapacity(),
		MaxWeight: v.GetMaxWeight(),
		Available: v.GetAvailable(),
		OwnerID:   v.GetOwerId(),
		CreatedAt: moment(v.GetCreatedAt()),
		Version:   v.GetVersion(),
	}
}

func viewVoyage(v *vesselpb.Voyage) voyageView {
	return voyageView{
		ID:        v.GetId(),
		Number:    v.GetNumber(),
		VesselID:  v.GetVesselId(),
		State:     v.GetState().String(),
		Calls:     each(v.GetCalls(), viewCall),
		Legs:      each(v.GetLegs(), viewLeg),
		CutOff:    moment(v.GetCutOff()),
		OwnerID:   v.GetOwnerId(),
		CreatedAt: moment(v.GetCreatedAt()),
		Version:   v.GetVersion(),
	}
}

func viewCall(c *vesselpb.PortCall) callView {
	return callView{Port: c.GetPort(), Arrival: moment(c.GetArrival()), Departure: moment(c.GetDeparture())}
}

func viewLeg(l *vesselpb.Leg) legView {
	used := float64(l.GetUsedQuarters()) / rule.QuartersPerTEU
	return legView{
		From:       l.GetFrom(),
		To:         l.GetTo(),
		Capacity:   l.GetCapacity(),
		Used:       used,
		Free:       float64(l.GetCapacity()) - used,
		MaxWeight:  l.GetMaxWeight(),
		UsedWeight: l.GetUsedWeight(),
	}
}

func viewConsignment(c *consignmentpb.Consignment) consignmentView {
	return consignmentView{
		ID:          c.GetId(),
		State:       c.GetState().String(),
		Description: c.GetDescription(),
		Weight:      c.GetWeight(),
		Containers:  each(c.GetContainers(), viewContainer),
		From:        c.GetFrom(),
		To:          c.GetTo(),
		NotBefore:   moment(c.GetNotBefore()),
		VesselID:    c.GetVesselId(),
		VoyageID:    c.GetVoyageId(),
		UserID:      c.GetUserId(),
		CarrierID:   c.GetCarrierId(),
		Reason:      c.GetReason(),
		CreatedAt:   moment(c.GetCreatedAt()),
		Version:     c.GetVersion(),
	}
}

func viewContainer(c *consignmentpb.Container) containerView {
	return containerView{
		Number:     c.GetNumber(),
		Type:       c.GetType(),
		CustomerID: c.GetCustomerId(),
		Origin:     c.GetOrigin(),
	}
}

func viewEntry(e *logpb.Entry) entryView {
	data := json.RawMessage(e.GetData())
	if !json.Valid(data) || kindOf(data) != kindObject {
		data = json.RawMessage("{}") // one broken entry must not hide the whole page
	}
	return entryView{
		ID:         e.GetId(),
		EntityType: e.GetEntityType(),
		EntityID:   e.GetEntityId(),
		Action:     e.GetAction(),
		ActorID:    e.GetActorId(),
		Via:        e.GetVia(),
		At:         moment(e.GetAt()),
		TraceID:    e.GetTraceId(),
		Version:    e.GetVersion(),
		Data:       data,
	}
}

// each shows a list; an empty one is [] and not null.
func each[M, V any](list []M, view func(M) V) []V {
	views := make([]V, len(list))
	for i, m := range list {
		views[i] = view(m)
	}
	return views
}

// moment shows a time in UTC, and none as absent.
func moment(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}
