// SPDX-License-Identifier: Apache-2.0

// The adder as an experienced Go team would build it: grpc-go, group commit, a pipelined relay.
// Whatever fails ends the process; a restart goes on from what the outbox says.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"strconv"
	"time"

	"abacus/bench/peers/api"
	"abacus/bench/peers/kafka"
	"abacus/bench/peers/store"
	"abacus/bench/peers/web"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Calls wait for the disk on them; a goroutine made for each call costs a tenth more.
const streamWorkers = 512

type server struct {
	api.UnimplementedAdderServer
	outbox *outbox
}

func (s *server) Add(ctx context.Context, in *api.AddRequest) (*api.AddResponse, error) {
	sum := in.A + in.B
	if (sum > in.A) != (in.B > 0) {
		return nil, status.Error(codes.OutOfRange, "the sum does not fit in 64 bits")
	}
	sequence, err := s.outbox.add(ctx, in.A, in.B)
	if errors.Is(err, errQueueFull) {
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	}
	if err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return &api.AddResponse{Sum: sum, Source: s.outbox.id, Sequence: sequence}, nil
}

// relay publishes in order and without holes: the client is idempotent, asks all replicas and
// tries for ever; every event has the same key and so goes to one partition.
func relay(o *outbox, client *kgo.Client) {
	for sent := o.published.Load(); ; {
		events := o.read(sent)
		if len(events) == 0 {
			<-o.committed
			continue
		}
		for i := range events {
			sent = events[i].Sequence
			sequence := sent
			client.Produce(context.Background(), events[i].Record(), func(_ *kgo.Record, err error) {
				store.Must(err)
				o.published.Store(sequence)
			})
		}
	}
}

func main() {
	grpcPort := flag.Int("grpc-port", 50051, "")
	adminPort := flag.Int("admin-port", 9464, "")
	path := flag.String("outbox", "outbox.db", "the SQLite file")
	brokers := flag.String("kafka-bootstrap-servers", "127.0.0.1:9092", "")
	topic := flag.String("kafka-topic", "abacus.sums", "made by totals")
	flag.Parse()
	client := kafka.Connect(*brokers,
		kgo.DefaultProduceTopic(*topic),
		kgo.ProducerLinger(time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	o := openOutbox(*path)
	go o.write()
	go relay(o, client)
	go web.Serve(*adminPort, web.Routes{"/readyz": web.Ready, "/source": o.source})
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(*grpcPort))
	store.Must(err)
	s := grpc.NewServer(
		grpc.NumStreamWorkers(streamWorkers),
		grpc.SharedWriteBuffer(true))
	api.RegisterAdderServer(s, &server{outbox: o})
	log.Fatal(s.Serve(listener))
}
