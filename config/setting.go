package config

import (
	"strings"
	"time"
)

// Setting describes one setting to whoever offers it to people: as a flag, or in a list.
type Setting struct {
	// Key is its dotted name: rpc.timeout.
	Key string
	// Env is its environment variable: FAIRWAY_RPC_TIMEOUT.
	Env string
	// About says in one line what it does.
	About string
	// Default is its default as Print shows it.
	Default string
}

// longestCall is the longest that a service lets any call live.
const longestCall = 30 * time.Second

// Settings lists every setting in the order in which Print shows them. Settings of one section stand together.
func Settings() []Setting {
	def := Default()
	list := make([]Setting, len(table))
	for i, row := range table {
		list[i] = Setting{Key: row.key, Env: envName(row.key), About: row.about, Default: row.show(&def)}
	}
	return list
}

// setting is one row of the table.
type setting struct {
	key, about string
	// parse puts the value into the configuration, or says what is wrong with it: `is not a duration such as 5s`.
	parse func(c *Config, value string) (wrong string)
	// show is the inverse of parse.
	show func(c *Config) string
	// mask hides what is secret in a value before anybody sees it, in errors too; nil where nothing is secret.
	mask func(value string) string
}

// row joins a kind of value with the place in the configuration where it is kept.
func row[T any](key, about string, k kind[T], at func(*Config) *T) setting {
	return setting{
		key:   key,
		about: about,
		mask:  k.mask,
		parse: func(c *Config, value string) string {
			v, wrong := k.parse(value)
			if wrong == "" {
				*at(c) = v
			}
			return wrong
		},
		show: func(c *Config) string { return k.show(*at(c)) },
	}
}

// table is every setting there is. It is constant.
var table = []setting{
	row("env", "development, or production, which refuses what is only good for trying out",
		oneOf(Development, Production), func(c *Config) *string { return &c.Env }),

	row("data.dir", "folder of everything that must survive the process",
		path(), func(c *Config) *string { return &c.Data.Dir }),

	row("api.address", "host:port of the HTTP gateway; port 0 takes any free one",
		hostPort(), func(c *Config) *string { return &c.API.Address }),
	row("api.request_timeout", "longest time that one HTTP request may take",
		duration("10s", 100*time.Millisecond, longestCall), func(c *Config) *time.Duration { return &c.API.RequestTimeout }),
	row("api.max_body", "largest body of a request, in bytes or with a unit",
		size("1MiB", 1<<10, 1<<30), func(c *Config) *int64 { return &c.API.MaxBody }),
	row("api.drain_delay", "time that a stopping gateway still takes requests while it tells load balancers to look elsewhere",
		duration("5s", 0, time.Minute), func(c *Config) *time.Duration { return &c.API.DrainDelay }),

	row("rpc.address", "host:port on which services answer each other; port 0 takes any free one",
		hostPort(), func(c *Config) *string { return &c.RPC.Address }),
	row("rpc.timeout", "deadline of a call that came without one",
		duration("5s", 10*time.Millisecond, longestCall), func(c *Config) *time.Duration { return &c.RPC.Timeout }),
	row("rpc.drain", "time that calls in flight get to finish when the process stops",
		duration("10s", 0, time.Hour), func(c *Config) *time.Duration { return &c.RPC.Drain }),
	row("rpc.max_in_flight", "calls that one service works on at once; more are refused",
		integer(1, 1_000_000), func(c *Config) *int { return &c.RPC.MaxInFlight }),
	row("rpc.pace_per_second", "spread all calls of a service to others evenly at this rate; 0 turns pacing off",
		integer(0, 1_000_000), func(c *Config) *int { return &c.RPC.PacePerSecond }),

	row("breaker.max_concurrent", "calls to one service that may be under way at once",
		integer(1, 1_000_000), func(c *Config) *int { return &c.Breaker.MaxConcurrent }),
	row("breaker.volume", "calls in ten seconds below which the breaker stays closed",
		integer(1, 1_000_000), func(c *Config) *int { return &c.Breaker.Volume }),
	row("breaker.error_percent", "share of failed calls that opens the breaker",
		integer(1, 100), func(c *Config) *int { return &c.Breaker.ErrorPercent }),
	row("breaker.sleep", "time that an open breaker waits before it lets one call try",
		duration("5s", time.Millisecond, time.Hour), func(c *Config) *time.Duration { return &c.Breaker.Sleep }),

	row("registry.kind", "where services find each other: memory",
		oneOf("memory"), func(c *Config) *string { return &c.Registry.Kind }),
	row("registry.ttl", "life of an entry that is not renewed",
		duration("30s", time.Second, time.Hour), func(c *Config) *time.Duration { return &c.Registry.TTL }),
	row("registry.interval", "time between two renewals, less than registry.ttl",
		duration("20s", 100*time.Millisecond, time.Hour), func(c *Config) *time.Duration { return &c.Registry.Interval }),

	row("store.kind", "where documents are kept: sqlite",
		oneOf("sqlite"), func(c *Config) *string { return &c.Store.Kind }),

	row("broker.kind", "what carries events: memory",
		oneOf("memory"), func(c *Config) *string { return &c.Broker.Kind }),

	row("keys.dir", "folder of the private keys; empty means keys under data.dir",
		optional(path()), func(c *Config) *string { return &c.Keys.Dir }),

	row("auth.token_ttl", "life of an access token",
		duration("12h", time.Minute, 7*24*time.Hour), func(c *Config) *time.Duration { return &c.Auth.TokenTTL }),
	row("auth.hash_concurrency", "passwords that are hashed at once",
		integer(1, 256), func(c *Config) *int { return &c.Auth.HashConcurrency }),
	row("auth.hash_queue", "hashings that may wait for their turn; more are refused",
		integer(0, 10_000), func(c *Config) *int { return &c.Auth.HashQueue }),

	row("trace.jaeger", "host:port of a Jaeger agent (UDP) or URL of a collector; empty turns tracing off",
		optional(jaeger()), func(c *Config) *string { return &c.Trace.Jaeger }),
	row("trace.sample", "share of traces that are recorded, 0 to 1",
		number(0, 1), func(c *Config) *float64 { return &c.Trace.Sample }),

	row("log.level", "debug, info, warn or error",
		oneOf("debug", "info", "warn", "error"), func(c *Config) *string { return &c.Log.Level }),
	row("log.format", "auto, text or json; auto is text on a terminal",
		oneOf("auto", "text", "json"), func(c *Config) *string { return &c.Log.Format }),

	row("stop.timeout", "longest time that an orderly stop may take",
		duration("20s", time.Second, time.Hour), func(c *Config) *time.Duration { return &c.Stop.Timeout }),
}

// find gives the row of a key.
func find(key string) (setting, bool) {
	for _, s := range table {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

const envPrefix = "FAIRWAY_"

// envName is the environment variable of a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}
