# SPDX-License-Identifier: Apache-2.0
"""What is promised, and how much of the allowance is left.

deploy/prometheus/rules/slo.yml records what 30 days need; here it is compared with the promises.
"""
from expressions import failed_adds, never_committed
from panels import ONLY_ZERO, above, below, board, graph, query, row, stat, text

ADDS_FAIL, DELIVERIES_LATE = 0.001, 0.01  # allowed shares: 99.9 % and 99 %
FAST_BURN = 14.4  # 2 % of 30 days' budget in an hour: this wakes somebody up

WHY = """
* A **budget** is what may go wrong in 30 days: 0.1 % of the adds may fail, 1 % of the events may
  arrive late. While some is left, change things; when it is gone, make things more stable.
* **Burn rate** 1 uses it up in exactly 30 days, 14.4 in two. An alert wants a long window (it
  matters) and a short one (it still goes on).
* **Correctness** has no budget: one event lost or counted twice breaks the promise.
"""


def failing(window):
    return f"abacus:add_failures:ratio_rate{window} / {ADDS_FAIL}"


def late(window):
    return f"abacus:late_deliveries:ratio_rate{window} / {DELIVERIES_LATE}"


BOARD = board(
    "slo", "Abacus: promises (SLO)",
    "Availability 99.9 %, freshness 99 % within a second, correctness always; over 30 days.",
    row("Kept?",
        stat("Availability budget left", "Of the adds that may fail in 30 days. Needs a minute "
             "after the start.", "above 50 %.", "percentunit",
             query("min(abacus:availability_budget:left30d)"), limits=below(0, 0.5)),
        stat("Freshness budget left", "Of the events that may be late in 30 days. Needs a minute "
             "after the start.", "above 50 %.", "percentunit",
             query("min(abacus:freshness_budget:left30d)"), limits=below(0, 0.5)),
        stat("Lost", "Events below a source's highest that never came.", "0. There is no budget.",
             "locale", query("sum(abacus_ledger_missing_events)"), limits=ONLY_ZERO,
             opens="abacus-correctness"),
        stat("Counted, never committed", "The ledger is further than an outbox goes: an old copy "
             "of it was restored.", "0. There is no budget.", "locale",
             query(f"sum({never_committed()})"), limits=ONLY_ZERO, opens="abacus-correctness")),
    row("Availability: adds that do not fail",
        stat("Available in 5 minutes", "The share of adds that did not fail by our fault.",
             "100 %; promised: 99.9 %.", "percentunit",
             query("1 - max(abacus:add_failures:ratio_rate5m)"), limits=below(0.99, 0.999)),
        stat("Burn rate, 1 h", "How many times too fast the budget goes.", "under 1.", "short",
             query(f'max({failing("1h")})'), limits=above(1, FAST_BURN)),
        stat("Burn rate, 6 h", "The same over six hours.", "under 1.", "short",
             query(f'max({failing("6h")})'), limits=above(1, 6)),
        stat("Burn rate, 3 d", "The same over three days.", "under 1.", "short",
             query(f'max({failing("3d")})'), limits=above(1, 1)),
        stat("Failed in the time shown", "How many adds that is.", "0.", "locale",
             query(failed_adds("increase", "$__range")), limits=ONLY_ZERO),
        graph("Burn rate of availability", "Both windows above 14.4: the page goes out.",
              "0.", "short", query(failing("5m"), "5 minutes"), query(failing("1h"), "1 hour"),
              query(failing("6h"), "6 hours"), show_limits=True, limits=above(1, FAST_BURN)),
        graph("Adds that failed", "Failures each second, against all.", "0.", "ops",
              query("sum(abacus:add_failures:rate5m)", "failed"),
              query("sum(abacus:adds:rate5m)", "all"))),
    row("Freshness: events counted within a second",
        stat("Fresh in 5 minutes", "The share of events counted within 1 s of their acceptance.",
             "100 %; promised: 99 %.", "percentunit",
             query("1 - max(abacus:late_deliveries:ratio_rate5m)"), limits=below(0.95, 0.99)),
        stat("Freshness burn rate, 1 h", "How many times too fast the budget goes.", "under 1.",
             "short", query(f'max({late("1h")})'), limits=above(1, FAST_BURN)),
        graph("Burn rate of freshness", "An outage of Kafka shows when it is over: late events "
              "count when they arrive.", "0.", "short", query(late("5m"), "5 minutes"),
              query(late("1h"), "1 hour"), show_limits=True, limits=above(1, FAST_BURN)),
        graph("Late events", "Late each second, against all.", "0.", "cps",
              query("sum(abacus:late_deliveries:rate5m)", "late"),
              query("sum(abacus:deliveries:rate5m)", "all"))),
    row("What this means", text("Budgets and burn rates", WHY)))
