// SPDX-License-Identifier: Apache-2.0
// Every metric there is, one row each: what the programs expose, docs/metrics.md (made from this
// table) and the dashboards rest on it. Names others know come from OpenTelemetry's semantic
// conventions 1.44, as Prometheus spells them; what is only ours begins with abacus_.
//
//   METRIC(ID, kind, who, name, unit, constant labels, labels in order, buckets, help)
//
//   kind      COUNTER, GAUGE, HISTOGRAM
//   who       ADDER, TOTALS, BOTH
//   name      as exposed, but a counter without its _total
//   unit      SECONDS (recorded in nanoseconds), BYTES, NONE
//   constant  labels of every series, in exposition form
//   labels    names separated by blanks; a series gives one value for each, "" leaves it out
//   buckets   of a histogram: FAST (latency A to B), CALL (requests), STORE, SIZE; else NO
//
// Included several times with another METRIC, hence no guard.

// --- gRPC and HTTP ---
METRIC(RPC_DURATION, HISTOGRAM, ADDER, "rpc_server_call_duration_seconds", SECONDS,
       "rpc_system_name=\"grpc\"", "rpc_method rpc_response_status_code error_type", CALL,
       "Calls by method and status: from the request's headers to the end of its stream.")
METRIC(GRPC_CONNECTIONS, GAUGE, ADDER, "abacus_grpc_connections", NONE, "", "", NO,
       "Open gRPC connections.")
METRIC(GRPC_CALLS, GAUGE, ADDER, "abacus_grpc_calls", NONE, "", "", NO,
       "Calls in flight: open HTTP/2 streams.")
METRIC(HTTP_DURATION, HISTOGRAM, BOTH, "http_server_request_duration_seconds", SECONDS,
       "url_scheme=\"http\"", "http_request_method http_route http_response_status_code error_type",
       CALL, "HTTP requests by route and status, REST and admin; a stream counts when it ends.")
METRIC(HTTP_CONNECTIONS, GAUGE, BOTH, "abacus_http_connections", NONE, "", "server", NO,
       "Open HTTP connections, by server: rest or admin.")
METRIC(SSE_CLIENTS, GAUGE, TOTALS, "abacus_sse_clients", NONE, "", "", NO,
       "Clients that follow /v1/total/stream.")

// --- the way of an event ---
METRIC(DELIVERY_LATENCY, HISTOGRAM, TOTALS, "abacus_delivery_latency_seconds", SECONDS, "", "",
       FAST, "From an add's acceptance to its sum's commit in the ledger, of each event applied.")
METRIC(STAGE_LATENCY, HISTOGRAM, BOTH, "abacus_stage_latency_seconds", SECONDS, "", "stage", FAST,
       "The same way in its stages: accept_to_commit, commit_to_ack (adder); broker_to_poll, "
       "poll_to_commit (totals).")
METRIC(NEGATIVE_LATENCY, COUNTER, TOTALS, "abacus_negative_latency", NONE, "", "stage", NO,
       "Latencies below zero, which say that clocks differ: not in the histograms. Stage: "
       "broker_to_poll or delivery.")

// --- outbox ---
METRIC(OUTBOX_APPENDED, COUNTER, ADDER, "abacus_outbox_appended", NONE, "", "source", NO,
       "Sums ever committed to this outbox: its last sequence. It outlives restarts.")
METRIC(OUTBOX_PUBLISHED, COUNTER, ADDER, "abacus_outbox_published", NONE, "", "source", NO,
       "All up to this sequence is acknowledged by Kafka. Only a replay moves it back.")
METRIC(OUTBOX_BACKLOG, GAUGE, ADDER, "abacus_outbox_backlog_events", NONE, "", "", NO,
       "Sums that are committed and not yet acknowledged by Kafka.")
METRIC(OUTBOX_BACKLOG_LIMIT, GAUGE, ADDER, "abacus_outbox_backlog_limit_events", NONE, "", "", NO,
       "So many are allowed before adds are refused; 0: no limit.")
METRIC(OUTBOX_OLDEST_AGE, GAUGE, ADDER, "abacus_outbox_oldest_age_seconds", SECONDS, "", "", NO,
       "How long ago the oldest of them was accepted; 0 when there is none.")
METRIC(WRITER_QUEUE, GAUGE, ADDER, "abacus_writer_queue_adds", NONE, "", "", NO,
       "Adds that wait for the disk.")
METRIC(WRITER_QUEUE_LIMIT, GAUGE, ADDER, "abacus_writer_queue_limit_adds", NONE, "", "", NO,
       "So many may wait now, by how long commits take, before more are refused.")
METRIC(WRITER_BATCH, HISTOGRAM, ADDER, "abacus_writer_batch_adds", NONE, "", "", SIZE,
       "Adds a transaction: group commit at work.")
