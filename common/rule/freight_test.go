package rule_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairwayfreight/fairway/common/rule"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

func booking() *consignmentpb.Consignment {
	return &consignmentpb.Consignment{
		Description: "Bicycles",
		Weight:      55000,
		Containers:  []*consignmentpb.Container{{Number: "CSQU3054383", Type: "22G1"}, {CustomerId: "cust001", Origin: "Derby"}},
	}
}

func at(day int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2030, 1, day, 12, 0, 0, 0, time.UTC))
}

func boxes(n int) []*consignmentpb.Container {
	list := make([]*consignmentpb.Container, n)
	for i := range list {
		list[i] = &consignmentpb.Container{Type: "22G1"}
	}
	return list
}

func TestConsignment(t *testing.T) {
	type edit = func(*consignmentpb.Consignment)
	for name, c := range map[string]struct {
		edit edit
		want []string
	}{
		"fine":                {func(*consignmentpb.Consignment) {}, nil},
		"empty":               {func(c *consignmentpb.Consignment) { proto.Reset(c) }, []string{"weight range", "containers required"}},
		"with ports":          {func(c *consignmentpb.Consignment) { c.From, c.To, c.NotBefore = "NLRTM", "SGSIN", at(1) }, nil},
		"lightest":            {func(c *consignmentpb.Consignment) { c.Weight = 1 }, nil},
		"heaviest":            {func(c *consignmentpb.Consignment) { c.Weight = 2_000_000_000 }, nil},
		"too heavy":           {func(c *consignmentpb.Consignment) { c.Weight = 2_000_000_001 }, []string{"weight range"}},
		"negative weight":     {func(c *consignmentpb.Consignment) { c.Weight = -1 }, []string{"weight range"}},
		"no description":      {func(c *consignmentpb.Consignment) { c.Description = "" }, nil},
		"longest description": {func(c *consignmentpb.Consignment) { c.Description = strings.Repeat("é", 1000) }, nil},
		"long description":    {func(c *consignmentpb.Consignment) { c.Description = strings.Repeat("e", 1001) }, []string{"description length"}},
		"500 containers":      {func(c *consignmentpb.Consignment) { c.Containers = boxes(500) }, nil},
		"501 containers":      {func(c *consignmentpb.Consignment) { c.Containers = boxes(501) }, []string{"containers length"}},
		"nil container":       {func(c *consignmentpb.Consignment) { c.Containers = []*consignmentpb.Container{nil} }, nil},
		"bad number and type": {func(c *consignmentpb.Consignment) {
			c.Containers[1].Number, c.Containers[1].Type = "MSCU1234567", "9999"
		},
			[]string{"containers[1].number checksum", "containers[1].type format"}},
		"same number twice": {func(c *consignmentpb.Consignment) { c.Containers[1].Number = c.Containers[0].Number },
			[]string{"containers[1].number unique"}},
		"control in origin": {func(c *consignmentpb.Consignment) { c.Containers[0].Origin = "a\nb" }, []string{"containers[0].origin format"}},
		"from alone":        {func(c *consignmentpb.Consignment) { c.From = "NLRTM" }, []string{"to pair"}},
		"to alone":          {func(c *consignmentpb.Consignment) { c.To = "NLRTM" }, []string{"from pair"}},
		"same ports":        {func(c *consignmentpb.Consignment) { c.From, c.To = "NLRTM", "NLRTM" }, []string{"to pair"}},
		"bad ports":         {func(c *consignmentpb.Consignment) { c.From, c.To = "x", "x" }, []string{"from format", "to format"}},
		"date without ports": {func(c *consignmentpb.Consignment) { c.NotBefore = at(1) },
			[]string{"not_before pair"}},
		"date out of range": {func(c *consignmentpb.Consignment) {
			c.From, c.To, c.NotBefore = "NLRTM", "SGSIN", &timestamppb.Timestamp{Seconds: 1 << 60}
		}, []string{"not_before range"}},
		"bad voyage id": {func(c *consignmentpb.Consignment) { c.VoyageId = "a b" }, []string{"voyage_id format"}},
		"all at once": {func(c *consignmentpb.Consignment) {
			c.Description, c.Weight, c.To = "\x01", 0, "NLRTM"
			c.Containers[0].Type = "?"
		}, []string{"description format", "weight range", "containers[0].type format", "from pair"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.Consignment(change(booking(), c.edit)), c.want...) })
	}
}

func TestConsignmentQuarters(t *testing.T) {
	c := &consignmentpb.Consignment{Containers: []*consignmentpb.Container{{}, {Type: "42G1"}, {Type: "L5G1"}, nil, {Type: "??"}}}
	if got := rule.ConsignmentQuarters(c); got != 4+8+9+4+4 {
		t.Errorf("ConsignmentQuarters = %d, want 29", got)
	}
}

