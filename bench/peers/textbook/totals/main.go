// SPDX-License-Identifier: Apache-2.0

// The totals service as the textbook has it: a consumer group, one transaction a message, and a
// table of the messages seen.
package main

import (
	"context"
	"database/sql"
	"flag"
	"log"
	"maps"
	"sync"

	"abacus/bench/peers/event"
	"abacus/bench/peers/kafka"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const schema = `
CREATE TABLE IF NOT EXISTS seen(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total(count INTEGER NOT NULL, sum INTEGER NOT NULL);
INSERT INTO total SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM total)`

type totals struct {
	db   *sql.DB
	mu   sync.Mutex
	next map[int32]int64 // for /v1/partitions
}

// apply counts the event unless it was counted before.
func (t *totals) apply(e *event.Event) error {
	tx, err := t.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	result, err := tx.Exec("INSERT INTO seen VALUES(?) ON CONFLICT DO NOTHING", e.ID())
	if err != nil {
		return err
	}
	if fresh, err := result.RowsAffected(); err != nil || fresh == 0 {
		return err
	}
	_, err = tx.Exec("UPDATE total SET count = count + 1, sum = sum + ?", e.A+e.B)
	if err != nil {
		return err
	}
	return tx.Commit()
}

func (t *totals) consume(record *kgo.Record) {
	if e, err := event.Read(record); err != nil {
		log.Printf("offset %d: %v", record.Offset, err)
	} else {
		store.Must(t.apply(&e))
	}
	t.mu.Lock()
	t.next[record.Partition] = record.Offset + 1
	t.mu.Unlock()
}

func (t *totals) total(ctx context.Context) (any, error) {
	var document web.Total
	err := t.db.QueryRowContext(ctx, "SELECT count, sum FROM total").
		Scan(&document.Count, &document.Total)
	return document, err
}

func (t *totals) nextOffsets() map[int32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.next)
}

// committed is where an earlier life of the group has come to.
func committed(ctx context.Context, admin *kadm.Client, group, topic string) map[int32]int64 {
	offsets, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	store.Must(err)
	next := map[int32]int64{}
	offsets.Each(func(offset kadm.OffsetResponse) {
		store.Must(offset.Err)
		next[offset.Partition] = max(offset.At, 0) // -1: none
	})
	return next
}

func main() {
	httpPort := flag.Int("http-port", 8080, "")
	adminPort := flag.Int("admin-port", 9465, "")
	path := flag.String("ledger", "ledger.db", "the SQLite file")
	brokers := flag.String("kafka-bootstrap-servers", "127.0.0.1:9092", "")
	topic := flag.String("kafka-topic", "abacus.sums", "made when missing")
	group := flag.String("kafka-group", "abacus-totals", "")
	flag.Parse()
	ctx := context.Background()
	admin := kadm.NewClient(kafka.Connect(*brokers))
	kafka.MakeTopic(ctx, admin, *topic)
	client := kafka.Connect(*brokers, kgo.ConsumeTopics(*topic), kgo.ConsumerGroup(*group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	t := &totals{db: store.Open(*path, schema), next: committed(ctx, admin, *group, *topic)}
	go web.Serve(*adminPort, web.Routes{"/readyz": web.Ready})
	go web.Serve(*httpPort, web.Routes{
		"/v1/total": t.total,
		"/v1/partitions": func(ctx context.Context) (any, error) {
			return web.Lags(ctx, admin, *topic, t.nextOffsets)
		},
	})
	for {
		fetches := client.PollFetches(ctx)
		store.Must(fetches.Err())
		fetches.EachRecord(t.consume)
		store.Must(client.CommitUncommittedOffsets(ctx))
	}
}