METRIC(
    WRITER_REFUSED, COUNTER, ADDER, "abacus_writer_refused", NONE, "", "reason", NO,
    "Adds refused. Reason: queue_full, backlog_full, expired: nothing is written; outbox_failed: "
    "nothing, or nobody knows.")
METRIC(ADDS, COUNTER, ADDER, "abacus_adds", NONE, "", "outcome", NO,
       "Adds that reached the outbox. Outcome: appended, repeated (a request id again), conflict.")

// --- stores ---
METRIC(DB_DURATION, HISTOGRAM, BOTH, "db_client_operation_duration_seconds", SECONDS,
       "db_system_name=\"sqlite\"", "db_collection_name db_operation_name error_type", STORE,
       "Transactions of the outbox (INSERT: a batch of adds; DELETE: tending) and of the ledger "
       "(UPDATE), to durable.")
METRIC(STORE_FILE, GAUGE, BOTH, "abacus_store_file_bytes", BYTES, "", "store", NO,
       "Size of the database file, by store: outbox or ledger.")
METRIC(STORE_WAL, GAUGE, BOTH, "abacus_store_wal_bytes", BYTES, "", "store", NO,
       "Size of its write-ahead log.")
METRIC(STORE_DISK_FREE, GAUGE, BOTH, "abacus_store_disk_free_bytes", BYTES, "", "store", NO,
       "What is left of the disk under it.")
METRIC(STORE_DISK_SIZE, GAUGE, BOTH, "abacus_store_disk_size_bytes", BYTES, "", "store", NO,
       "The size of that disk.")

// --- relay ---
METRIC(SENT_MESSAGES, COUNTER, ADDER, "messaging_client_sent_messages", NONE,
       "messaging_operation_name=\"send\",messaging_system=\"kafka\"",
       "messaging_destination_name error_type", NO,
       "Events handed to Kafka and acknowledged, or (error_type) not.")
METRIC(SEND_DURATION, HISTOGRAM, ADDER, "messaging_client_operation_duration_seconds", SECONDS,
       "messaging_operation_name=\"send\",messaging_operation_type=\"send\",messaging_system="
       "\"kafka\"",
       "messaging_destination_name", FAST,
       "From handing an event to the producer to its acknowledgement.")
METRIC(RELAY_CONNECTED, GAUGE, ADDER, "abacus_relay_connected", NONE, "", "", NO,
       "1 while Kafka takes what the relay sends.")
METRIC(RELAY_IN_FLIGHT, GAUGE, ADDER, "abacus_relay_in_flight_events", NONE, "", "", NO,
       "Sent and not yet acknowledged.")
METRIC(RELAY_BATCH, HISTOGRAM, ADDER, "abacus_relay_batch_events", NONE, "", "", SIZE,
       "Rows the relay read from the outbox at a time.")
METRIC(RELAY_RESTARTS, COUNTER, ADDER, "abacus_relay_restarts", NONE, "", "error_type", NO,
       "Times the relay gave its producer up and began again at what is published, by cause.")
METRIC(KAFKA_ERRORS, COUNTER, BOTH, "abacus_kafka_errors", NONE, "", "client error_type", NO,
       "Errors that librdkafka reported, by client (producer, consumer) and librdkafka's name for "
       "them.")

// --- consumer ---
METRIC(CONSUMED_MESSAGES, COUNTER, TOTALS, "messaging_client_consumed_messages", NONE,
       "messaging_operation_name=\"poll\",messaging_system=\"kafka\"",
       "messaging_destination_name messaging_consumer_group_name", NO,
       "Messages taken from Kafka, also those that came twice.")
METRIC(PROCESS_DURATION, HISTOGRAM, TOTALS, "messaging_process_duration_seconds", SECONDS,
       "messaging_operation_name=\"process\",messaging_system=\"kafka\"",
       "messaging_destination_name messaging_consumer_group_name error_type", STORE,
       "From taking a batch in hand to its commit in the ledger, or (error_type) to the failure.")
METRIC(CONSUMER_BATCH, HISTOGRAM, TOTALS, "abacus_consumer_batch_events", NONE, "", "", SIZE,
       "Messages a ledger transaction.")
METRIC(CONSUMER_LAG_EVENTS, GAUGE, TOTALS, "abacus_consumer_lag_events", NONE, "", "partition", NO,
       "Messages in Kafka that the ledger does not have yet.")
METRIC(CONSUMER_LAG, GAUGE, TOTALS, "abacus_consumer_lag_seconds", SECONDS, "", "partition", NO,
       "How long ago the partition ended where the ledger is now; 0 when nothing is behind.")
