# SPDX-License-Identifier: Apache-2.0
"""Can the other boards be believed? What watches the system, watched."""
from expressions import OURS, or_zero
from panels import (AFTER_ERROR, ONLY_ZERO, YES_NO, above, below, board, graph, query, row, stat,
                    timeline)

CHOSEN = 'job=~"$job"'
FAILED = f'error_type!="", {OURS}'


def rate(series, by):
    return f"sum by ({by}) (rate({series}{{{CHOSEN}}}[$__rate_interval]))"


def lost(counter):
    """In the time shown, of both services."""
    return or_zero(f"sum(increase({counter}[$__range]))", "abacus-.+")


BOARD = board(
    "telemetry", "Abacus: telemetry",
    "Spans, logs and metrics are bounded, so they can be lost. What is lost is counted here.",
    row("Lost in the time shown",
        stat("Spans dropped", "The export queue was full: the collector is away or too slow.",
             "0.", "locale", query(lost(f'otel_sdk_processor_span_processed_total{{{FAILED}}}')),
             limits=ONLY_ZERO),
        stat("Spans not taken", "Sent to the collector and refused, or it did not answer.", "0.",
             "locale", query(lost(f'otel_sdk_exporter_span_exported_total{{{FAILED}}}')),
             limits=ONLY_ZERO),
        stat("Log lines left out", "The same place had said so often enough.",
             "0; some in an outage.", "locale", query(lost("abacus_log_suppressed_lines_total")),
             limits=above(1, 1000)),
        stat("Series dropped", "There would have been more than 200 of one metric: mostly too many "
             "sources.", "0.", "locale",
             query(or_zero("sum(abacus_metrics_dropped_series_total)", "abacus-.+")),
             limits=ONLY_ZERO),
        stat("Tracing", "Whether spans are exported: OTEL_TRACES_EXPORTER=otlp or an endpoint is "
             "set.", "as you chose.", "none",
             query(f"min by (job) (otel_sdk_processor_span_queue_capacity{{{CHOSEN}}} > bool 0)",
                   "{{job}}"), words={0: ("off", "blue"), 1: ("on", "green")})),
    row("Traces",
        graph("Spans recorded", "About five an add that is sampled.", "follows the sampled adds.",
              "ops", query(rate("otel_sdk_span_started_total", "job"), "{{job}}")),
        graph("Spans exported", "What the collector took.", "equal to what is recorded.", "ops",
              query("sum by (job) (rate(otel_sdk_exporter_span_exported_total"
                    f'{{error_type="", {CHOSEN}}}[$__rate_interval]))', "{{job}}")),
        graph("Spans lost by reason", "Dropped before, or refused at, the export.", "empty.", "ops",
              query('sum by (job, error_type) (rate(otel_sdk_processor_span_processed_total'
                    f'{{error_type!="", {CHOSEN}}}[$__rate_interval]))', "{{job}} {{error_type}}",
                    AFTER_ERROR),
              query('sum by (job, error_type) (rate(otel_sdk_exporter_span_exported_total'
                    f'{{error_type!="", {CHOSEN}}}[$__rate_interval]))', "{{job}} {{error_type}}",
                    AFTER_ERROR)),
        graph("Export queue", "Full: spans are dropped; requests never wait for it.",
              "far from full.", "percentunit",
              query(f"""max by (job) (otel_sdk_processor_span_queue_size{{{CHOSEN}}}
                  / (otel_sdk_processor_span_queue_capacity{{{CHOSEN}}} > 0))""", "{{job}}"))),
    row("Logs",
        graph("Lines by level", "Errors and warnings explain most of what the other boards show.",
              "info at start and stop; no errors.", "ops",
              query(rate("abacus_log_lines_total", "job, level"), "{{job}} {{level}}"), stack=True),
        graph("Lines left out over time", "A burst at one place.", "0.", "ops",
              query(rate("abacus_log_suppressed_lines_total", "job"), "{{job}}"))),
    row("Metrics",
        timeline("Scraped", "Whether Prometheus reached each process. Gaps here are gaps on every "
                 "board.", "yes, without a gap.", YES_NO,
                 query(f"up{{{CHOSEN}}}", "{{job}} {{instance}}")),
        timeline("Ready over time", "Each condition of /readyz.", "yes, but for the first moment.",
                 YES_NO, query(f"min by (job, condition) (abacus_ready{{{CHOSEN}}})",
                               "{{job}} {{condition}}")),
        graph("Scrape duration", "Making and reading the metrics of one process.",
              "under 20 ms; the limit is 4 s.", "s",
              query(f"scrape_duration_seconds{{{CHOSEN}}}", "{{job}} {{instance}}")),
        graph("Samples a scrape", "Grows with sources, partitions and routes.", "some hundreds.",
              "short", query(f"scrape_samples_scraped{{{CHOSEN}}}", "{{job}} {{instance}}")),
        graph("Requests for metrics", "One each 5 s from each Prometheus.", "0.2 a process.",
              "reqps", query(
                  'sum by (job) (rate(http_server_request_duration_seconds_count'
                  f'{{http_route="/metrics", {CHOSEN}}}[$__rate_interval]))', "{{job}}")),
        stat("Processes reached", "Of those that Prometheus knows.", "100 %.", "percentunit",
             query(f"avg by (job) (up{{{CHOSEN}}})", "{{job}}"), limits=below(0.5, 1))),
    variables=("job",))
