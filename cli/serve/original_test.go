package serve_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The original demo's contract, field by field, as its clients were generated from it. Nothing of ours is used to build it.
var original = map[string]map[string][]string{
	"user": {
		"User":     {"id string 1", "name string 2", "company string 3", "email string 4", "password string 5"},
		"Request":  {},
		"Response": {"user User 1", "users []User 2", "errors []Error 3"},
		"Token":    {"token string 1", "valid bool 2", "errors Error 3", "user_id string 4"},
		"Error":    {"code int32 1", "description string 2"},
	},
	"vessel": {
		"Vessel":        {"id string 1", "capacity int32 2", "max_weight int32 3", "name string 4", "available bool 5", "ower_id string 6"},
		"Specification": {"capacity int32 1", "max_weight int32 2"},
		"Response":      {"vessel Vessel 1", "vessels []Vessel 2", "created bool 3"},
	},
	"consignment": {
		"Consignment": {"id string 1", "description string 2", "weight int32 3", "containers []Container 4", "vessel_id string 5"},
		"Container":   {"id string 1", "customer_id string 2", "origin string 3", "user_id string 4"},
		"Response":    {"created bool 1", "consignment Consignment 2", "consignments []Consignment 3"},
		"GetRequest":  {},
	},
}

// oldClient calls services with messages of the original contract.
type oldClient struct {
	t     *testing.T
	conn  *grpc.ClientConn
	files map[string]protoreflect.FileDescriptor
}

func newOldClient(t *testing.T, address string) *oldClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &oldClient{t: t, conn: conn, files: map[string]protoreflect.FileDescriptor{}}
	for pkg, messages := range original {
		file := &descriptorpb.FileDescriptorProto{Name: proto.String(pkg + ".proto"), Package: proto.String(pkg), Syntax: proto.String("proto3")}
		for name, fields := range messages {
			file.MessageType = append(file.MessageType, oldMessage(t, pkg, name, fields))
		}
		if c.files[pkg], err = protodesc.NewFile(file, nil); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func oldMessage(t *testing.T, pkg, name string, fields []string) *descriptorpb.DescriptorProto {
	t.Helper()
	scalars := map[string]descriptorpb.FieldDescriptorProto_Type{
		"string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
		"bool":   descriptorpb.FieldDescriptorProto_TYPE_BOOL,
		"int32":  descriptorpb.FieldDescriptorProto_TYPE_INT32,
	}
	m := &descriptorpb.DescriptorProto{Name: proto.String(name)}
	for _, text := range fields {
		var field, kind string
		var number int32
		if _, err := fmt.Sscan(text, &field, &kind, &number); err != nil {
			t.Fatal(err)
		}
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(field), Number: proto.Int32(number),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if len(kind) > 2 && kind[:2] == "[]" {
			kind = kind[2:]
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if scalar, ok := scalars[kind]; ok {
			f.Type = scalar.Enum()
		} else {
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			f.TypeName = proto.String("." + pkg + "." + kind)
		}
		m.Field = append(m.Field, f)
	}
	return m
}

// message makes a message of the original contract from its text form.
func (c *oldClient) message(pkg, name string, fields map[string]any) *dynamicpb.Message {
	c.t.Helper()
	m := dynamicpb.NewMessage(c.files[pkg].Messages().ByName(protoreflect.Name(name)))
	for k, v := range fields {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(k))
		if list, ok := v.([]*dynamicpb.Message); ok {
			l := m.Mutable(fd).List()
			for _, item := range list {
				l.Append(protoreflect.ValueOfMessage(item))
			}
			continue
		}
		m.Set(fd, protoreflect.ValueOf(v))
	}
	return m
}

func (c *oldClient) call(ctx context.Context, pkg, method string, in *dynamicpb.Message, out string) *dynamicpb.Message {
	c.t.Helper()
	rsp := c.message(pkg, out, nil)
	if err := c.conn.Invoke(ctx, "/"+pkg+"."+method, in, rsp); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
	return rsp
}

func field(m protoreflect.Message, path ...string) protoreflect.Value {
	for i, name := range path {
		v := m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
		if i == len(path)-1 {
			return v
		}
		m = v.Message()
	}
	return protoreflect.Value{}
}

func TestAClientOfTheOriginalContractStillWorks(t *testing.T) {
	h := open(t, testConfig(t))
	c := newOldClient(t, h.RPC())
	ctx := t.Context()

	// The original command-line client sends an id of its own, and so on.
	person := map[string]any{"id": "5cf7c408afe05ce7e837f2a4", "name": "Ethan", "company": "BBC", "email": "test@gmail.com", "password": "test123"}
	created := c.call(ctx, "user", "UserService/Create", c.message("user", "User", person), "Response")
	if id := field(created, "user", "id").String(); id == "" || id == person["id"] || field(created, "user", "password").String() != "" {
		t.Errorf("created %v", created)
	}
	token := c.call(ctx, "user", "UserService/Auth", c.message("user", "User", map[string]any{"email": "test@gmail.com", "password": "test123"}), "Token")
	if !field(token, "valid").Bool() {
		t.Errorf("token %v", token)
	}
	valid := c.call(ctx, "user", "UserService/ValidateToken", c.message("user", "Token", map[string]any{"token": field(token, "token").String()}), "Token")
	if !field(valid, "valid").Bool() || field(valid, "user_id").String() != field(created, "user", "id").String() {
		t.Errorf("validated %v", valid)
	}

	signed := metadata.AppendToOutgoingContext(ctx, "token", field(token, "token").String()) // the original key
	vessel := c.call(signed, "vessel", "VesselService/Create", c.message("vessel", "Vessel", map[string]any{
		"id": "mine", "name": "Vessel1", "max_weight": int32(200000), "capacity": int32(500), "available": true, "ower_id": "me",
	}), "Response")
	if !field(vessel, "created").Bool() || field(vessel, "vessel", "id").String() == "mine" || field(vessel, "vessel", "ower_id").String() == "me" {
		t.Errorf("vessel %v", vessel)
	}
	found := c.call(signed, "vessel", "VesselService/FindAvailable", c.message("vessel", "Specification", map[string]any{"capacity": int32(3), "max_weight": int32(55000)}), "Response")
	if field(found, "vessel", "id").String() != field(vessel, "vessel", "id").String() {
		t.Errorf("found %v", found)
	}
	var boxes []*dynamicpb.Message
	for _, origin := range []string{"Manchester, United Kingdom", "Derby, United Kingdom", "Sheffield, United Kingdom"} {
		boxes = append(boxes, c.message("consignment", "Container", map[string]any{
			"customer_id": "5cf681bf8f37b4757ffcded1", "user_id": "5cf7c408afe05ce7e837f2a4", "origin": origin,
		}))
	}
	booked := c.call(signed, "consignment", "ShippingService/CreateConsignment", c.message("consignment", "Consignment", map[string]any{
		"id": "mine", "description": "This is a test consignment", "weight": int32(55000), "containers": boxes, "vessel_id": "another",
	}), "Response")
	if !field(booked, "created").Bool() || field(booked, "consignment", "vessel_id").String() != field(vessel, "vessel", "id").String() {
		t.Errorf("booked %v", booked)
	}
	list := c.call(signed, "consignment", "ShippingService/GetConsignments", c.message("consignment", "GetRequest", nil), "Response")
	if field(list, "consignments").List().Len() != 1 {
		t.Errorf("list %v", list)
	}
}
