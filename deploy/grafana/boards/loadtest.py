# SPDX-License-Identifier: Apache-2.0
"""One window for a load test: what k6's users see, and what the services see, do and cost."""
from expressions import ADD, OURS, buckets, mean, rates
from panels import AFTER_ERROR, WITH_K6, board, graph, heatmap, query, row, text

HOW = """
Start a load: `./abacus k6 list`; docs/load.md tells how to read it. Without k6 (`./abacus load`)
its row stays empty. Then read from left to right and from top to bottom.

* **The knee**: raise the load step by step. As long as *counted* follows *arriving*, latency is
  flat. Beyond the knee *arriving* goes on, *counted* does not, and what waits grows.
* **Who is the limit?** Adds wait for the disk: the outbox. The backlog grows: relay or Kafka. The
  lag grows: totals. None of them, and CPU is at all cores: the machine.
* **Shed load** is no failure of the test: a bounded queue that refuses is what keeps latency and
  memory flat.
"""


def k6_quantiles(metric):
    return [query(f"max(k6_{metric}_{stat})", stat, WITH_K6) for stat in ("p50", "p95", "p99")]


def k6_rate(counter, legend):
    return query(f"sum(rate(k6_{counter}_total[$__rate_interval]))", legend, WITH_K6)


BOARD = board(
    "loadtest", "Abacus: load test",
    "Everything that matters while a load runs, in one window.",
    row("What k6's users see",
        graph("Users", "As many as the script asks for. An open load takes more of them when "
              "answers come late.", "as the script says.", "short",
              query("sum(k6_vus)", "at work", WITH_K6),
              query("sum(k6_vus_max)", "there", WITH_K6)),
        graph("Adds and reads answered", "Beside it, what the services say: a difference is calls "
              "that k6 did not count as right.", "as arriving, below.", "ops",
              k6_rate("adds", "adds"), k6_rate("reads", "reads")),
        graph("Share of failed calls", "No answer, or a wrong one. What is refused because a queue "
              "is full is not among them.", "0.", "percentunit",
              query("max(k6_adds_failed_rate)", "adds", WITH_K6),
              query("max(k6_reads_failed_rate)", "reads", WITH_K6)),
        graph("An add, as users wait for it", "Longer than what the service says of itself below: "
              "the difference is network, and k6 itself when it is short of CPU.",
              "p95 under 20 ms below the knee.", "s", *k6_quantiles("grpc_req_duration")),
        graph("A read, as users wait for it", "The same for REST.",
              "p95 under 20 ms below the knee.", "s", *k6_quantiles("http_req_duration"))),
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
