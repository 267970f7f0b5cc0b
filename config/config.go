// Package config holds every setting of Fairway in one typed value.
//
// Default alone runs a whole Fairway on one machine. A YAML file changes it, environment variables change that, and flags
// have the last word. All three go through one table (see Settings), so a setting means the same wherever it is written:
// rpc.timeout in a file is FAIRWAY_RPC_TIMEOUT in the environment and --rpc.timeout on the command line.
//
// A Config that Load returned without error is complete and consistent; nobody needs to check it again. Which services may run
// with it, CheckServices says. Nothing in this package reads the process's environment or the disk by itself.
package config

import (
	"path/filepath"
	"time"
)

// Config is the configuration of one process. It is a plain value: copy it, compare it, change the copy.
type Config struct {
	// Env is Development or Production.
	Env      string
	Data     Data
	API      API
	RPC      RPC
	Breaker  Breaker
	Registry Registry
	Store    Store
	Broker   Broker
	Keys     Keys
	Auth     Auth
	Trace    Trace
	Log      Log
	Stop     Stop
}

// The values of Config.Env.
const (
	Development = "development"
	Production  = "production"
)

// Data says where the process keeps what must survive it.
type Data struct {
	// Dir is a folder; relative to the working directory unless absolute.
	Dir string
}

// API is the HTTP gateway.
type API struct {
	// Address is host:port; port 0 takes any free one.
	Address string
	// RequestTimeout bounds one HTTP request from its first byte to its answer.
	RequestTimeout time.Duration
	// MaxBody is the most bytes that a request's body may have.
	MaxBody int64
	// DrainDelay is how long a stopping gateway keeps its address open while /readyz already says no, so that load balancers
	// look elsewhere first.
	DrainDelay time.Duration
}

// RPC is how services serve and call each other.
type RPC struct {
	// Address is host:port; port 0 takes any free one.
	Address string
	// Timeout is the deadline of a call that came without one.
	Timeout time.Duration
	// Drain is how long calls in flight may take to finish once the process stops. Never more than Stop.Timeout.
	Drain time.Duration
	// MaxInFlight is the number of calls that one service works on at once; more are refused.
	MaxInFlight int
	// PacePerSecond spreads all calls of a service to others evenly at this rate. Those that have to wait too long or whose
	// waiting line is full are refused. 0 means no pacing.
	PacePerSecond int
}

// Breaker is the circuit breaker in front of each called service.
type Breaker struct {
	// MaxConcurrent is the number of calls to one service that may be under way at once.
	MaxConcurrent int
	// Volume is the number of calls in ten seconds below which the breaker stays closed whatever fails.
	Volume int
	// ErrorPercent is the share of failed calls at which the breaker opens.
	ErrorPercent int
	// Sleep is how long it stays open before it lets one call try.
	Sleep time.Duration
}

// Registry is where services find each other.
type Registry struct {
	Kind string
	// TTL is how long an entry lives without being renewed. Always more than Interval.
	TTL time.Duration
	// Interval is the time between two renewals.
	Interval time.Duration
}

// Store is where documents are kept.
type Store struct {
	Kind string
}

// Broker is what carries events.
type Broker struct {
	Kind string
}

// Keys are the private keys that sign tokens.
type Keys struct {
	// Dir is the configured folder, empty when it was left at its default; read it through Config.KeysDir.
	Dir string
}

// Auth is sign-up and log-in.
type Auth struct {
	// TokenTTL is how long an access token is good for.
	TokenTTL time.Duration
	// HashConcurrency is the number of passwords that are hashed at once. Each takes a core and tens of megabytes.
	HashConcurrency int
	// HashQueue is the number of hashings that may wait for their turn; more are refused.
	HashQueue int
}

// Trace is distributed tracing.
type Trace struct {
	// Jaeger is where spans go: host:port of an agent's UDP port, or the http(s) URL of a collector. Empty means nowhere.
	Jaeger string
	// Sample is the share of traces that are recorded, 0 to 1.
	Sample float64
}

// Log is the process's own log.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is text, json or auto: text on a terminal, JSON elsewhere.
	Format string
}

// Stop is the orderly end of the process.
type Stop struct {
	// Timeout is how long it may take; what is not done by then is cut off.
	Timeout time.Duration
}

// Default is the configuration of a Fairway that nobody configured. It is valid.
func Default() Config {
	return Config{
		Env:  Development,
		Data: Data{Dir: "./data"},
		API: API{
			Address:        "127.0.0.1:8080",
			RequestTimeout: 10 * time.Second,
			MaxBody:        1 << 20,
		},
		RPC: RPC{
			Address:       "127.0.0.1:9090",
			Timeout:       5 * time.Second,
			Drain:         10 * time.Second,
			MaxInFlight:   1024,
			PacePerSecond: 0,
		},
		Breaker: Breaker{
			MaxConcurrent: 1000,
			Volume:        20,
			ErrorPercent:  50,
			Sleep:         5 * time.Second,
		},
		Registry: Registry{Kind: "memory", TTL: 30 * time.Second, Interval: 20 * time.Second},
		Store:    Store{Kind: "sqlite"},
		Broker:   Broker{Kind: "memory"},
		Auth:     Auth{TokenTTL: 12 * time.Hour, HashConcurrency: 2, HashQueue: 8},
		Trace:    Trace{Sample: 1},
		Log:      Log{Level: "info", Format: "auto"},
		Stop:     Stop{Timeout: 20 * time.Second},
	}
}

// KeysDir is the folder of the signing keys: the configured one, or keys under the data directory.
func (c Config) KeysDir() string {
	if c.Keys.Dir != "" {
		return c.Keys.Dir
	}
	return filepath.Join(c.Data.Dir, "keys")
}
