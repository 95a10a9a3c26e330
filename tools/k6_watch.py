#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server's side of a load test: samples both services while k6 runs, and says it in one table.

  k6_watch.py watch --adder-admin URL --totals-admin URL [--process NAME=PID]... FILE
      until SIGTERM or SIGINT; then FILE holds all samples
  k6_watch.py report FOLDER
      FOLDER/summary.json (of k6) and FOLDER/watch.json as a table, also into FOLDER/report.md
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time
import urllib.request

EVERY_S = 0.5
ANSWER_S = 2
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LE = re.compile(r'le="([^"]+)"')

# What is kept of a scrape, summed over labels.
KEPT = {
    "cpu_s": "process_cpu_time_seconds_total", "rss_bytes": "process_memory_usage_bytes",
    "connections": "abacus_grpc_connections", "appended": "abacus_outbox_appended_total",
    "queue": "abacus_writer_queue_adds", "backlog": "abacus_outbox_backlog_events",
    "applied": "abacus_ledger_applied_total", "lag": "abacus_consumer_lag_events",
}
# Of these histograms the buckets: the name, and the label of the series.
HISTOGRAMS = {
    "delivery": ("abacus_delivery_latency_seconds_bucket", ""),
    "durable": ("abacus_stage_latency_seconds_bucket", 'stage="accept_to_commit"'),
}


# --- watch ---
def scrape(url):
    """What KEPT and HISTOGRAMS name; None when the service does not answer, or not to the end."""
    try:
        with urllib.request.urlopen(url + "/metrics", timeout=ANSWER_S) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    sums, histograms = {}, {}
    for name, labels, value in filter(None, map(sample_of, text.splitlines())):
        sums[name] = sums.get(name, 0) + value
        for short, (histogram, label) in HISTOGRAMS.items():
            if name == histogram and label in labels:
                histograms.setdefault(short, {})[LE.search(labels).group(1)] = value
    return {**{short: sums[name] for short, name in KEPT.items() if name in sums}, **histograms}


def sample_of(line):
    found = SAMPLE.match(line)
    return (found.group(1), found.group(2) or "", float(found.group(3))) if found else None


def process(pid):
    """CPU and memory of any process of this machine; None when it has ended."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1]
        pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    except OSError:
        return None
    ticks = sum(int(word) for word in stat.split()[11:13])
    return {"cpu_s": ticks / os.sysconf("SC_CLK_TCK"),
            "rss_bytes": int(pages) * os.sysconf("SC_PAGE_SIZE")}


def watch(options):
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    pathlib.Path(options.file).write_text("[]", encoding="utf-8")  # from now on it may be ended
    pids = dict(pair.split("=", 1) for pair in options.process)
    samples, begun = [], time.monotonic()
    while True:
        last = ended.is_set()
        now = time.monotonic()
        # Totals first, so that what comes in between counts as on its way rather than hides it.
        one = {"totals": scrape(options.totals_admin), "adder": scrape(options.adder_admin),
               **{name: process(pid) for name, pid in pids.items()}}
        samples.append({"t_s": round(now - begun, 3), **one})
        if last:
            break
        ended.wait(max(0.0, EVERY_S - (time.monotonic() - now)))
    pathlib.Path(options.file).write_text(json.dumps(samples), encoding="utf-8")
    return 0


# --- what the samples say ---
def column(samples, who, what):
    """[(seconds, value)…] where there is one."""
    return [(one["t_s"], one[who][what]) for one in samples
            if one.get(who) and what in one[who]]


def gained(values):
    """How much a counter grew; one that fell began anew, at 0."""
    return sum(later - earlier if later >= earlier else later
               for (_, earlier), (_, later) in zip(values, values[1:]))


def on_their_way(samples):
    """[(seconds, events)…] that the adder has committed and totals, as far as is known, has not."""
    appended = applied = None
    for one in samples:
        appended = (one.get("adder") or {}).get("appended", appended)
        applied = (one.get("totals") or {}).get("applied", applied)
        if appended is not None and applied is not None:
            yield one["t_s"], max(0, appended - applied)


def observed(samples, who, what):
    """How many events took at most so long, {upper bound in s: count}, during these samples."""
    seen = [buckets for _, buckets in column(samples, who, what)]
    total = {}
    for earlier, later in zip(seen, seen[1:]):
        began_anew = later.get("+Inf", 0) < earlier.get("+Inf", 0)
        for bound, count in later.items():
            grown = count - (0 if began_anew else earlier.get(bound, 0))
            total[float(bound)] = total.get(float(bound), 0) + grown
    return total


def quantile(share, buckets):
    """In seconds, as PromQL's histogram_quantile; None without observations."""
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank, low, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (rank - below) / max(buckets[bound] - below, 1e-9)
        low, below = bound, buckets[bound]
    return low


