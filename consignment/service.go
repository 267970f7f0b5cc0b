package consignment

import (
	"context"
	"fmt"

	"github.com/fairwayfreight/fairway/common/app"
	"github.com/fairwayfreight/fairway/common/event"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// Serve opens the consignments in s.DB and registers consignmentpb.ShippingService. In the background it relays their events,
// finishes bookings whose requests were cut off, and completes what voyages carried that have ended, of which it hears by the
// events of the vessel service. Events that it cannot handle become dead letters, which consignmentpb.DeadLetterService shows.
// It needs the vessel service to book and to cancel.
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
	completions, err := openCompletions(ctx, s.DB)
	if err != nil {
		return err
	}
	letters, err := event.OpenDeadLetters(ctx, s.DB)
	if err != nil {
		return err
	}
	ends := &completer{desk: d, tasks: completions}
	consumer := event.NewConsumer(ends.handle, letters, s.Now, s.Log)
	if err := s.Broker.Subscribe(event.Topic("vessel"), Name, consumer.Handle); err != nil {
		return fmt.Errorf("subscribe to the events of the vessel service: %w", err)
	}
	s.Every("complete", completeEvery, ends.work)
	s.Every("sweep", sweepEvery, (&sweeper{desk: d}).sweep)
	s.Background("relay", event.NewRelay(s.Broker, Name, s.Log, consignments.Outbox()).Run)
	if err := consignmentpb.RegisterShippingServiceHandler(s.Server, &handler{desk: d}); err != nil {
		return err
	}
	return consignmentpb.RegisterDeadLetterServiceHandler(s.Server, event.NewDeadLetterHandler(consumer))
}

// vessels asks the vessel service.
type vessels struct {
	rpc vesselpb.VesselService
}

func (v vessels) Reserve(ctx context.Context, r *vesselpb.Reservation) (*vesselpb.Allocation, error) {
	return v.rpc.Reserve(ctx, r)
}

func (v vessels) Sailed(ctx context.Context, voyage string) (bool, error) {
	rsp, err := v.rpc.GetVoyage(ctx, &vesselpb.VoyageRef{Id: voyage})
	return rsp.GetVoyage().GetState() >= vesselpb.VoyageState_DEPARTED, err
}

func (v vessels) Release(ctx context.Context, booking, voyage string) error {
	_, err := v.rpc.Release(ctx, &vesselpb.ReleaseRequest{BookingId: booking, VoyageId: voyage})
	return err
}
