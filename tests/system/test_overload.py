# SPDX-License-Identifier: Apache-2.0
"""Twice as many adds come as the disk can take: it goes on at what it can do and refuses the rest.

The disk is a slow one: each commit takes 100 ms longer (src/base/fault.h), so that any machine can
send twice of what it takes. Nothing is compared with a clock, only with what was measured before.
"""
import json

import pytest

from harness.metrics import scrape
from harness.process import CLI, PATIENCE_S, run, wait_until
from harness.services import System
from test_faults import FAULTS_BUILD

SECONDS = 4
QUEUE_MIN = 2048  # places that even the slowest disk has
CONNECTIONS, IN_FLIGHT = 48, 256
AT_CAPACITY = 0.8  # of what it did before
# How many calls are open at once is chance, so a round may take more memory than the one before.
# What each refused call left behind, every round would add: 40,000 times as much.
ROUNDS_MAX = 6
ADDS_NOTHING_KB = 256
EMPTY_WITHIN_S = 20  # the queue; a fifth of a second's work is the most that may wait there

pytestmark = pytest.mark.skipif(not (FAULTS_BUILD / "build.ninja").exists(),
                                reason="no build with -Dfaults=true")


@pytest.fixture
def slow(tmp_path, shared_kafka, opened):
    system = opened(System(tmp_path, shared_kafka))
    system.adder.command[0] = str(FAULTS_BUILD / system.adder.program)
    system.adder.environment["ABACUS_FAULT"] = "outbox_commit:1:slow"
    return system.start()


def load(system, **options):
    words = [word for name, value in options.items()
             for word in (f"--{name.replace('_', '-')}", value)]
    done = run(CLI, "load", "--adder", system.adder.addresses["grpc"], "--no-verify",
               "--timeout-ms", 1000 * PATIENCE_S, "--output", "json", *words,
               timeout_s=2 * PATIENCE_S)
    return json.loads(done.stdout)


def capacity(system):
    """Adds a second with as many callers as always find a place."""
    done = load(system, connections=QUEUE_MIN // IN_FLIGHT, in_flight=IN_FLIGHT,
                duration_s=SECONDS)
    assert set(done["statuses"]) == {"OK"}, done
    return done["rate"]


def overload(system, rate):
    return load(system, connections=CONNECTIONS, in_flight=IN_FLIGHT, rate=int(2 * rate),
                duration_s=SECONDS)


def mean_seconds(metrics, name, **labels):
    return metrics.sum(name + "_sum", **labels) / metrics.sum(name + "_count", **labels)


def memory_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(status.read().split("VmRSS:")[1].split()[0])


def test_at_twice_the_capacity_it_serves_at_capacity_and_refuses_the_rest(slow):
    for _ in range(2):  # once more, should others have had the machine meanwhile
        rate = capacity(slow)
        done = overload(slow, rate)
        at_capacity = done["rate"] > AT_CAPACITY * rate
        at_once = done["refusal_ms"]["p99"] < done["latency_ms"]["p50"]
        if at_capacity and at_once:
            break
    assert set(done["statuses"]) == {"OK", "RESOURCE_EXHAUSTED"}, done
    assert done["unknown"] == 0, done
    assert at_capacity, f"{rate} adds/s before, under overload: {done}"
    assert at_once, f"who is refused waits like who is accepted: {done}"
    load(slow, connections=1, in_flight=1, count=10)
    code, said = slow.check()
    assert code == 0, said


def test_who_is_accepted_under_overload_waits_for_a_few_commits_only(slow):
    overload(slow, capacity(slow))
    metrics = scrape(slow.adder)
    commit_s = mean_seconds(metrics, "db_client_operation_duration_seconds",
                            db_operation_name="INSERT")
    wait_s = mean_seconds(metrics, "abacus_stage_latency_seconds", stage="accept_to_commit")
    # Two batches in the queue, one that is written, one transaction of tending in between.
    assert wait_s < 8 * commit_s, f"a commit takes {commit_s} s, an add waits {wait_s} s"
    assert metrics.value("abacus_writer_queue_limit_adds") == QUEUE_MIN


def test_overload_that_goes_on_takes_no_more_memory(slow):
    rate = capacity(slow)
    overload(slow, rate)
    seen_kb = [memory_kb(slow.adder)]
    while len(seen_kb) < ROUNDS_MAX:
        overload(slow, rate)
        seen_kb.append(memory_kb(slow.adder))
        if seen_kb[-1] - seen_kb[-2] < ADDS_NOTHING_KB:
            return
    raise AssertionError(f"every round of overload takes more memory: {seen_kb} KiB")


def test_it_recovers_from_overload_within_seconds(slow):
    calm = {"connections": 2, "in_flight": 8, "count": 100}
    before = load(slow, **calm)
    overload(slow, capacity(slow))
    wait_until(lambda: scrape(slow.adder).value("abacus_writer_queue_adds") == 0,
               "the queue to be empty", EMPTY_WITHIN_S)
    after = load(slow, **calm)
    assert set(after["statuses"]) == {"OK"}, after
    assert after["latency_ms"]["p50"] < 2 * before["latency_ms"]["p50"], (before, after)
