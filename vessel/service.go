package vessel

import (
	"context"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/event"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Serve opens vessels, voyages, ledgers and allocations in s.DB and registers vesselpb.VesselService. In the background it
// relays the events of vessels and voyages, closes voyages at their cut-off, and settles what is open, for which it needs the
// consignment service: while that is away, bookings stay pending in the ledgers.
func Serve(ctx context.Context, s *app.Service) error {
	vessels, err := openVessels(ctx, s.DB)
	if err != nil {
		return err
	}
	voyages, err := openVoyages(ctx, s.DB)
	if err != nil {
		return err
	}
	ledgers, err := openLedgers(ctx, s.DB)
	if err != nil {
		return err
	}
	allocations, err := openAllocations(ctx, s.DB)
	if err != nil {
		return err
	}
	rooms := &registrar{allocations: allocations, ledgers: ledgers, books: newBooks(ledgers, allocations, s.Now), now: s.Now}
	ships := &fleet{vessels: vessels, voyages: voyages, ledgers: ledgers, books: rooms.books, now: s.Now}
	bookings := consignments{consignmentpb.NewShippingService("consignment", s.Client)}

	s.Every("settle", settleRest, (&settler{rooms: rooms, fleet: ships, consignments: bookings}).look)
	s.Every("close voyages", closeEvery, ships.closeDue)
	s.Background("relay", event.NewRelay(s.Broker, Name, s.Log, vessels.Outbox(), voyages.Outbox()).Run)
	return vesselpb.RegisterVesselServiceHandler(s.Server, &handler{fleet: ships, rooms: rooms})
}

// consignments asks the consignment service.
type consignments struct {
	rpc consignmentpb.ShippingService
}

func (c consignments) Settle(ctx context.Context, bookings []string) ([]*consignmentpb.Outcome, error) {
	rsp, err := c.rpc.Settle(ctx, &consignmentpb.SettleRequest{BookingIds: bookings})
	return rsp.GetOutcomes(), err
}
