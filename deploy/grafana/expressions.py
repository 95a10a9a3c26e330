# SPDX-License-Identifier: Apache-2.0
"""PromQL that several boards share; all else is written out where it is used."""

ADD = 'rpc_method="abacus.v1.Adder/Add"'

# As deploy/prometheus/rules/slo.yml defines it. A call refused because a queue of ours was full
# ends with RESOURCE_EXHAUSTED, like one that is too large, so it is counted where it is refused.
OUR_FAULT = "INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED"

# The services are read at moments some seconds apart, in which thousands of adds may happen. Both
# only ever count up, so one's figure of a while ago compared with the other's now is exact.
AGO = " offset 30s"

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


def waiting_long(chosen=""):
    """Of each source, what was committed 30 s ago and is not counted now. A source that the ledger
    does not know counts from 0, if there is a totals to ask."""
    committed = by_source("abacus_outbox_appended_total", chosen, AGO)
    counted = by_source("abacus_ledger_applied_total", chosen)
    unknown = f'0 * {committed} and on () (max(up{{job="abacus-totals"}}) == 1)'
    return f"clamp_min({committed} - on (source) ({counted} or {unknown}), 0)"


def never_committed(chosen=""):
    """Of each source, how far the ledger had counted 30 s ago beyond what is committed now."""
    return (f'clamp_min({by_source("abacus_ledger_highest_sequence", chosen, AGO)}'
            f' - {by_source("abacus_outbox_appended_total", chosen)}, 0)')


def by_source(metric, chosen="", ago=""):
    return f"sum by (source) ({metric}{braces(chosen)}{ago})"


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