func TestNormalizeConsignment(t *testing.T) {
	c := &consignmentpb.Consignment{Description: " x ", From: "cnngb", To: " cnshg", Containers: []*consignmentpb.Container{
		nil, {Number: "csqu 305438-3", Type: "22g1", CustomerId: " c ", Origin: " o "}}}
	rule.NormalizeConsignment(c)
	want := &consignmentpb.Consignment{Description: "x", From: "CNNGB", To: "CNSHA", Containers: []*consignmentpb.Container{
		nil, {Number: "CSQU3054383", Type: "22G1", CustomerId: "c", Origin: "o"}}}
	if !proto.Equal(c, want) {
		t.Errorf("normalized to %v, want %v", c, want)
	}
}

func TestVessel(t *testing.T) {
	good := &vesselpb.Vessel{Name: "Anna", Capacity: 500, MaxWeight: 200_000, Imo: "9074729"}
	for name, c := range map[string]struct {
		edit func(*vesselpb.Vessel)
		want []string
	}{
		"fine":     {func(*vesselpb.Vessel) {}, nil},
		"smallest": {func(v *vesselpb.Vessel) { v.Capacity, v.MaxWeight, v.Imo = 1, 1, "" }, nil},
		"largest":  {func(v *vesselpb.Vessel) { v.Capacity, v.MaxWeight = 1_000_000, 2_000_000_000 }, nil},
		"empty": {func(v *vesselpb.Vessel) { proto.Reset(v) },
			[]string{"name required", "capacity range", "max_weight range"}},
		"too large": {func(v *vesselpb.Vessel) { v.Capacity, v.MaxWeight = 1_000_001, 2_000_000_001 },
			[]string{"capacity range", "max_weight range"}},
		"negative": {func(v *vesselpb.Vessel) { v.Capacity, v.MaxWeight = -1, -1 }, []string{"capacity range", "max_weight range"}},
		"mistyped": {func(v *vesselpb.Vessel) { v.Imo = "9074728" }, []string{"imo checksum"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.Vessel(change(good, c.edit)), c.want...) })
	}
	expect(t, rule.Specification(&vesselpb.Specification{Capacity: 3, MaxWeight: 55000}))
	expect(t, rule.Specification(&vesselpb.Specification{MaxWeight: -1}), "capacity range", "max_weight range")
}

func TestVoyage(t *testing.T) {
	good := &vesselpb.Voyage{Number: "041E", Calls: []*vesselpb.PortCall{
		{Port: "CNSHA", Departure: at(1)}, {Port: "SGSIN", Arrival: at(8), Departure: at(9)}, {Port: "NLRTM", Arrival: at(30)}}}
	for name, c := range map[string]struct {
		edit func(*vesselpb.Voyage)
		want []string
	}{
		"fine":                      {func(*vesselpb.Voyage) {}, nil},
		"all times":                 {func(v *vesselpb.Voyage) { v.Calls[0].Arrival, v.Calls[2].Departure = at(1), at(31) }, nil},
		"empty":                     {func(v *vesselpb.Voyage) { proto.Reset(v) }, []string{"number required", "calls required"}},
		"long number":               {func(v *vesselpb.Voyage) { v.Number = strings.Repeat("n", 51) }, []string{"number length"}},
		"one call":                  {func(v *vesselpb.Voyage) { v.Calls = v.Calls[:1] }, []string{"calls length"}},
		"51 calls":                  {func(v *vesselpb.Voyage) { v.Calls = make([]*vesselpb.PortCall, 51) }, []string{"calls length"}},
		"bad port":                  {func(v *vesselpb.Voyage) { v.Calls[1].Port = "Singapore" }, []string{"calls[1].port format"}},
		"same port in a row":        {func(v *vesselpb.Voyage) { v.Calls[1].Port = "CNSHA" }, []string{"calls[1].port pair"}},
		"round trip":                {func(v *vesselpb.Voyage) { v.Calls[2].Port = "CNSHA" }, nil},
		"no first departure":        {func(v *vesselpb.Voyage) { v.Calls[0].Departure = nil }, []string{"calls[0].departure required"}},
		"no last arrival":           {func(v *vesselpb.Voyage) { v.Calls[2].Arrival = nil }, []string{"calls[2].arrival required"}},
		"departure before arrival":  {func(v *vesselpb.Voyage) { v.Calls[1].Departure = at(7) }, []string{"calls[1].departure order"}},
		"departure at arrival":      {func(v *vesselpb.Voyage) { v.Calls[1].Departure = at(8) }, nil},
		"arrival at departure":      {func(v *vesselpb.Voyage) { v.Calls[1].Arrival = at(1) }, []string{"calls[1].arrival order"}},
		"arrival before departure":  {func(v *vesselpb.Voyage) { v.Calls[2].Arrival = at(2) }, []string{"calls[2].arrival order"}},
		"less room than the vessel": {func(v *vesselpb.Voyage) { v.Capacity, v.MaxWeight = 1, 1 }, nil},
		"impossible room": {func(v *vesselpb.Voyage) { v.Capacity, v.MaxWeight = -1, 2_000_000_001 },
			[]string{"capacity range", "max_weight range"}},
		"time out of range":        {func(v *vesselpb.Voyage) { v.Calls[1].Arrival = &timestamppb.Timestamp{Nanos: -1} }, []string{"calls[1].arrival range"}},
		"cut-off":                  {func(v *vesselpb.Voyage) { v.CutOff = &timestamppb.Timestamp{Seconds: at(1).Seconds - 1} }, nil},
		"cut-off at the departure": {func(v *vesselpb.Voyage) { v.CutOff = at(1) }, nil},
		"cut-off after it":         {func(v *vesselpb.Voyage) { v.CutOff = &timestamppb.Timestamp{Seconds: at(1).Seconds, Nanos: 1} }, []string{"cut_off order"}},
		"cut-off out of range":     {func(v *vesselpb.Voyage) { v.CutOff = &timestamppb.Timestamp{Seconds: 1 << 60} }, []string{"cut_off range"}},
		"cut-off without calls":    {func(v *vesselpb.Voyage) { v.Calls, v.CutOff = nil, at(1) }, []string{"calls required"}},
		"cut-off without departure": {func(v *vesselpb.Voyage) { v.Calls[0].Departure, v.CutOff = nil, at(1) },
			[]string{"calls[0].departure required"}},
		"nil call": {func(v *vesselpb.Voyage) { v.Calls[1] = nil },
			[]string{"calls[1].port format", "calls[1].arrival required", "calls[1].departure required"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.Voyage(change(good, c.edit)), c.want...) })
	}
}

