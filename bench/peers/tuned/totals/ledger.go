// SPDX-License-Identifier: Apache-2.0
package main

import (
	"database/sql"
	"log"
	"maps"
	"sync"

	"abacus/bench/peers/event"
	"abacus/bench/peers/kafka"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/twmb/franz-go/pkg/kgo"
)

const schema = `
CREATE TABLE IF NOT EXISTS source(
  id TEXT PRIMARY KEY, highest INTEGER NOT NULL, count INTEGER NOT NULL, sum INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partition(partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL)`

// position is how far a source is counted.
type position struct{ highest, count, sum int64 }

// ledger keeps all of it in memory too; memory follows the file.
type ledger struct {
	db         *sql.DB
	sources    map[string]*position
	mu         sync.Mutex // for what the web reads
	nextOffset map[int32]int64
	shown      web.Total
}

func openLedger(path string) *ledger {
	l := &ledger{
		db:         store.Open(path, schema),
		sources:    map[string]*position{},
		nextOffset: map[int32]int64{},
	}
	l.load()
	for p := int32(0); p < kafka.Partitions; p++ {
		l.nextOffset[p] += 0
	}
	return l
}

func (l *ledger) load() {
	rows, err := l.db.Query("SELECT id, highest, count, sum FROM source")
	store.Must(err)
	for rows.Next() {
		id, p := "", position{}
		store.Must(rows.Scan(&id, &p.highest, &p.count, &p.sum))
		l.sources[id] = &p
		l.shown.Count, l.shown.Total = l.shown.Count+p.count, l.shown.Total+p.sum
	}
	store.Must(rows.Err())
	rows, err = l.db.Query("SELECT partition, next_offset FROM partition")
	store.Must(err)
	for rows.Next() {
		var partition int32
		var next int64
		store.Must(rows.Scan(&partition, &next))
		l.nextOffset[partition] = next
	}
	store.Must(rows.Err())
}

// apply counts each event once, all in one transaction.
func (l *ledger) apply(records []*kgo.Record) {
	touched, next, total := map[string]*position{}, map[int32]int64{}, l.shown
	for _, record := range records {
		next[record.Partition] = record.Offset + 1
		e, err := event.Read(record)
		if err != nil {
			log.Printf("offset %d: %v", record.Offset, err)
			continue
		}
		p := l.sources[e.Source]
		if p == nil {
			p = &position{}
			l.sources[e.Source] = p
		}
		if e.Sequence <= p.highest { // a repeat
			continue
		}
		sum := e.A + e.B
		p.highest, p.count, p.sum = e.Sequence, p.count+1, p.sum+sum
		total.Count, total.Total = total.Count+1, total.Total+sum
		touched[e.Source] = p
	}
	l.commit(touched, next)
	l.mu.Lock()
	maps.Copy(l.nextOffset, next)
	l.shown = total
	l.mu.Unlock()
}

func (l *ledger) commit(touched map[string]*position, next map[int32]int64) {
	tx, err := l.db.Begin()
	store.Must(err)
	for id, p := range touched {
		_, err = tx.Exec("REPLACE INTO source VALUES(?, ?, ?, ?)", id, p.highest, p.count, p.sum)
		store.Must(err)
	}
	for partition, offset := range next {
		_, err = tx.Exec("REPLACE INTO partition VALUES(?, ?)", partition, offset)
		store.Must(err)
	}
	store.Must(tx.Commit())
}

func (l *ledger) total() web.Total {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown
}

func (l *ledger) next() map[int32]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.nextOffset)
}
