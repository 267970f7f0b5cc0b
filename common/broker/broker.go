// Package broker carries messages from the service that publishes them to the groups of services that want them.
//
// A message is delivered to every group at least once. Within a group, messages of one key come in the order they were
// published, one at a time; messages of different keys may come at once. A group acknowledges a message when its handler
// returns nil. A handler that returns an error is asked again, without end: a broker gives up on no message. Whoever wants a
// bound puts it around the handler, as event.Consumer does.
package broker

import "context"

// Message is what travels. Keys, groups and headers are those of Kafka.
type Message struct {
	Topic string
	// Key orders: messages of one key never overtake each other. It is the id of the entity that changed.
	Key string
	// ID tells repeats of one message; the same in every delivery.
	ID string
	// Headers hold what a consumer may want before it reads the body: type and traceparent.
	Headers map[string]string
	// Body is JSON.
	Body []byte
}

// Handler handles a message for a group. After an error, or a panic, it is asked again. ctx ends when the delivery is given up
// or the broker closes.
type Handler func(ctx context.Context, m Message) error

// Broker is safe for concurrent use.
type Broker interface {
	// Publish returns nil when the message is safe: the broker will deliver it to every group whatever dies.
	// After an error it may or may not have been published; publishing it again is right, consumers drop repeats.
	Publish(ctx context.Context, m Message) error
	// Subscribe gives a group's messages of a topic to a handler until the broker closes. Subscribe before the first publish:
	// what a broker without memory has delivered to the other groups is not delivered again. It fails on a closed broker.
	Subscribe(topic, group string, handle Handler) error
	// Close stops all deliveries and waits for handlers under way.
	Close() error
}
