# SPDX-License-Identifier: Apache-2.0
"""Is every sum in the total, exactly once? By source."""
from expressions import by_source, never_committed, or_zero, waiting_long
from panels import AFTER_ERROR, ONLY_ZERO, Column, above, board, graph, query, row, stat, table

CHOSEN = 'source=~"$source"'


BOARD = board(
    "correctness", "Abacus: correctness",
    "Every source numbers its sums without holes, so the ledger knows what it lacks. Everything "
    "coloured must be 0. `./abacus check` is the verdict itself: it also compares the sums.",
    row("Must be 0",
        stat("Missing", "Events below a source's highest that never came.",
             "0. If it stays: replay from the first missing one (docs/operating.md).", "locale",
             query(f"sum(abacus_ledger_missing_events{{{CHOSEN}}})"), limits=ONLY_ZERO),
        stat("Not counted for 30 s", "Committed 30 s ago or longer, and not in the total.",
             "0, also under full load. It grows while Kafka or totals is away.", "locale",
             query(f"sum({waiting_long(CHOSEN)})"), limits=ONLY_ZERO),
        stat("Counted, never committed",
             "The ledger had counted further than the outbox goes: an outbox was restored from an "
             "old copy, or two outboxes have one name. New sums get old numbers and are dropped.",
             "0. Else stop that adder and start it with a new outbox.", "locale",
             query(f"sum({never_committed(CHOSEN)})"), limits=ONLY_ZERO),
        stat("Dead letters", "Messages that were no event of ours; they wait in abacus.sums.dlq.",
             "0, unless somebody else writes to the topic.", "locale",
             query(or_zero("sum(abacus_ledger_dead_letters_total)", "abacus-totals")),
             limits=ONLY_ZERO),
        stat("Conflicting request ids", "A request id that came again with other numbers: a caller "
             "uses one id for two adds.", "0.", "locale",
             query(or_zero('sum(abacus_adds_total{outcome="conflict"})', "abacus-adder")),
             limits=ONLY_ZERO)),
    row("May be more",
        stat("Duplicates dropped", "Events that came again, recognised and dropped. Not an error: "
             "it is what a restart of the relay costs.",
             "0 until something restarts; then some hundreds.", "locale",
             query(or_zero(f"sum(abacus_ledger_duplicates_total{{{CHOSEN}}})", "abacus-totals"))),
        stat("Repeated requests", "A request id that came again and got the first answer: callers' "
             "retries at work.", "0 to few.", "locale",
             query(or_zero('sum(abacus_adds_total{outcome="repeated"})', "abacus-adder"))),
        stat("Sources", "Outboxes that the ledger ever heard of.",
             "as many as adders ever began with an empty outbox.", "none",
             query("sum(abacus_ledger_sources)"), limits=above(80, 100))),
    row("Source by source",
        table("Each source on its way",
              "Read from left to right: committed in the outbox, acknowledged by Kafka, counted in "
              "the ledger. A source without a committed figure has no running adder: its outbox "
              "may hold sums that nobody sends.",
              "the first four equal when nobody adds; missing 0.", "locale",
              Column("committed", by_source("abacus_outbox_appended_total", CHOSEN)),
              Column("published", by_source("abacus_outbox_published_total", CHOSEN)),
              Column("highest counted", by_source("abacus_ledger_highest_sequence", CHOSEN)),
              Column("counted", by_source("abacus_ledger_applied_total", CHOSEN)),
              Column("missing", by_source("abacus_ledger_missing_events", CHOSEN), ONLY_ZERO),
              Column("duplicates", by_source("abacus_ledger_duplicates_total", CHOSEN)),
              Column("not counted for 30 s", waiting_long(CHOSEN), ONLY_ZERO))),
    row("Over time",
        graph("Committed minus counted", "On their way. The services are read at different "
              "moments: under load that alone is some seconds' worth of adds, of either sign.",
              "0 when nobody adds; steady under steady load.", "short",
              query(f"""{by_source("abacus_outbox_appended_total", CHOSEN)}
                  - {by_source("abacus_ledger_applied_total", CHOSEN)}""", "{{source}}"),
              signed=True),
        graph("Missing over time", "Steps up: a hole was found. Steps down: late events filled it.",
              "0.", "short",
              query(by_source("abacus_ledger_missing_events", CHOSEN), "{{source}}")),
        graph("Duplicates over time", "A burst is a relay or a consumer that began again.",
              "0, with a burst after each restart.", "cps",
              query(f"sum by (source) (rate(abacus_ledger_duplicates_total{{{CHOSEN}}}"
                    "[$__rate_interval]))", "{{source}}")),
        graph("Counted, by source", "What each source adds to the total.",
              "what its callers send.", "cps",
              query(f"sum by (source) (rate(abacus_ledger_applied_total{{{CHOSEN}}}"
                    "[$__rate_interval]))", "{{source}}"), stack=True),
        graph("Dead letters over time", "By partition: somebody writes what is no event of ours.",
              "empty.", "cps",
              query("sum by (partition) (rate(abacus_ledger_dead_letters_total[$__rate_interval]))",
                    "partition {{partition}}", AFTER_ERROR)),
        graph("Not counted for 30 s, over time", "Rises when Kafka or totals is away, and falls to "
              "0 when it is back. If it stays, compare with what is missing.", "0.", "short",
              query(waiting_long(CHOSEN), "{{source}}"))),
    variables=("source",))
