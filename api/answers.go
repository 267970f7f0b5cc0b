package api

import "time"

// The answers are the bodies around the views.

type userAnswer struct {
	User userView `json:"user"`
}

type usersAnswer struct {
	Users      []userView `json:"users"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

type sessionAnswer struct {
	Token     string     `json:"token"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	User      userView   `json:"user"`
}

type vesselAnswer struct {
	Vessel vesselView `json:"vessel"`
}

type vesselsAnswer struct {
	Vessels    []vesselView `json:"vessels"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type createdVessel struct {
	Created bool       `json:"created"`
	Vessel  vesselView `json:"vessel"`
	// Voyage is the sailing that was opened with the vessel.
	Voyage *voyageView `json:"voyage,omitempty"`
}

type voyageAnswer struct {
	Voyage voyageView `json:"voyage"`
}

type voyagesAnswer struct {
	Voyages    []voyageView `json:"voyages"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type consignmentAnswer struct {
	Consignment consignmentView `json:"consignment"`
}

type consignmentsAnswer struct {
	Consignments []consignmentView `json:"consignments"`
	NextCursor   string            `json:"next_cursor,omitempty"`
}

type createdConsignment struct {
	Created     bool            `json:"created"`
	Consignment consignmentView `json:"consignment"`
}

type entriesAnswer struct {
	Entries    []entryView `json:"entries"`
	NextCursor string      `json:"next_cursor,omitempty"`
}
