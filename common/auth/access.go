package auth

import (
	"slices"
	"strings"

	"github.com/fairwayfreight/fairway/common/fault"
)

// Rule says who may call a method. What a caller may do to which document is the service's to decide, with the identity.
type Rule struct {
	public   bool
	roles    []string // one of these; any person when empty
	services []string // these services and no person, when not empty
}

func public() Rule                    { return Rule{public: true} }
func people(roles ...string) Rule     { return Rule{roles: roles} }
func internal(names ...string) Rule   { return Rule{services: names} }
func (r Rule) internalOnly() bool     { return len(r.services) > 0 }
func method(service, e string) string { return service + "." + e }

// Operator is the name under which whoever runs Fairway signs, with a key that lies beside those of the services. Its tokens
// are like theirs, and so is its Identity: Service is Operator, and there is never a person.
const Operator = "operator"

// access is the whole table: a method that is missing here can be called by nobody.
var access = map[string]Rule{
	"user.UserService.Create":        public(),
	"user.UserService.Auth":          public(),
	"user.UserService.ValidateToken": public(),
	"user.UserService.GetKeys":       public(),
	"user.UserService.Get":           people(),
	"user.UserService.GetAll":        people(RoleAdmin),
	"user.UserService.Grant":         internal(Operator),

	"vessel.VesselService.FindAvailable":  people(),
	"vessel.VesselService.Create":         people(RoleCarrier),
	"vessel.VesselService.Get":            people(),
	"vessel.VesselService.List":           people(),
	"vessel.VesselService.CreateVoyage":   people(RoleCarrier),
	"vessel.VesselService.GetVoyage":      people(),
	"vessel.VesselService.ListVoyages":    people(),
	"vessel.VesselService.CloseVoyage":    people(RoleCarrier),
	"vessel.VesselService.DepartVoyage":   people(RoleCarrier),
	"vessel.VesselService.CompleteVoyage": people(RoleCarrier),
	"vessel.VesselService.Reserve":        internal("consignment"),
	"vessel.VesselService.Release":        internal("consignment"),

	"consignment.ShippingService.CreateConsignment": people(RoleShipper),
	"consignment.ShippingService.GetConsignments":   people(),
	"consignment.ShippingService.GetConsignment":    people(),
	"consignment.ShippingService.CancelConsignment": people(),
	"consignment.ShippingService.Settle":            internal("vessel"),

	"log.LogService.List":  people(),
	"log.LogService.Chain": people(RoleAdmin),
	"log.LogService.Heads": people(RoleAdmin),

	"log.DeadLetterService.List":    people(RoleAdmin),
	"log.DeadLetterService.Get":     people(RoleAdmin),
	"log.DeadLetterService.Redrive": people(RoleAdmin),
	"log.DeadLetterService.Drop":    people(RoleAdmin),

	"consignment.DeadLetterService.List":    people(RoleAdmin),
	"consignment.DeadLetterService.Get":     people(RoleAdmin),
	"consignment.DeadLetterService.Redrive": people(RoleAdmin),
	"consignment.DeadLetterService.Drop":    people(RoleAdmin),
}

// Methods lists the methods of the table as "service.Service.Method", for comparing it with the contract: a method that was
// added there and forgotten here would be open to nobody.
func Methods() []string {
	list := make([]string, 0, len(access))
	for m := range access {
		list = append(list, m)
	}
	slices.Sort(list)
	return list
}

// allow checks a caller against the rule. Errors: permission_denied.
func (r Rule) allow(i Identity) error {
	switch {
	case r.public:
		return nil
	case r.internalOnly():
		if !slices.Contains(r.services, i.Service) {
			return fault.New(fault.PermissionDenied, "this method is internal")
		}
	case i.Service != "":
		return fault.New(fault.PermissionDenied, "this method is for people, not services")
	case len(r.roles) > 0 && !slices.ContainsFunc(r.roles, i.Has):
		return fault.New(fault.PermissionDenied, "this needs the role %s", strings.Join(r.roles, " or "))
	}
	return nil
}