# --- report ---
def milliseconds(value_s):
    if value_s is None:
        return "?"
    return f"{value_s * 1000:.3g}" if value_s < 1 else f"{value_s * 1000:.0f}"


def latency_row(summary, metric):
    of = summary["metrics"].get(metric, {}).get("values", {})
    if "med" not in of:
        return None
    return " / ".join(milliseconds(of[stat] / 1000) for stat in ("med", "p(95)", "p(99)")) + " ms"


def of_k6(summary):
    """Rows of what the users saw."""
    def value(metric, what):
        return summary["metrics"].get(metric, {}).get("values", {}).get(what, 0)

    requests = value("grpc_req_duration", "count") + value("http_reqs", "count")
    seconds = summary["state"]["testRunDurationMs"] / 1000
    yield "users", f"{value('vus_max', 'max') or 1:.0f}"
    yield "seconds", f"{seconds:.1f}"
    yield "requests a second", f"{requests / seconds:,.0f}"
    yield "adds, reads", f"{value('adds', 'count'):,.0f}, {value('reads', 'count'):,.0f}"
    yield "errors", (f"{value('adds_failed', 'passes'):.0f} of adds, "
                     f"{value('reads_failed', 'passes'):.0f} of reads")
    yield "wrong, refused", (f"{value('adds_wrong', 'count'):.0f} adds and "
                             f"{value('reads_wrong', 'count'):.0f} reads, "
                             f"{value('adds_refused', 'count'):.0f} adds")
    for what, metric in (("an add", "grpc_req_duration"), ("a read", "http_req_duration")):
        found = latency_row(summary, metric)
        if found:
            yield f"{what}: p50 / p95 / p99", found


def peak(series):
    values = [value for _, value in series]
    return f"{max(values):,.0f} events" if values else "?"


def of_services(samples):
    """Rows of what the services say."""
    for what, who, name in (("waiting for the disk", "adder", "durable"),
                            ("A to B", "totals", "delivery")):
        buckets = observed(samples, who, name)
        yield f"{what}: p50 / p95 / p99", " / ".join(
            milliseconds(quantile(share, buckets)) for share in (0.5, 0.95, 0.99)) + " ms"
    for what, who, name in (("waiting for the disk, peak", "adder", "queue"),
                            ("outbox backlog, peak", "adder", "backlog"),
                            ("consumer lag, peak", "totals", "lag")):
        yield what, peak(column(samples, who, name))
    yield "not counted yet, peak", peak(on_their_way(samples))
    for who in sorted({name for one in samples for name in one} - {"t_s"}):
        cpu, memory = column(samples, who, "cpu_s"), column(samples, who, "rss_bytes")
        if len(cpu) > 1:
            yield f"{who}: CPU, memory at most", (
                f"{100 * gained(cpu) / (cpu[-1][0] - cpu[0][0]):.0f} % of a core, "
                f"{max(value for _, value in memory) / 1e6:.1f} MB")


def report(options):
    folder = pathlib.Path(options.folder)
    samples = json.loads((folder / "watch.json").read_text(encoding="utf-8"))
    if not samples:
        sys.exit(f"{folder}/watch.json has no samples: who was to look ended before its time")
    summary = folder / "summary.json"
    rows = list(of_services(samples))
    if summary.exists():
        rows = [*of_k6(json.loads(summary.read_text(encoding="utf-8"))), *rows]
    width = max(len(what) for what, _ in rows)
    print("\n".join(f"  {what:{width}}  {value}" for what, value in rows))
    lines = ["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("watch")
    one.add_argument("--adder-admin", required=True)
    one.add_argument("--totals-admin", required=True)
    one.add_argument("--process", action="append", default=[], metavar="NAME=PID")
    one.add_argument("file")
    one.set_defaults(do=watch)
    one = commands.add_parser("report")
    one.add_argument("folder")
    one.set_defaults(do=report)
    options = parser.parse_args()
    return options.do(options)


if __name__ == "__main__":
    sys.exit(main())
