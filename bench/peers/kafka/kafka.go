// SPDX-License-Identifier: Apache-2.0

// Package kafka connects, and makes the topic.
package kafka

import (
	"context"
	"errors"
	"strings"

	"abacus/bench/peers/store"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Partitions is how many a new topic gets.
const Partitions = 4

// Connect takes the brokers as a list with commas.
func Connect(brokers string, options ...kgo.Opt) *kgo.Client {
	options = append(options, kgo.SeedBrokers(strings.Split(brokers, ",")...))
	client, err := kgo.NewClient(options...)
	store.Must(err)
	return client
}

// MakeTopic leaves one that is there as it is.
func MakeTopic(ctx context.Context, admin *kadm.Client, topic string) {
	_, err := admin.CreateTopic(ctx, Partitions, 1, nil, topic)
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		store.Must(err)
	}
}
