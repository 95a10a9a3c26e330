#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Abacus on this machine and prints one table: figure, goal, half of it, command.

    bench/run.py [--build DIR] [--seconds N] [--kafka HOST:PORT] [NAME...]

NAME is one of the measurements at the end; by default all but peers and overload, which build
programs first. The goals are for two cores with the load generator on them. A rate must reach its
goal, a time or a size must stay below it.
Scratch files go to a folder in --scratch that is removed afterwards. `./abacus bench` runs this.
"""
import argparse
import os
import pathlib
import re
import shlex
import sys
import tempfile
import time

from overload import overload
from peers import peers
from scale import scale
from stages import stages
from system import (Bench, BenchFailed, Row, Service, System, load_command, load_rate, metrics_of,
                    output_of)
from telemetry import telemetry

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pinned(core, *command):
    """A command kept on one core, where there are two to share out."""
    return ["taskset", "-c", str(core), *command] if (os.cpu_count() or 1) > 1 else list(command)


# --- the gRPC layer alone ---
def h2load_rate(said):
    found = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", said)
    good = re.search(r"(\d+) succeeded, (\d+) failed", said)
    if not found or not good or int(good.group(2)) > 0:
        raise BenchFailed("h2load: calls failed: " + said.strip().replace("\n", " / "))
    return float(found.group(1))


def grpc_h2load(bench):
    """One server loop on core 0, h2load on core 1."""
    server = Service("grpc_server", pinned(0, bench.program("bench/grpc_server")), bench.folder)
    try:
        port = server.await_line("").strip()
        body = bench.folder / "add.bin"
        body.write_bytes(b"\0\0\0\0\x04\x08\x02\x10\x03")  # AddRequest{a: 2, b: 3}, framed
        command = pinned(1, "h2load", "-c", 10, "-m", 100, "-t", 1, "-D", bench.seconds, "-d", body,
                         "-H", "content-type: application/grpc", "-H", "te: trailers",
                         f"http://127.0.0.1:{port}/abacus.bench.Echo/Echo")
        cpu, started = server.cpu_s(), time.monotonic()
        rate = h2load_rate(output_of(*command))
        busy = (server.cpu_s() - cpu) / (time.monotonic() - started)
        yield Row("gRPC layer alone, h2load", rate, "calls/s", command, goal=400_000)
        yield Row("gRPC layer alone, for each core-second it used", rate / max(busy, 0.01),
                  "calls/s", command)
    finally:
        server.stop()


def grpc_client(bench):
    """Our own client against the same server: what the load generator itself can do."""
    server = Service("grpc_server", pinned(0, bench.program("bench/grpc_server")), bench.folder)
    try:
        port = server.await_line("").strip()
        command = pinned(1, *load_command(bench, port, seconds=bench.seconds))
        yield Row("the same, our own client", load_rate(output_of(*command)), "calls/s", command)
    finally:
        server.stop()


# --- the stores' pieces ---
def outbox(bench):
    command = [bench.program("bench/bench_outbox"), bench.folder]
    reference = {1: 9_200, 16: 121_000, 128: 623_000, 512: 1_100_000}
    for line in output_of(*command).splitlines():
        batch, rate = line.split()
        yield Row(f"outbox commit, batches of {batch}", float(rate), "rows/s", command,
                  goal=reference.get(int(batch)))


def nanoseconds(title, *command):
    """A row for each line `WHAT NS` that the command prints."""
    for line in output_of(*command).splitlines():
        what, ns = line.rsplit(" ", 1)
        yield Row(f"{title}, {what}", float(ns), "ns", command)


def apply_rule(bench):
    yield from nanoseconds("apply rule, an event", bench.program("bench/bench_apply"))


def metrics(bench):
    yield from nanoseconds("metrics", bench.program("bench/bench_metrics"))


def ledger(bench):
    yield from nanoseconds("ledger", bench.program("bench/bench_ledger"), bench.folder)


# --- the whole system ---
def rest_reads(bench):
    with System(bench) as system:
        system.load_until_applied(count=1000)
        command = pinned(1, "wrk", "-t", 1, "-c", 32, "-d", bench.seconds,
                         f"http://127.0.0.1:{system.rest_port}/v1/total")
        cpu, started = system.totals.cpu_s(), time.monotonic()
        said = output_of(*command)
        busy = (system.totals.cpu_s() - cpu) / (time.monotonic() - started)
        if "Non-2xx" in said or "Socket errors" in said:
            raise BenchFailed("wrk: requests failed: " + said.strip().replace("\n", " / "))
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))
        yield Row("REST reads of /v1/total", rate, "reads/s", command, goal=50_000)
        yield Row("REST reads, for each core-second it used", rate / max(busy, 0.01), "reads/s",
                  command)


def end_to_end(bench, kafka, name, goal):
    with System(bench, kafka) as system:
        system.load_until_applied(seconds=1)  # warm: connections, partition, page cache
        done = system.load_until_applied(seconds=bench.seconds)
        yield Row(f"end to end, {name}: acknowledged", done.acknowledged_per_s, "adds/s",
                  done.command)
        yield Row(f"end to end, {name}: in the total", done.applied_per_s, "adds/s", done.command,
                  goal=goal)
        for service in (system.adder, system.totals):
            yield Row(f"most memory of {service.name}, {name}", service.memory_mb(), "MB",
                      done.command, goal=20, less_is_better=True)


def embedded(bench):
    yield from end_to_end(bench, None, "embedded broker", goal=200_000)


def real_kafka(bench):
    yield from end_to_end(bench, bench.kafka, "real Kafka", goal=80_000)


def latency(bench):
    with System(bench) as system:
        system.load_until_applied(count=1000)
        command = [bench.program("bench/latency_probe"), "--adder-port", system.adder.grpc_port,
                   "--totals-port", system.rest_port, "--rate", 1000, "--seconds", bench.seconds]
        figures = dict(line.split() for line in output_of(*command).splitlines())
        found = metrics_of(system.adder.admin_port) | metrics_of(system.totals_admin_port)
    for name, what, goal in (("acknowledged_p50_ms", "answered, p50", None),
                             ("acknowledged_p99_ms", "answered, p99", None),
                             ("in_total_p50_ms", "in the total, p50", 5),
                             ("in_total_p99_ms", "in the total, p99", 20)):
        yield Row(f"1,000 adds/s: {what}", float(figures[name]), "ms", command, goal=goal,
                  less_is_better=True)
    name = "abacus_stage_latency_seconds"
    for stage in ("accept_to_commit", "commit_to_ack", "broker_to_poll", "poll_to_commit"):
        total, count = (found[f'{name}_{part}{{stage="{stage}"}}'] for part in ("sum", "count"))
        yield Row(f"… of it {stage}, mean", 1000 * total / count, "ms", command)


def start_up(bench):
    with System(bench) as system:
        for service in (system.adder, system.totals):
            yield Row(f"start to ready, {service.name}", service.ready_ms, "ms",
                      service.command[:1], goal=100, less_is_better=True)
            yield Row(f"memory at rest, {service.name}", service.memory_mb("VmRSS"), "MB",
                      service.command[:1])


MEASUREMENTS = {
    "grpc": grpc_h2load, "client": grpc_client, "outbox": outbox, "apply": apply_rule,
    "metrics": metrics, "ledger": ledger, "rest": rest_reads, "embedded": embedded,
    "kafka": real_kafka, "latency": latency, "start": start_up, "telemetry": telemetry,
    "stages": stages, "scale": scale, "peers": peers, "overload": overload,
}
NOT_BY_DEFAULT = ("peers", "overload")  # they build programs first
NEEDS_KAFKA = {"kafka", "telemetry", "scale", "peers"}  # a real one


# --- the table ---
def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def short(command):
    words = [str(word) for word in command]
    return shlex.join(word.replace(str(ROOT) + "/", "") for word in words)


def print_table(rows):
    lines = [("what", "measured", "goal", "half", "", "command")]
    lines += [(row.what, f"{number(row.figure)} {row.unit}", number(row.goal), number(row.half()),
               row.verdict(), short(row.command)) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    for i, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths))
              + f" | {line[5]} |")
        if i == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|---|")


def measure(names, bench):
    rows, failures = [], []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            if name in NEEDS_KAFKA and bench.kafka is None:
                raise BenchFailed("no broker given: start one and pass --kafka HOST:PORT")
            for row in MEASUREMENTS[name](bench):
                print(f"  {row.what}: {number(row.figure)} {row.unit} {row.verdict()}",
                      file=sys.stderr, flush=True)
                rows.append(row)
        except BenchFailed as failed:
            failures.append(f"{name}: {failed}")
            print(f"  {failures[-1]}", file=sys.stderr, flush=True)
    return rows, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--seconds", default=5, type=int, help="length of each load")
    parser.add_argument("--kafka", help="bootstrap servers of a real broker")
    parser.add_argument("--scratch", default=ROOT / ".run", type=pathlib.Path,
                        help="a folder on the disk to measure (not in memory)")
    options = parser.parse_args()
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    left_out = {*NOT_BY_DEFAULT, *(() if options.kafka else NEEDS_KAFKA)}
    names = options.names or [n for n in MEASUREMENTS if n not in left_out]
    options.scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="bench-") as folder:
        bench = Bench(options.build.absolute(), pathlib.Path(folder), options.seconds,
                      options.kafka)
        rows, failures = measure(names, bench)
    if rows:
        print_table(rows)
    for failure in failures:
        print(f"not measured: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
