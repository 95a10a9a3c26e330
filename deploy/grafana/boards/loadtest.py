# SPDX-License-Identifier: Apache-2.0
"""One window for a load test, as the services see it: what arrives, what is done, what it costs."""
from expressions import ADD, OURS, buckets, mean, rates
from panels import AFTER_ERROR, board, graph, heatmap, query, row, text

HOW = """
Start a load: `./abacus load --help`. Then read from left to right and from top to bottom.

* **The knee**: raise the load step by step. As long as *counted* follows *arriving*, latency is
  flat. Beyond the knee *arriving* goes on, *counted* does not, and what waits grows.
* **Who is the limit?** Adds wait for the disk: the outbox. The backlog grows: relay or Kafka. The
  lag grows: totals. None of them, and CPU is at all cores: the machine.
* **Shed load** is no failure of the test: a bounded queue that refuses is what keeps latency and
  memory flat.
"""


BOARD = board(
    "loadtest", "Abacus: load test",
    "Everything that matters while a load runs, in one window.",
    row("Rate",
        graph("Arriving, acknowledged, counted", "Where the lines part is the bottleneck.",
              "on each other below the knee.", "ops",
              query(rates("rpc_server_call_duration_seconds_count", ADD), "arriving"),
              query(rates("abacus_adds_total", 'outcome="appended"'), "acknowledged"),
              query(rates("abacus_outbox_published_total"), "published"),
              query(rates("abacus_ledger_applied_total"), "counted")),
        graph("Shed load", "Adds refused at once because a queue was full, and calls that failed.",
              "empty below the knee.", "ops",
              query("sum by (reason) (rate(abacus_writer_refused_total[$__rate_interval]))",
                    "refused: {{reason}}", AFTER_ERROR),
              query("sum by (rpc_response_status_code) "
                    f"(rate(rpc_server_call_duration_seconds_count{{{ADD}, "
                    'rpc_response_status_code!="OK"}[$__rate_interval]))',
                    "{{rpc_response_status_code}}", AFTER_ERROR)),
        graph("Calls in flight", "A closed load (fixed callers) keeps it constant; an open one "
              "lets it rise beyond the knee.", "calls/s times duration.", "short",
              query("sum(abacus_grpc_calls)", "calls in flight"),
              query("sum(abacus_grpc_connections)", "connections"))),
    row("Latency",
        heatmap("A to B during the load", "The band rises when something is full.",
                "under 20 ms below the knee.", "s",
                buckets("abacus_delivery_latency_seconds")),
        heatmap("Add during the load", "What callers wait.", "under 20 ms below the knee.", "s",
                buckets("rpc_server_call_duration_seconds", ADD))),
    row("What waits",
        graph("Waiting for the disk", "Adds between the calls and the writer.", "about one batch.",
              "short", query("sum(abacus_writer_queue_adds)", "adds")),
        graph("Waiting for Kafka", "The backlog of all outboxes.", "near 0.", "short",
              query("sum(abacus_outbox_backlog_events)", "events")),
        graph("Waiting for totals", "The lag of all partitions.", "about one batch.", "short",
              query("sum(abacus_consumer_lag_events)", "events"))),
    row("Cost",
        graph("CPU of each service", "100 % is one core. What the load generator takes is missing "
              "here.", "follows the load up to the machine's cores.", "percentunit",
              query(rates("process_cpu_time_seconds_total", OURS, ("job",)), "{{job}}"),
              stack=True),
        graph("Memory of each service", "Bounded by design: it must not follow the backlog.",
              "under 20 MB a service.", "bytes",
              query(f"sum by (job) (process_memory_usage_bytes{{{OURS}}})", "{{job}}")),
        graph("Events in one transaction", "Batches grow with the load; that is why the cost of an "
              "add falls.", "grows with the load.", "short",
              query(mean("abacus_writer_batch_adds"), "outbox"),
              query(mean("abacus_consumer_batch_events"), "ledger"), log_scale=True)),
    row("How to read this", text("Finding the knee", HOW)))
