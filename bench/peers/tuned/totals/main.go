// SPDX-License-Identifier: Apache-2.0

// The totals service as an experienced Go team would build it: what Kafka has is counted in one
// ledger transaction, which also keeps the offsets to go on from.
package main

import (
	"context"
	"flag"

	"abacus/bench/peers/kafka"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const batchMax = 4096 // events in one transaction

func offsets(l *ledger) map[int32]kgo.Offset {
	from := map[int32]kgo.Offset{}
	for partition, next := range l.next() {
		from[partition] = kgo.NewOffset().At(next)
	}
	return from
}

func main() {
	httpPort := flag.Int("http-port", 8080, "")
	adminPort := flag.Int("admin-port", 9465, "")
	path := flag.String("ledger", "ledger.db", "the SQLite file")
	brokers := flag.String("kafka-bootstrap-servers", "127.0.0.1:9092", "")
	topic := flag.String("kafka-topic", "abacus.sums", "made when missing")
	flag.String("kafka-group", "", "not used: the ledger keeps the offsets")
	flag.Parse()
	ctx := context.Background()
	admin := kadm.NewClient(kafka.Connect(*brokers))
	kafka.MakeTopic(ctx, admin, *topic)
	l := openLedger(*path)
	client := kafka.Connect(*brokers, kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{*topic: offsets(l)}))
	go web.Serve(*adminPort, web.Routes{"/readyz": web.Ready})
	go web.Serve(*httpPort, web.Routes{
		"/v1/total": func(context.Context) (any, error) { return l.total(), nil },
		"/v1/partitions": func(ctx context.Context) (any, error) {
			return web.Lags(ctx, admin, *topic, l.next)
		},
	})
	for {
		fetches := client.PollRecords(ctx, batchMax)
		store.Must(fetches.Err())
		l.apply(fetches.Records())
	}
}
