# SPDX-License-Identifier: Apache-2.0
"""What happens beyond the capacity, for bench/run.py: the load grows to three times of what can be
done, and ends. Once with a disk that takes 100 ms longer for each commit, so that it is the limit
and the load generator is not; once with the whole machine. What was found goes to
overload.json in the scratch folder (.run), which bench/overload_plot.py draws."""
import dataclasses
import json
import os
import pathlib

from system import BenchFailed, Row, System, load_command, output_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARES = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3)
SLOW = {"ABACUS_FAULT": "outbox_commit:1:slow"}


def slow_adder():
    """A program that may be slow on demand (src/base/fault.h): a build of its own."""
    folder = ROOT / "build-bench-faults"
    if not (folder / "build.ninja").exists():
        output_of("meson", "setup", folder, ROOT, "--buildtype=release", "-Dfaults=true")
    output_of("ninja", "-C", folder, "src/adder/abacus-adder", timeout_s=1800)
    return {"src/adder/abacus-adder": folder / "src/adder/abacus-adder"}


def load(bench, system, connections, rate=0):
    """So many connections with 256 adds on their way each, at most."""
    command = load_command(bench, system.adder.grpc_port, seconds=bench.seconds)
    said = json.loads(output_of(*command, "--connections", connections, "--in-flight", 256,
                                "--rate", int(rate), "--timeout-ms", 60000))
    other = sorted(set(said["statuses"]) - {"OK", "RESOURCE_EXHAUSTED"})
    if other:
        raise BenchFailed(f"neither answered nor refused: {', '.join(other)}")
    return {"offered": rate, "answered": said["rate"],
            "refused": said["statuses"].get("RESOURCE_EXHAUSTED", 0) / bench.seconds,
            "latency_ms": said["latency_ms"], "refusal_ms": said["refusal_ms"],
            "memory_mb": system.adder.memory_mb("VmRSS")}


def case(bench, name, environment):
    """A few callers tell the capacity; then come as many as the rate needs; then few again."""
    with System(bench, bench.kafka, environment) as system:
        load(bench, system, 8)  # warm
        capacity = load(bench, system, 8)["answered"]
        steps = [load(bench, system, 64, share * capacity) for share in SHARES]
        after = load(bench, system, 64, SHARES[0] * capacity)
    return {"name": name, "capacity": capacity, "steps": steps, "after": after}


def rows(found):
    command = ["bench/run.py", "overload"]
    name, twice = found["name"], found["steps"][SHARES.index(2)]
    before, after = found["steps"][0], found["after"]
    yield Row(f"{name}: capacity", found["capacity"], "adds/s", command)
    yield Row("… answered at twice that", twice["answered"], "adds/s", command)
    yield Row("… refused", twice["refused"], "adds/s", command)
    yield Row("… answered after, p50", twice["latency_ms"]["p50"], "ms", command)
    yield Row("… answered after, p99", twice["latency_ms"]["p99"], "ms", command)
    yield Row("… refused after, p50", twice["refusal_ms"]["p50"], "ms", command)
    yield Row("… refused after, p99", twice["refusal_ms"]["p99"], "ms", command)
    yield Row("… memory of adder", twice["memory_mb"], "MB", command)
    yield Row("a quarter of the capacity, before: p99", before["latency_ms"]["p99"], "ms", command)
    yield Row("… just after three times of it", after["latency_ms"]["p99"], "ms", command)


def overload(bench):
    slow = dataclasses.replace(bench, instead=slow_adder())
    found = [case(slow, "slow disk", SLOW), case(bench, "whole machine", {})]
    for one in found:
        yield from rows(one)
    document = {"seconds": bench.seconds, "processors": os.cpu_count(), "cases": found}
    (bench.folder.parent / "overload.json").write_text(json.dumps(document, indent=1))
