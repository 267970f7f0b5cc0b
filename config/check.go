package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// contradictions names each pair of settings that cannot both hold, in one sentence each.
func (c Config) contradictions() []string {
	var list []string
	if c.Env == Production && c.Keys.Dir == "" {
		list = append(list, "env production needs keys.dir: the keys that sign tokens must have a place of their own")
	}
	if c.Registry.Interval >= c.Registry.TTL {
		list = append(list, fmt.Sprintf("registry.interval %s is not less than registry.ttl %s: entries would expire between renewals",
			showDuration(c.Registry.Interval), showDuration(c.Registry.TTL)))
	}
	if c.RPC.Drain > c.Stop.Timeout {
		list = append(list, fmt.Sprintf("rpc.drain %s is more than stop.timeout %s: calls would be cut off before they are drained",
			showDuration(c.RPC.Drain), showDuration(c.Stop.Timeout)))
	}
	if c.API.DrainDelay >= c.Stop.Timeout {
		list = append(list, fmt.Sprintf("api.drain_delay %s is not less than stop.timeout %s: no time would be left to stop in",
			showDuration(c.API.DrainDelay), showDuration(c.Stop.Timeout)))
	}
	if c.API.Address == c.RPC.Address && !anyPort(c.API.Address) {
		list = append(list, fmt.Sprintf("api.address and rpc.address are both %s: each needs a port of its own", c.API.Address))
	}
	return list
}

func anyPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && strings.Trim(port, "0") == ""
}

// CheckServices says whether a process with this configuration may serve the named services; none named means all. The
// error is an *Error that names unknown services, services named twice, and parts that only work when all services share
// one process.
func (c Config) CheckServices(names []string, all []string) error {
	var problems []string
	served := make(map[string]bool)
	for _, name := range names {
		switch {
		case !slices.Contains(all, name):
			problems = append(problems, fmt.Sprintf("%s is not a service%s (services: %s)", quote(name), DidYouMean("", name, all), strings.Join(all, ", ")))
		case served[name]:
			problems = append(problems, "service "+name+" is named twice")
		}
		served[name] = true
	}
	if len(problems) == 0 && len(names) > 0 && len(names) < len(all) {
		if c.Registry.Kind == "memory" {
			problems = append(problems, "registry.kind memory cannot find services in other processes: serve all services in one")
		}
		if c.Broker.Kind == "memory" {
			problems = append(problems, "broker.kind memory cannot carry events to other processes: serve all services in one")
		}
	}
	if len(problems) > 0 {
		return &Error{Problems: problems}
	}
	return nil
}
