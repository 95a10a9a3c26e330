// SPDX-License-Identifier: Apache-2.0

// Package event is what travels through Kafka, the same message as Abacus sends: CloudEvents in
// binary mode, the source as key.
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	eventType    = "abacus.v1.Added"
	sourcePrefix = "/abacus/adder/"
)

// Event is one sum. (Source, Sequence) names it for ever.
type Event struct {
	Source   string
	Sequence int64
	A, B     int64
	Accepted time.Time
}

type data struct {
	A   int64 `json:"a,string"`
	B   int64 `json:"b,string"`
	Sum int64 `json:"sum,string"`
}

// Record is the event as a message.
func (e *Event) Record() *kgo.Record {
	header := func(key, value string) kgo.RecordHeader {
		return kgo.RecordHeader{Key: key, Value: []byte(value)}
	}
	return &kgo.Record{
		Key:   []byte(e.Source),
		Value: e.value(),
		Headers: []kgo.RecordHeader{
			header("ce_specversion", "1.0"),
			header("ce_id", e.ID()),
			header("ce_source", sourcePrefix+e.Source),
			header("ce_type", eventType),
			header("ce_time", e.Accepted.UTC().Format("2006-01-02T15:04:05.000000Z")),
			header("ce_sequence", fmt.Sprintf("%019d", e.Sequence)),
			header("content-type", "application/json"),
		},
	}
}

// ID is unique among all events.
func (e *Event) ID() string {
	return e.Source + "/" + strconv.FormatInt(e.Sequence, 10)
}

func (e *Event) value() []byte {
	value := make([]byte, 0, 96)
	value = strconv.AppendInt(append(value, `{"a":"`...), e.A, 10)
	value = strconv.AppendInt(append(value, `","b":"`...), e.B, 10)
	value = strconv.AppendInt(append(value, `","sum":"`...), e.A+e.B, 10)
	return append(value, `"}`...)
}

// Read is the way back; an error means that the message is not an event of ours.
func Read(record *kgo.Record) (e Event, err error) {
	for _, header := range record.Headers {
		switch header.Key {
		case "ce_type":
			if string(header.Value) != eventType {
				return e, errors.New("another type of event")
			}
		case "ce_source":
			e.Source = strings.TrimPrefix(string(header.Value), sourcePrefix)
		case "ce_sequence":
			if e.Sequence, err = strconv.ParseInt(string(header.Value), 10, 64); err != nil {
				return e, err
			}
		}
	}
	var d data
	if err = json.Unmarshal(record.Value, &d); err != nil {
		return e, err
	}
	if e.Source == "" || e.Sequence < 1 || d.A+d.B != d.Sum {
		return e, errors.New("not a sum with its name")
	}
	e.A, e.B = d.A, d.B
	return e, nil
}
