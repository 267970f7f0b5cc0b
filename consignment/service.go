package consignment

import (
	"context"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/event"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Serve opens the consignments in s.DB and registers consignmentpb.ShippingService. In the background it relays their events and
// finishes bookings whose requests were cut off. It needs the vessel service to book and to cancel.
func Serve(ctx context.Context, s *app.Service) error {
	consignments, err := openConsignments(ctx, s.DB)
	if err != nil {
		return err
	}
	d := &desk{
		consignments: consignments,
		vessels:      vessels{vesselpb.NewVesselService("vessel", s.Client)},
		now:          s.Now,
	}
	s.Every("sweep", sweepEvery, (&sweeper{desk: d}).sweep)
	s.Background("relay", event.NewRelay(s.Broker, Name, s.Log, consignments.Outbox()).Run)
	return consignmentpb.RegisterShippingServiceHandler(s.Server, &handler{desk: d})
}

// vessels asks the vessel service.
type vessels struct {
	rpc vesselpb.VesselService
}

func (v vessels) Reserve(ctx context.Context, r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
	return v.rpc.Reserve(ctx, r)
}

func (v vessels) Release(ctx context.Context, booking string) error {
	_, err := v.rpc.Release(ctx, &vesselpb.ReleaseRequest{BookingId: booking})
	return err
}