func TestNormalizeVoyage(t *testing.T) {
	v := &vesselpb.Voyage{Number: " 041E ", Calls: []*vesselpb.PortCall{nil, {Port: "nlrtm "}, {Port: "CNSHG"}}}
	rule.NormalizeVoyage(v)
	if v.Number != "041E" || v.Calls[1].Port != "NLRTM" || v.Calls[2].Port != "CNSHA" {
		t.Errorf("normalized to %v", v)
	}
}

func TestVoyageQuery(t *testing.T) {
	for name, c := range map[string]struct {
		q    *vesselpb.VoyageQuery
		want []string
	}{
		"all":            {&vesselpb.VoyageQuery{}, nil},
		"from alone":     {&vesselpb.VoyageQuery{From: "CNSHA"}, nil},
		"to alone":       {&vesselpb.VoyageQuery{To: "NLRTM"}, nil},
		"everything":     {&vesselpb.VoyageQuery{Limit: 200, From: "CNSHA", To: "NLRTM", After: at(1), Teu: 1_000_000, Weight: 2_000_000_000}, nil},
		"same port":      {&vesselpb.VoyageQuery{From: "CNSHA", To: "CNSHA"}, []string{"to pair"}},
		"no ports":       {&vesselpb.VoyageQuery{From: "Shanghai", To: "CN1HA"}, []string{"from format", "to format"}},
		"the same wrong": {&vesselpb.VoyageQuery{From: "x", To: "x"}, []string{"from format", "to format"}},
		"out of bounds": {&vesselpb.VoyageQuery{Limit: 201, After: &timestamppb.Timestamp{Nanos: -1}, Teu: 1_000_001, Weight: 2_000_000_001},
			[]string{"limit range", "after range", "teu range", "weight range"}},
		"negative": {&vesselpb.VoyageQuery{Limit: -1, Teu: -1, Weight: -1}, []string{"limit range", "teu range", "weight range"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.VoyageQuery(c.q), c.want...) })
	}
	q := &vesselpb.VoyageQuery{From: " cnshg", To: "nlrtm "}
	rule.NormalizeVoyageQuery(q)
	if q.From != "CNSHA" || q.To != "NLRTM" {
		t.Errorf("normalized to %v", q)
	}
}

func TestReservation(t *testing.T) {
	good := &vesselpb.Reservation{BookingId: "b1", Quarters: 12, Weight: 55000}
	for name, c := range map[string]struct {
		edit func(*vesselpb.Reservation)
		want []string
	}{
		"fine":      {func(*vesselpb.Reservation) {}, nil},
		"routed":    {func(r *vesselpb.Reservation) { r.From, r.To, r.NotBefore, r.VoyageId = "NLRTM", "SGSIN", at(1), "v1" }, nil},
		"largest":   {func(r *vesselpb.Reservation) { r.Quarters, r.Weight = 5000, 2_000_000_000 }, nil},
		"too large": {func(r *vesselpb.Reservation) { r.Quarters, r.Weight = 5001, 2_000_000_001 }, []string{"quarters range", "weight range"}},
		"empty": {func(r *vesselpb.Reservation) { proto.Reset(r) },
			[]string{"booking_id required", "quarters range", "weight range"}},
		"bad ids":  {func(r *vesselpb.Reservation) { r.BookingId, r.VoyageId = "a b", "é" }, []string{"booking_id format", "voyage_id format"}},
		"one port": {func(r *vesselpb.Reservation) { r.To = "SGSIN" }, []string{"from pair"}},
		"date":     {func(r *vesselpb.Reservation) { r.NotBefore = at(1) }, []string{"not_before pair"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, rule.Reservation(change(good, c.edit)), c.want...) })
	}
}
