// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"abacus/bench/peers/event"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/google/uuid"
)

const (
	queueMax = 16384 // adds that may wait for the disk
	batchMax = 1024  // adds in one transaction
	readMax  = 1024  // rows the relay reads at a time
)

const schema = `
CREATE TABLE IF NOT EXISTS source(
  id TEXT NOT NULL, appended INTEGER NOT NULL, published INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outbox(
  sequence INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL,
  accepted_unix_us INTEGER NOT NULL)`

var errQueueFull = errors.New("too many adds wait for the disk")

// add is one call that waits for its commit.
type add struct {
	a, b     int64
	accepted time.Time
	sequence chan int64
}

// outbox commits whatever adds have queued up as one transaction.
type outbox struct {
	id        string
	db        *sql.DB
	begin     *sql.Stmt
	insert    *sql.Stmt
	update    *sql.Stmt
	commit    *sql.Stmt
	after     *sql.Stmt // on the relay's own connection
	queue     chan *add
	committed chan struct{} // holds one word: there is something to relay
	published atomic.Int64

	mu            sync.Mutex
	appended, sum int64
}

func prepare(db *sql.DB, text string) *sql.Stmt {
	stmt, err := db.Prepare(text)
	store.Must(err)
	return stmt
}

func openOutbox(path string) *outbox {
	db, reader := store.Open(path, schema), store.Open(path, "")
	o := &outbox{
		db:    db,
		begin: prepare(db, "BEGIN IMMEDIATE"),
		insert: prepare(db, "INSERT INTO outbox(sequence, a, b, accepted_unix_us)"+
			" VALUES(?, ?, ?, ?)"),
		update: prepare(db, "UPDATE source SET appended = ?, published = ?, sum = ?"),
		commit: prepare(db, "COMMIT"),
		after: prepare(reader, "SELECT sequence, a, b, accepted_unix_us FROM outbox"+
			" WHERE sequence > ? LIMIT ?"),
		queue:     make(chan *add, queueMax),
		committed: make(chan struct{}, 1),
	}
	_, err := db.Exec("INSERT INTO source SELECT ?, 0, 0, 0 WHERE NOT EXISTS (SELECT * FROM source)",
		uuid.NewString())
	store.Must(err)
	var published int64
	store.Must(db.QueryRow("SELECT id, appended, published, sum FROM source").
		Scan(&o.id, &o.appended, &published, &o.sum))
	o.published.Store(published)
	return o
}

// add returns the sequence once the sum survives power loss.
func (o *outbox) add(ctx context.Context, a, b int64) (int64, error) {
	job := &add{a: a, b: b, accepted: time.Now(), sequence: make(chan int64, 1)}
	select {
	case o.queue <- job:
	default:
		return 0, errQueueFull
	}
	select {
	case sequence := <-job.sequence:
		return sequence, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// write is the one goroutine that commits.
func (o *outbox) write() {
	batch := make([]*add, 0, batchMax)
	for first := range o.queue {
		batch = append(batch[:0], first)
		for len(batch) < batchMax && len(o.queue) > 0 {
			batch = append(batch, <-o.queue)
		}
		sequence := o.append(batch)
		for _, job := range batch {
			sequence++
			job.sequence <- sequence
		}
		select {
		case o.committed <- struct{}{}:
		default:
		}
	}
}

// append returns the sequence before the batch's first.
func (o *outbox) append(batch []*add) int64 {
	before, sum := o.appended, o.sum
	run(o.begin)
	for i, job := range batch {
		sum += job.a + job.b
		run(o.insert, before+int64(i)+1, job.a, job.b, job.accepted.UnixMicro())
	}
	run(o.update, before+int64(len(batch)), o.published.Load(), sum)
	run(o.commit)
	o.mu.Lock()
	o.appended, o.sum = before+int64(len(batch)), sum
	o.mu.Unlock()
	return before
}

func run(stmt *sql.Stmt, args ...any) {
	_, err := stmt.Exec(args...)
	store.Must(err)
}

// read returns the events after that sequence, some of them at a time.
func (o *outbox) read(after int64) (events []event.Event) {
	rows, err := o.after.Query(after, readMax)
	store.Must(err)
	defer rows.Close()
	for rows.Next() {
		e, unixUs := event.Event{Source: o.id}, int64(0)
		store.Must(rows.Scan(&e.Sequence, &e.A, &e.B, &unixUs))
		e.Accepted = time.UnixMicro(unixUs)
		events = append(events, e)
	}
	store.Must(rows.Err())
	return events
}

func (o *outbox) source(context.Context) (any, error) {
	published := o.published.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	return web.Source{Source: o.id, Count: o.appended, Sum: o.sum, Published: published}, nil
}
