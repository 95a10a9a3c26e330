# SPDX-License-Identifier: Apache-2.0
"""The first look: is all well, and if not, which board says more?"""
from expressions import ADD, failed_adds, or_zero, quantile, waiting_long
from panels import (AFTER_ERROR, ONLY_ZERO, YES_NO, Column, above, below, board, graph, query, row,
                    stat, table, text)

LATENCY = "abacus_delivery_latency_seconds"

NEXT = """
| you see | open |
|---|---|
| failed adds, slow answers | [gRPC and REST](/d/abacus-rpc), then the trace behind a dot |
| latency A to B is up | [Latency A to B](/d/abacus-latency): which stage grew? |
| what waits grows | [Outbox and Kafka](/d/abacus-pipeline): backlog (relay) or lag (totals)? |
| missing or dead letters | [Correctness](/d/abacus-correctness), then `./abacus check` |
| not ready | the timeline of conditions below; `curl ADMIN/readyz` gives the reason |
| an alert | its runbook in docs/runbooks, one file for each alert |
| a board is empty | [Telemetry](/d/abacus-telemetry): is anything scraped? |
"""

BOARD = board(
    "overview", "Abacus: overview",
    "Is all well? Adds come in, sums go out, and both sides agree.",
    row("Is all well?",
        stat("Adds", "Sums made durable each second, of all adders.",
             "what your callers send; 0 only when nobody calls.", "ops",
             query('sum(rate(abacus_adds_total{outcome="appended"}[$__rate_interval]))'),
             opens="abacus-rpc"),
        stat("Failed adds", "The share of adds that failed by our fault: errors, and refusals "
             "because a queue was full.", "0; promised: under 0.1 %.", "percentunit",
             query(f"""({failed_adds("rate", "$__rate_interval")})
                 / sum(rate(rpc_server_call_duration_seconds_count{{{ADD}}}[$__rate_interval]))"""),
             limits=above(0.0001, 0.001), opens="abacus-rpc"),
        stat("A to B, p99", "99 of 100 events are counted sooner than this after their acceptance.",
             "under 20 ms at moderate load, under 1 s always.", "s",
             query(quantile(0.99, LATENCY)), limits=above(0.25, 1), opens="abacus-latency"),
        stat("Acknowledged, not counted",
             "Sums that callers have had for 30 s or longer and that the total lacks.",
             "0, also under full load. It grows while Kafka or totals is away.", "short",
             query(f"sum({waiting_long()})"), limits=above(1, 1000), opens="abacus-correctness"),
        stat("Lag", "How long ago the ledger's place in Kafka was the end, on the worst partition. "
             "No data: totals has no partition, or Kafka does not say where it ends.",
             "under 1 s.", "s", query("max(abacus_consumer_lag_seconds)"),
             limits=above(1, 10), opens="abacus-pipeline"),
        stat("Counted", "Events in the total, each once, since the ledger was made.",
             "grows; never falls.", "locale", query("sum(abacus_ledger_applied_total)")),
        stat("Missing", "Events below a source's highest that never reached the ledger.",
             "0. Anything else is loss upstream, or an event that is late.", "locale",
             query("sum(abacus_ledger_missing_events)"),
             limits=ONLY_ZERO, opens="abacus-correctness"),
        stat("Dead letters", "Messages that were no event of ours.", "0.", "locale",
             query(or_zero("sum(abacus_ledger_dead_letters_total)", "abacus-totals")),
             limits=ONLY_ZERO, opens="abacus-correctness"),
        stat("Ready", "Whether each service can do its job.", "yes, both.", "none",
             query("min by (job) (abacus_ready)", "{{job}}"), limits=below(1, 1), words=YES_NO),
        stat("Scraped", "How many processes of each service Prometheus reaches.",
             "as many as you started.", "none",
             query('sum by (job) (up{job=~"abacus-.+"})', "{{job}}"), limits=below(1, 1),
             opens="abacus-telemetry"),
        stat("Firing alerts", "Alerts that fire now; the table below names them.", "0.", "none",
             query('count(ALERTS{alertstate="firing"}) or vector(0)'), limits=ONLY_ZERO),
        stat("Version", "What runs. Two versions of one service: a roll-out, perhaps a stuck one.",
             "one version a service.", "none",
             query('count by (job, service_version) (target_info{job=~"abacus-.+"})',
                   "{{job}} {{service_version}}"), show_names=True)),
    row("The last minutes",
        graph("Accepted, published, counted",
              "The same events at three places. Where two lines part, something piles up between "
              "them: the outbox, or Kafka.",
              "the three lie on each other.", "cps",
              query("sum(rate(abacus_outbox_appended_total[$__rate_interval]))", "accepted"),
              query("sum(rate(abacus_outbox_published_total[$__rate_interval]))", "published"),
              query("sum(rate(abacus_ledger_applied_total[$__rate_interval]))", "counted")),
        graph("Latency A to B", "Acceptance to commit in the ledger; dots are traces.",
              "p99 under 20 ms at moderate load.", "s",
              query(quantile(0.5, LATENCY), "p50"), query(quantile(0.99, LATENCY), "p99")),
        graph("What waits", "Events in the outboxes, and in Kafka not yet in the ledger.",
              "near 0; a peak that falls again is a burst or a restart.", "short",
              query("sum(abacus_outbox_backlog_events)", "in the outboxes"),
              query("sum(abacus_consumer_lag_events)", "in Kafka"))),
    row("Alerts and what to do next",
        table("Firing alerts now", "What fires, how urgent it is, and where.",
              "empty.", "none",
              Column("firing", 'ALERTS{alertstate="firing"}', expect=AFTER_ERROR)),
        text("What to do next", NEXT)))
