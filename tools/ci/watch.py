#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watches deployed services for some minutes, through the Prometheus that reads them.

Exit code 0: all was well to the end; 1: something is wrong; 2: could not tell, because Prometheus
does not answer, does not see both services, or has not our rules. One bad reading proves nothing;
READINGS of the same in a row do, and the watch does not end in the middle of them.
"""
import argparse
import collections
import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

READINGS = 3
TIMEOUT_S = 10
ADD = 'rpc_method="abacus.v1.Adder/Add"'
FAILED = "INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED"

# What is wrong, and a query whose every series says that it is.
WRONG = [
    ("{job} on {instance} does not answer", 'up{job=~"abacus-.+"} == 0'),
    ("{job} on {instance} is not ready: {condition}", "abacus_ready == 0"),
    ("events of source {source} are missing in the total", "abacus_ledger_missing_events > 0"),
    ("too many of the last minute's adds failed or were refused", f"""
        ((sum(rate(rpc_server_call_duration_seconds_count{{{ADD},
              rpc_response_status_code=~"{FAILED}"}}[1m])) or vector(0))
         + (sum(rate(abacus_writer_refused_total{{reason=~"queue_full|backlog_full"}}[1m]))
            or vector(0)))
        / sum(rate(rpc_server_call_duration_seconds_count{{{ADD}}}[1m])) > ERROR_RATIO"""),
]
# Without these a quiet answer means nothing.
SEEN = ['up{job="abacus-adder"}', 'up{job="abacus-totals"}']
RULES = {"MissingEvents", "TotalDiverged"}


class Unknown(Exception):
    """It cannot be told how the services are."""


class Prometheus:
    def __init__(self, url):
        self.url = url.rstrip("/")
        token = os.environ.get("PROMETHEUS_TOKEN", "")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            request = urllib.request.Request(url, headers=self.headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.load(answer)["data"]
        except (OSError, ValueError, KeyError) as error:
            raise Unknown(f"{self.url}/api/v1/{path}: {error}") from error

    def query(self, expression):
        """[(labels, value)…] as of now."""
        return [(sample["metric"], sample["value"][1])
                for sample in self.get("query", query=expression)["result"]]

    def rules(self):
        groups = self.get("rules", type="alert")["groups"]
        return {rule["name"] for group in groups for rule in group["rules"]}

    def pages(self, since_unix):
        """The names of the alerts that call somebody and began since then."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"]
                if alert["state"] == "firing" and alert["labels"].get("severity") == "page"
                and unix(alert["activeAt"]) >= since_unix}


def unix(moment):
    """Prometheus says 2026-01-31T12:00:00.123456789Z: more digits than Python reads."""
    seconds = moment.split(".")[0].rstrip("Z")
    return datetime.datetime.fromisoformat(seconds + "+00:00").timestamp()


def reading(prometheus, options):
    """What is wrong now, as a set of sentences."""
    for expression in SEEN:
        if not prometheus.query(expression):
            raise Unknown(f"Prometheus sees no {expression}")
    found = {f"alert {name} fires" for name in prometheus.pages(options.since)}
    for text, expression in WRONG:
        expression = expression.replace("ERROR_RATIO", str(options.error_ratio))
        for labels, _ in prometheus.query(expression):
            found.add(text.format_map(collections.defaultdict(lambda: "?", labels)))
    return found


def watch(prometheus, options):
    """What READINGS in a row said is wrong, or nothing."""
    end_mono = time.monotonic() + options.for_s
    in_a_row = collections.Counter()
    while True:
        found = reading(prometheus, options)
        for sentence in sorted(found - set(in_a_row)):
            print(f"watch: {sentence}", flush=True)
        in_a_row = collections.Counter({one: in_a_row[one] + 1 for one in found})
        sure = sorted(one for one, times in in_a_row.items() if times >= READINGS)
        if sure or (not found and time.monotonic() >= end_mono):
            return sure
        time.sleep(options.every_s)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--for-s", type=float, default=300, metavar="S", help="[300]")
    parser.add_argument("--every-s", type=float, default=10, metavar="S", help="[10]")
    parser.add_argument("--error-ratio", type=float, default=0.01, metavar="SHARE",
                        help="of a minute's adds so many may fail [0.01]")
    parser.add_argument("--since", type=float, default=0, metavar="UNIX_S",
                        help="alerts that are older are somebody else's [0: all count]")
    return parser.parse_args()


def main():
    options = parse()
    prometheus = Prometheus(options.prometheus)
    try:
        absent = RULES - prometheus.rules()
        if absent:
            raise Unknown(f"Prometheus has no rule {', '.join(sorted(absent))}: load"
                          " deploy/prometheus/rules")
        sure = watch(prometheus, options)
    except Unknown as error:
        print(f"watch: could not tell: {error}", file=sys.stderr)
        return 2
    print("watch: " + ("WRONG: " + "; ".join(sure) if sure else "all was well"))
    return 1 if sure else 0


if __name__ == "__main__":
    sys.exit(main())
