// SPDX-License-Identifier: Apache-2.0

// Package store opens SQLite as Abacus does: write-ahead log, every commit flushed to the disk.
package store

import (
	"database/sql"
	"log"

	_ "github.com/mattn/go-sqlite3" // the driver
)

const modes = "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_cache_size=-2048" +
	"&_txlock=immediate"

// Open makes the file when it is missing. One connection: whoever wants to write waits for it in
// Go, not in SQLite's busy handler.
func Open(path, schema string) *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+path+modes)
	Must(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(schema)
	Must(err)
	return db
}

// Must ends the process on an error: a restart goes on from what the file says.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
