package serve_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/fairwayfreight/fairway/common/auth"
	consignmentpb "github.com/fairwayfreight/fairway/interface-center/out/consignment"
	logpb "github.com/fairwayfreight/fairway/interface-center/out/log"
	userpb "github.com/fairwayfreight/fairway/interface-center/out/user"
	vesselpb "github.com/fairwayfreight/fairway/interface-center/out/vessel"
)

// methods are all methods of the contract.
func methods() []protoreflect.MethodDescriptor {
	var list []protoreflect.MethodDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		userpb.File_user_user_proto, vesselpb.File_vessel_vessel_proto,
		consignmentpb.File_consignment_consignment_proto, logpb.File_log_log_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				list = append(list, service.Methods().Get(j))
			}
		}
	}
	return list
}

// try calls a method with an empty message and answers with its status code.
func try(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor) codes.Code {
	path := "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
	return status.Code(conn.Invoke(ctx, path, dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())))
}

// open to all, and to one service each; every other method is for people.
var (
	publicMethods   = []string{"user.UserService.Create", "user.UserService.Auth", "user.UserService.ValidateToken", "user.UserService.GetKeys"}
	internalMethods = map[string]string{
		"vessel.VesselService.Reserve": "consignment", "vessel.VesselService.Release": "consignment",
		"consignment.ShippingService.Settle": "vessel", "user.UserService.Grant": auth.Operator,
	}
)

// needed is the role that a method is for; empty where any person may call it.
func needed(method string) string {
	if strings.Contains(method, ".DeadLetterService.") {
		return "admin"
	}
	return map[string]string{
		"vessel.VesselService.Create": "carrier", "vessel.VesselService.CreateVoyage": "carrier", "vessel.VesselService.CloseVoyage": "carrier",
		"vessel.VesselService.DepartVoyage": "carrier", "vessel.VesselService.CompleteVoyage": "carrier",
		"consignment.ShippingService.CreateConsignment": "shipper",
		"user.UserService.GetAll":                       "admin", "log.LogService.Chain": "admin", "log.LogService.Heads": "admin",
	}[method]
}

func TestWhoMayCallWhat(t *testing.T) {
	h := open(t, testConfig(t))
	people := map[string][]string{}
	for _, roles := range [][]string{{"shipper"}, {"carrier"}, {"shipper", "carrier"}} {
		_, token := h.person(strings.Join(roles, "-")+"@example.com", roles...)
		people[token] = roles
	}
	people[h.admin("boss@example.com")] = []string{"shipper", "carrier", "admin"}
	conn, err := grpc.NewClient(h.RPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	with := func(token string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token, "x-actor-id", "somebody", "x-actor-roles", "admin")
	}
	for _, m := range methods() {
		name := string(m.FullName())
		if slices.Contains(publicMethods, name) {
			if code := try(t.Context(), conn, m); code == codes.Unauthenticated || code == codes.PermissionDenied {
				t.Errorf("%s is public, but answers %s", name, code)
			}
			continue
		}
		if code := try(t.Context(), conn, m); code != codes.Unauthenticated {
			t.Errorf("%s without a token: %s", name, code)
		}
		if code := try(with("garbage"), conn, m); code != codes.Unauthenticated {
			t.Errorf("%s with garbage: %s", name, code)
		}
		for token, roles := range people {
			role := needed(name)
			denied := internalMethods[name] != "" || role != "" && !slices.Contains(roles, role)
			if code := try(with(token), conn, m); (code == codes.PermissionDenied) != denied {
				t.Errorf("%s as %v: %s, denied should be %v", name, roles, code, denied)
			}
		}
	}
}

func TestServicesMayCallOnlyTheirInternalMethods(t *testing.T) {
	cfg := testConfig(t)
	h := open(t, cfg)
	conn, err := grpc.NewClient(h.RPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range []string{"user", "vessel", "consignment", "log", "api", auth.Operator} {
		key, err := auth.KeyDir(cfg.KeysDir()).Service(service)
		if err != nil {
			t.Fatal(err)
		}
		token, err := auth.NewServiceTokens(service, key, time.Now).Token()
		if err != nil {
			t.Fatal(err)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token, "x-actor-id", "somebody", "x-actor-roles", "shipper,carrier,admin")
		for _, m := range methods() {
			name := string(m.FullName())
			if slices.Contains(publicMethods, name) {
				continue
			}
			if code := try(ctx, conn, m); (code != codes.PermissionDenied) != (internalMethods[name] == service) {
				t.Errorf("%s calls %s: %s", service, name, code)
			}
		}
	}
}

func TestEveryMethodHasItsRule(t *testing.T) {
	var want []string
	for _, m := range methods() {
		want = append(want, string(m.FullName()))
	}
	slices.Sort(want)
	if got := auth.Methods(); !slices.Equal(got, want) {
		t.Errorf("the table has %v, the contract %v", got, want)
	}
}

func TestHealthIsServedToPlainClients(t *testing.T) {
	h := open(t, testConfig(t))
	conn, err := grpc.NewClient(h.RPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range []string{"", "user.UserService", "vessel.VesselService", "consignment.ShippingService", "log.LogService"} {
		rsp, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || rsp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, rsp, err)
		}
	}
}
