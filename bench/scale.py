# SPDX-License-Identifier: Apache-2.0
"""How cost grows, for bench/run.py: with users, with adders, with rows that wait for Kafka. What a
thousand sources cost is measured by bench_ledger and bench_apply."""
import concurrent.futures
import json
import pathlib
import tempfile
import time

from system import (Adder, Row, System, await_true, load_command, load_rate,
                    output_of)

BACKLOG_ROWS = 1_000_000
DRAIN_MAX_S = 120
NOBODY = "127.0.0.1:1"  # no Kafka listens there


def cpu_s(services):
    return sum(service.cpu_s() for service in services)


# --- users: each has a connection of its own and one add at a time on its way ---
def users(bench):
    for count in (1, 10, 100, 1000):
        with System(bench) as system:
            before = system.adder.cpu_s()
            command = [*load_command(bench, system.adder.grpc_port, seconds=bench.seconds),
                       "--connections", count, "--in-flight", 1]
            said = output_of(*command)
            found = json.loads(said)
            yield Row(f"users {count}: answered", load_rate(said), "adds/s", command)
            for percentile in ("p50", "p99"):
                yield Row(f"… after, {percentile}", found["latency_ms"][percentile], "ms", command)
            used = system.adder.cpu_s() - before
            yield Row("… processor time of the adder, an add", 1e6 * used / found["acknowledged"],
                      "µs", command)
            yield Row("… most memory of the adder", system.adder.memory_mb(), "MB", command)


# --- adders: one load for each, all at once. They share the processors that there are, so what an
# --- add costs is the figure ---
def adders(bench):
    for count in (1, 2, 4):
        with System(bench, bench.kafka, adders=count) as system:
            system.load_until_applied(count=1000)  # totals has its partitions
            before = cpu_s(system.adders), system.totals.cpu_s()
            commands = [load_command(bench, adder.grpc_port, seconds=bench.seconds)
                        for adder in system.adders]
            with concurrent.futures.ThreadPoolExecutor() as pool:
                said = list(pool.map(lambda command: output_of(*command), commands))
            adds = sum(json.loads(text)["acknowledged"] for text in said)
            await_true(lambda: system.applied() == 1000 + adds, "all in the total", DRAIN_MAX_S)
            yield Row(f"adders {count}: answered in all", sum(map(load_rate, said)), "adds/s",
                      commands[0])
            for name, services, was in (("adders", system.adders, before[0]),
                                        ("totals", [system.totals], before[1])):
                yield Row(f"… processor time of {name}, an add",
                          1e6 * (cpu_s(services) - was) / adds, "µs", commands[0])


# --- backlog: a million rows gather while Kafka is away, then the adder starts again with it ---
def backlog(bench):
    folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
    topic = f"abacus.bench.{folder.name}"
    adder = Adder(bench, folder, NOBODY, topic=topic)
    try:
        for rows in (BACKLOG_ROWS // 5, BACKLOG_ROWS):
            command = load_command(bench, adder.grpc_port, count=rows - adder.backlog())
            yield Row(f"backlog growing to {rows:,} rows, Kafka away: answered",
                      load_rate(output_of(*command)), "adds/s", command)
        yield Row("… most memory of the adder", adder.memory_mb(), "MB", adder.command[:1])
    finally:
        adder.stop()
    started = time.monotonic()  # it publishes before it is ready
    adder = Adder(bench, folder, bench.kafka, topic=topic)
    try:
        yield Row("start to ready with these rows", adder.ready_ms, "ms", adder.command[:1])
        await_true(lambda: adder.backlog() == 0, "the outbox published", DRAIN_MAX_S)
        yield Row("… published with Kafka back, from its start on",
                  BACKLOG_ROWS / (time.monotonic() - started), "rows/s", adder.command[:1])
        yield Row("… most memory of the adder", adder.memory_mb(), "MB", adder.command[:1])
    finally:
        adder.stop()


def scale(bench):
    yield from users(bench)
    yield from adders(bench)
    yield from backlog(bench)
