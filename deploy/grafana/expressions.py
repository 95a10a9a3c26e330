# SPDX-License-Identifier: Apache-2.0
"""PromQL that several boards share; all else is written out where it is used."""

ADD = 'rpc_method="abacus.v1.Adder/Add"'

# As deploy/prometheus/rules/slo.yml defines it. A call refused because a queue of ours was full
# ends with RESOURCE_EXHAUSTED, like one that is too large, so it is counted where it is refused.
OUR_FAULT = "INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED"

OURS = 'job=~"abacus-.+"'  # for names that other programs expose too


def or_zero(expr, job):
    """A count whose series appears with the first event is 0 before that, if somebody is there to
    count: with the job down it stays absent. For an expression without labels."""
    return f'{expr} or 0 * max(up{{job=~"{job}"}} == 1)'


def failed_adds(function, window):
    """Adds that failed by our fault: function is rate or increase."""
    failed = ("rpc_server_call_duration_seconds_count"
              f'{{{ADD}, rpc_response_status_code=~"{OUR_FAULT}"}}')
    refused = 'abacus_writer_refused_total{reason=~"queue_full|backlog_full"}'
    return " + ".join(f'({or_zero(f"sum({function}({series}[{window}]))", "abacus-adder")})'
                      for series in (failed, refused))


def imbalance(chosen=""):
    """Highest minus counted minus missing, of each source: all read in one scrape of totals, so it
    is exact at any load."""
    return " - ".join(f"sum by (source) ({metric}{braces(chosen)})" for metric in (
        "abacus_ledger_highest_sequence", "abacus_ledger_applied_total",
        "abacus_ledger_missing_events"))


def quantile(share, histogram, chosen="", by=()):
    """Of a classic histogram: the value that `share` of the observations do not exceed."""
    return f"histogram_quantile({share}, {rates(f'{histogram}_bucket', chosen, ('le', *by))})"


def mean(histogram, chosen="", by=()):
    return f"{rates(f'{histogram}_sum', chosen, by)} / {rates(f'{histogram}_count', chosen, by)}"


def buckets(histogram, chosen=""):
    """For a heatmap: how many observations fell into each bucket."""
    return f"sum by (le) (increase({histogram}_bucket{braces(chosen)}[$__rate_interval]))"


def rates(counter, chosen="", by=()):
    labels = f" by ({', '.join(by)}) " if by else ""
    return f"sum{labels}(rate({counter}{braces(chosen)}[$__rate_interval]))"


def braces(chosen):
    return f"{{{chosen}}}" if chosen else ""
