# SPDX-License-Identifier: Apache-2.0
"""What callers get: rate, errors and duration of gRPC and REST."""
from expressions import ADD, OURS, buckets, or_zero, quantile
from panels import AFTER_ERROR, above, board, graph, heatmap, query, row, stat

CHOSEN = f'{OURS}, instance=~"$instance"'
CALLS = f"rpc_server_call_duration_seconds_count{{{CHOSEN}}}"
REQUESTS = f"http_server_request_duration_seconds_count{{{CHOSEN}}}"


def rate(series, by):
    return f"sum by ({by}) (rate({series}[$__rate_interval]))"


def p99(histogram, by, chosen=CHOSEN):
    return query(quantile(0.99, histogram, chosen, (by,)), f"{{{{{by}}}}}")


BOARD = board(
    "rpc", "Abacus: gRPC and REST",
    "What callers get: how many calls, how many fail, how long they take; and what is held open.",
    row("Held open",
        stat("gRPC connections", "Open connections to the adders.",
             "one a client process; thousands: clients dial for each call.", "short",
             query(f"sum(abacus_grpc_connections{{{CHOSEN}}})")),
        stat("Calls in flight", "Open HTTP/2 streams, health watchers included.",
             "about calls/s times their duration.", "short",
             query(f"sum(abacus_grpc_calls{{{CHOSEN}}})")),
        stat("HTTP connections", "Open connections to REST and to the admin ports, by server.",
             "admin: one or two (Prometheus and probes).", "short",
             query(f"sum by (server) (abacus_http_connections{{{CHOSEN}}})", "{{server}}")),
        stat("Stream clients", "Who follows /v1/total/stream.", "as many as watch the total.",
             "short", query(f"sum(abacus_sse_clients{{{CHOSEN}}})")),
        stat("Refused adds", "Adds not taken in the time shown, because of a limit or of the disk.",
             "0.", "locale",
             query(or_zero(f"sum(increase(abacus_writer_refused_total{{{CHOSEN}}}[$__range]))",
                           "abacus-adder")), limits=above(1, 100))),
    row("gRPC",
        graph("Calls by method", "The rate of each method.", "mostly Adder/Add.", "reqps",
              query(rate(CALLS, "rpc_method"), "{{rpc_method}}"), stack=True),
        graph("Calls by status", "OK and all else. INVALID_ARGUMENT and OUT_OF_RANGE are the "
              "caller's; RESOURCE_EXHAUSTED is shed load; the rest is ours.",
              "OK only, or nearly.", "reqps",
              query(rate(CALLS, "rpc_response_status_code"), "{{rpc_response_status_code}}"),
              log_scale=True),
        graph("Calls that did not end with OK", "By method and status.", "empty.", "reqps",
              query(rate(f'rpc_server_call_duration_seconds_count{{rpc_response_status_code!="OK",'
                         f' {CHOSEN}}}', "rpc_method, rpc_response_status_code"),
                    "{{rpc_method}} {{rpc_response_status_code}}", AFTER_ERROR)),
        graph("Duration by method, p99", "Streams (health Watch, reflection) count when they end, "
              "so theirs is how long somebody watched.", "Adder/Add: some milliseconds.", "s",
              p99("rpc_server_call_duration_seconds", "rpc_method"), log_scale=True),
        graph("Duration of Add by status, p99", "Failures that are faster than successes are "
              "refusals; slower ones are deadlines.", "some milliseconds.", "s",
              p99("rpc_server_call_duration_seconds", "rpc_response_status_code",
                  f"{ADD}, {CHOSEN}"), log_scale=True),
        graph("Refused adds by reason", "queue_full: the disk is slower than the adds. "
              "backlog_full: Kafka was away too long. expired: the caller's deadline was over. "
              "outbox_failed: the disk.", "empty.", "ops",
              query(rate(f"abacus_writer_refused_total{{{CHOSEN}}}", "reason"), "{{reason}}",
                    AFTER_ERROR)),
        graph("Connections and calls in flight", "Calls in flight rise with the load or with "
              "their duration.", "steady.", "short",
              query(f"sum(abacus_grpc_connections{{{CHOSEN}}})", "connections"),
              query(f"sum(abacus_grpc_calls{{{CHOSEN}}})", "calls in flight")),
        graph("Adds by outcome", "repeated: a request id came again and got its first answer.",
              "appended only, or nearly.", "ops",
              query(rate(f"abacus_adds_total{{{CHOSEN}}}", "outcome"), "{{outcome}}"))),
    row("REST and admin",
        graph("Requests by route", "Admin routes (/metrics, /readyz) included.",
              "/metrics: one each 5 s and process.", "reqps",
              query(rate(REQUESTS, "job, http_route"), "{{job}} {{http_route}}"), stack=True),
        graph("Requests by status", "304 is a cached total that still holds.",
              "200 and 304; /readyz gives 503 while a service starts.", "reqps",
              query(rate(REQUESTS, "http_response_status_code"), "{{http_response_status_code}}"),
              log_scale=True),
        graph("Answers of 400 and above", "By route and status: 4xx is the caller's, 5xx ours.",
              "empty, but for /readyz while a service starts.", "reqps",
              query(rate('http_server_request_duration_seconds_count'
                         f'{{http_response_status_code=~"4..|5..", {CHOSEN}}}',
                         "http_route, http_response_status_code"),
                    "{{http_route}} {{http_response_status_code}}", AFTER_ERROR)),
        graph("Duration by route, p99", "A stream counts when it ends.",
              "under 5 ms; /v1/total/stream as long as somebody listens.", "s",
              p99("http_server_request_duration_seconds", "http_route"), log_scale=True),
        graph("HTTP connections over time", "By server.", "steady.", "short",
              query(f"sum by (server) (abacus_http_connections{{{CHOSEN}}})", "{{server}}"),
              query(f"sum(abacus_sse_clients{{{CHOSEN}}})", "stream clients"))),
    row("Duration as a heatmap",
        heatmap("Add", "Dots are traces.", "one narrow band of some milliseconds.", "s",
                buckets("rpc_server_call_duration_seconds", f"{ADD}, {CHOSEN}")),
        heatmap("HTTP requests", "Without the streams.", "one band under 5 ms.", "s",
                buckets("http_server_request_duration_seconds",
                        f'http_route!="/v1/total/stream", {CHOSEN}'))),
    variables=("instance",))