METRIC(CONSUMER_PARTITIONS, GAUGE, TOTALS, "abacus_consumer_assigned_partitions", NONE, "", "", NO,
       "Partitions that the group gave to this consumer.")
METRIC(CONSUMER_REBALANCES, COUNTER, TOTALS, "abacus_consumer_rebalances", NONE, "", "kind", NO,
       "Rebalances: assigned or revoked.")

// --- ledger ---
METRIC(LEDGER_APPLIED, COUNTER, TOTALS, "abacus_ledger_applied", NONE, "", "source", NO,
       "Events in the total, each once. It outlives restarts.")
METRIC(LEDGER_HIGHEST, GAUGE, TOTALS, "abacus_ledger_highest_sequence", NONE, "", "source", NO,
       "The highest sequence applied: with nothing missing, equal to what was applied.")
METRIC(LEDGER_DUPLICATES, COUNTER, TOTALS, "abacus_ledger_duplicates", NONE, "", "source", NO,
       "Events that came again and were dropped.")
METRIC(LEDGER_MISSING, GAUGE, TOTALS, "abacus_ledger_missing_events", NONE, "", "source", NO,
       "Events below the highest that never came: lost upstream, or late.")
METRIC(
    LEDGER_SOURCES, GAUGE, TOTALS, "abacus_ledger_sources", NONE, "", "", NO,
    "Outboxes ever heard of; only the first 100 have series of their own, the rest are \"other\".")
METRIC(LEDGER_DEAD_LETTERS, COUNTER, TOTALS, "abacus_ledger_dead_letters", NONE, "", "partition",
       NO, "Messages that were no event of ours and went to the dead-letter topic.")

// --- the process, and telemetry itself ---
METRIC(READY, GAUGE, BOTH, "abacus_ready", NONE, "", "condition", NO,
       "1 for each condition of /readyz that holds.")
METRIC(LOG_LINES, COUNTER, BOTH, "abacus_log_lines", NONE, "", "level", NO, "Lines logged.")
METRIC(LOG_SUPPRESSED, COUNTER, BOTH, "abacus_log_suppressed_lines", NONE, "", "", NO,
       "Lines left out because the same place had said so often enough.")
METRIC(SERIES_DROPPED, COUNTER, BOTH, "abacus_metrics_dropped_series", NONE, "", "", NO,
       "Series that were not made because there would be too many.")
METRIC(SPANS_STARTED, COUNTER, BOTH, "otel_sdk_span_started", NONE, "", "", NO, "Spans recorded.")
METRIC(SPANS_PROCESSED, COUNTER, BOTH, "otel_sdk_processor_span_processed", NONE, "", "error_type",
       NO, "Spans taken for export, or (queue_full) dropped.")
METRIC(SPAN_QUEUE, GAUGE, BOTH, "otel_sdk_processor_span_queue_size", NONE, "", "", NO,
       "Spans that wait for export.")
METRIC(SPAN_QUEUE_CAPACITY, GAUGE, BOTH, "otel_sdk_processor_span_queue_capacity", NONE, "", "", NO,
       "So many may wait; 0: tracing is off.")
METRIC(SPANS_EXPORTED, COUNTER, BOTH, "otel_sdk_exporter_span_exported", NONE, "", "error_type", NO,
       "Spans the collector took, or (error_type) not.")
METRIC(PROCESS_CPU, COUNTER, BOTH, "process_cpu_time_seconds", SECONDS, "", "cpu_mode", NO,
       "Processor time, by mode: user or system.")
METRIC(PROCESS_MEMORY, GAUGE, BOTH, "process_memory_usage_bytes", BYTES, "", "", NO,
       "Resident memory.")
METRIC(PROCESS_MEMORY_PEAK, GAUGE, BOTH, "abacus_process_memory_peak_bytes", BYTES, "", "", NO,
       "The most it ever was.")
METRIC(PROCESS_FILES, GAUGE, BOTH, "process_unix_file_descriptor_count", NONE, "", "", NO,
       "Open file descriptors.")
METRIC(PROCESS_FILES_LIMIT, GAUGE, BOTH, "abacus_process_file_descriptor_limit", NONE, "", "", NO,
       "So many may be open.")
METRIC(PROCESS_THREADS, GAUGE, BOTH, "process_thread_count", NONE, "", "", NO, "Threads.")
METRIC(PROCESS_UPTIME, GAUGE, BOTH, "process_uptime_seconds", SECONDS, "", "", NO,
       "Since the start.")
METRIC(PROCESS_FAULTS, COUNTER, BOTH, "process_paging_faults", NONE, "", "system_paging_fault_type",
       NO, "Page faults: minor or major.")
METRIC(PROCESS_SWITCHES, COUNTER, BOTH, "process_context_switches", NONE, "",
       "process_context_switch_type", NO, "Context switches: voluntary or involuntary.")
