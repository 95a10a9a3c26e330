// SPDX-License-Identifier: Apache-2.0

// The adder as the textbook has it: one transaction an add, an outbox polled each second.
package main

import (
	"context"
	"database/sql"
	"flag"
	"log"
	"net"
	"strconv"
	"sync"
	"time"

	"abacus/bench/peers/api"
	"abacus/bench/peers/event"
	"abacus/bench/peers/kafka"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	pollInterval = time.Second
	pollMax      = 1000 // rows at a time
)

const schema = `
CREATE TABLE IF NOT EXISTS source(id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER NOT NULL, b INTEGER NOT NULL,
  accepted_unix_us INTEGER NOT NULL, published INTEGER NOT NULL DEFAULT FALSE);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox(sequence) WHERE NOT published`

type server struct {
	api.UnimplementedAdderServer
	db *sql.DB
	id string

	mu    sync.Mutex
	known web.Source // what the outbox holds, so that nobody has to count its rows
}

func newServer(path string) *server {
	s := &server{db: store.Open(path, schema)}
	_, err := s.db.Exec("INSERT INTO source SELECT ? WHERE NOT EXISTS (SELECT * FROM source)",
		uuid.NewString())
	store.Must(err)
	store.Must(s.db.QueryRow("SELECT id FROM source").Scan(&s.id))
	s.known.Source = s.id
	store.Must(s.db.QueryRow(
		"SELECT count(*), coalesce(sum(a + b), 0), coalesce(sum(published), 0) FROM outbox").
		Scan(&s.known.Count, &s.known.Sum, &s.known.Published))
	return s
}

// failed says of the client's own deadline that it was that.
func failed(err error) error {
	if ended := status.FromContextError(err); ended.Code() != codes.Unknown {
		return ended.Err()
	}
	return status.Error(codes.Unavailable, err.Error())
}

func (s *server) Add(ctx context.Context, in *api.AddRequest) (*api.AddResponse, error) {
	sum := in.A + in.B
	if (sum > in.A) != (in.B > 0) {
		return nil, status.Error(codes.OutOfRange, "the sum does not fit in 64 bits")
	}
	result, err := s.db.ExecContext(ctx,
		"INSERT INTO outbox(a, b, accepted_unix_us) VALUES(?, ?, ?)",
		in.A, in.B, time.Now().UnixMicro())
	if err != nil {
		return nil, failed(err)
	}
	sequence, err := result.LastInsertId()
	if err != nil {
		return nil, failed(err)
	}
	s.mu.Lock()
	s.known.Count, s.known.Sum = s.known.Count+1, s.known.Sum+sum
	s.mu.Unlock()
	return &api.AddResponse{Sum: sum, Source: s.id, Sequence: sequence}, nil
}

func (s *server) source(context.Context) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, nil
}

// poll sends what waits, until nothing does.
func (s *server) poll(ctx context.Context, client *kgo.Client) error {
	for {
		records, last, err := s.waiting(ctx)
		if err != nil || len(records) == 0 {
			return err
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
		_, err = s.db.ExecContext(ctx,
			"UPDATE outbox SET published = TRUE WHERE NOT published AND sequence <= ?", last)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.known.Published += int64(len(records))
		s.mu.Unlock()
	}
}

func (s *server) waiting(ctx context.Context) (records []*kgo.Record, last int64, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT sequence, a, b, accepted_unix_us FROM outbox"+
		" WHERE NOT published ORDER BY sequence LIMIT ?", pollMax)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		e, unixUs := event.Event{Source: s.id}, int64(0)
		if err := rows.Scan(&e.Sequence, &e.A, &e.B, &unixUs); err != nil {
			return nil, 0, err
		}
		e.Accepted, last = time.UnixMicro(unixUs), e.Sequence
		records = append(records, e.Record())
	}
	return records, last, rows.Err()
}

func main() {
	grpcPort := flag.Int("grpc-port", 50051, "")
	adminPort := flag.Int("admin-port", 9464, "")
	path := flag.String("outbox", "outbox.db", "the SQLite file")
	brokers := flag.String("kafka-bootstrap-servers", "127.0.0.1:9092", "")
	topic := flag.String("kafka-topic", "abacus.sums", "made by totals")
	flag.Parse()
	client := kafka.Connect(*brokers, kgo.DefaultProduceTopic(*topic))
	s := newServer(*path)
	go func() {
		for range time.Tick(pollInterval) {
			if err := s.poll(context.Background(), client); err != nil {
				log.Print(err)
			}
		}
	}()
	go web.Serve(*adminPort, web.Routes{"/readyz": web.Ready, "/source": s.source})
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(*grpcPort))
	store.Must(err)
	rpc := grpc.NewServer()
	api.RegisterAdderServer(rpc, s)
	log.Fatal(rpc.Serve(listener))
}
