# SPDX-License-Identifier: Apache-2.0
"""How long an event takes from acceptance to the total, and where that time goes."""
from expressions import ADD, buckets, mean, or_zero, quantile
from panels import ONLY_ZERO, above, below, board, graph, heatmap, query, row, stat

WHOLE, STAGE = "abacus_delivery_latency_seconds", "abacus_stage_latency_seconds"
CALL = "rpc_server_call_duration_seconds"

STAGES = [
    ("accept_to_commit", "Accepted to durable",
     "The adder's queue and disk: waiting for the batch, then its one flush.",
     "some milliseconds; the disk's flush is its floor."),
    ("commit_to_ack", "Durable to acknowledged by Kafka",
     "The relay and the brokers.", "some milliseconds; more right after Kafka was away."),
    ("broker_to_poll", "In Kafka to taken by totals",
     "The consumer: high when it is behind. Two machines' clocks are compared here.",
     "some milliseconds; the message waits for the batch before it."),
    ("poll_to_commit", "Taken to counted",
     "The ledger's transaction, once for the whole batch.", "some milliseconds."),
]


def quantiles(*wanted):
    return [query(quantile(share, WHOLE), f"p{100 * share:g}") for share in wanted]


BOARD = board(
    "latency", "Abacus: latency A to B",
    "From an add's acceptance to its sum's commit in the ledger. Dots are exemplars: click one to "
    "see the trace of just that add.",
    row("At a glance",
        stat("p50", "Half of all events are counted sooner.", "under 5 ms at 1,000 adds/s.", "s",
             *quantiles(0.5), limits=above(0.1, 1)),
        stat("p95", "19 of 20 are counted sooner.", "under 20 ms at 1,000 adds/s.", "s",
             *quantiles(0.95), limits=above(0.25, 1)),
        stat("p99", "99 of 100 are counted sooner.", "under 20 ms at 1,000 adds/s.", "s",
             *quantiles(0.99), limits=above(0.25, 1)),
        stat("Under 1 s", "The share that meets the promise of freshness.",
             "100 %; promised: 99 %.", "percentunit",
             query("""sum(rate(abacus_delivery_latency_seconds_bucket{le="1.0"}[$__rate_interval]))
                 / sum(rate(abacus_delivery_latency_seconds_count[$__rate_interval]))"""),
             limits=below(0.99, 0.999), opens="abacus-slo"),
        stat("Mean", "All latency by all events: moved by a few very late ones.",
             "close to p50; far above it: a few are stuck.", "s",
             query(mean(WHOLE))),
        stat("Below zero", "Latencies that came out negative, which says that clocks differ.",
             "0. Else set the clocks (NTP): the other figures here are wrong by as much.", "locale",
             query(or_zero("sum(increase(abacus_negative_latency_total[$__range]))",
                           "abacus-totals")), limits=ONLY_ZERO)),
    row("The whole way",
        heatmap("All events by latency",
                "A band that rises is a slower system; a second band above the first is a part of "
                "the events that waits for something.",
                "one narrow band below 20 ms.", "s", buckets(WHOLE)),
        heatmap("Calls of Add by duration",
                "What the caller waits for, which ends when the sum is durable: not part of the "
                "way after that.",
                "one narrow band of some milliseconds.", "s", buckets(CALL, ADD)),
        graph("Quantiles", "The distance between the lines: how evenly events are served.",
              "flat; p99 within ten times of p50.", "s", *quantiles(0.5, 0.95, 0.99),
              log_scale=True),
        graph("Where the time goes", "Mean time in each stage, on top of each other. The one that "
              "grew is the one to look at.",
              "no stage above some milliseconds.", "s",
              query(mean(STAGE, by=("stage",)), "{{stage}}"), stack=True),
        graph("p99 of each stage", "The slow ones, by where they were slow.",
              "none far above the others.", "s",
              query(quantile(0.99, STAGE, by=("stage",)), "{{stage}}"), log_scale=True)),
    row("Stage by stage", *(
        heatmap(title, look, normal, "s", buckets(STAGE, f'stage="{stage}"'))
        for stage, title, look, normal in STAGES)))
