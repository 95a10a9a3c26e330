// SPDX-License-Identifier: Apache-2.0

// Package web answers what `abacus-cli load` and the benchmark ask over HTTP.
package web

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Routes is a document for each path.
type Routes map[string]func(context.Context) (any, error)

// Ready is the route of a process that is.
func Ready(context.Context) (any, error) { return "ready", nil }

// Source is GET /source: the outbox as its adder knows it.
type Source struct {
	Source    string `json:"source"`
	Count     int64  `json:"count,string"`
	Sum       int64  `json:"sum,string"`
	Published int64  `json:"published,string"`
}

// Total is GET /v1/total.
type Total struct {
	Total int64 `json:"total,string"`
	Count int64 `json:"count,string"`
}

// Partitions is GET /v1/partitions.
type Partitions struct {
	Partitions []Partition `json:"partitions"`
}

// Partition says how many events Kafka has that the ledger has not.
type Partition struct {
	Partition int32 `json:"partition"`
	Assigned  bool  `json:"assigned"`
	Lag       int64 `json:"lag,string"`
	EndAgeMs  int64 `json:"end_age_ms,string"` // 0: Kafka is asked each time
}

// Lags compares Kafka's ends, asked now, with what the ledger wants next.
func Lags(ctx context.Context, admin *kadm.Client, topic string,
	next func() map[int32]int64) (any, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	var all Partitions
	read := next()
	ends.Each(func(end kadm.ListedOffset) {
		lag := max(end.Offset-read[end.Partition], 0)
		all.Partitions = append(all.Partitions, Partition{end.Partition, true, lag, 0})
	})
	return all, nil
}

// Serve blocks.
func Serve(port int, routes Routes) {
	mux := http.NewServeMux()
	for path, document := range routes {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := document(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // fails when the client has left
		})
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+strconv.Itoa(port), mux))
}
