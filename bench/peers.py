# SPDX-License-Identifier: Apache-2.0
"""Abacus beside what people would build instead, for bench/run.py: two pairs of Go services of the
same shape (bench/peers/README.md), on the same real Kafka, driven by the same load generator. They
take turns and each takes every place in the order once; a figure is the median of its turns."""
import dataclasses
import os
import pathlib
import statistics
import sys

from system import System, output_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILDER = ROOT / "tools" / "peers.sh"
PROBE_RATE = 1000  # adds a second, which even the slowest can do


@dataclasses.dataclass
class Figure:
    """One line of the table."""
    what: str
    unit: str
    of: object  # from a Turn
    more_is_better: bool = False


@dataclasses.dataclass
class Turn:
    """What one run of one of them found."""
    loaded: object       # system.Loaded, as fast as it goes
    cpu_us: dict         # an add, by service
    memory_mb: dict      # the most, by service
    steady: dict         # what latency_probe said


FIGURES = [
    Figure("adds in the total", "/s", lambda t: t.loaded.applied_per_s, more_is_better=True),
    Figure("adds acknowledged", "/s", lambda t: t.loaded.acknowledged_per_s, more_is_better=True),
    Figure("answered meanwhile, p50", "ms", lambda t: t.loaded.latency_ms["p50"]),
    Figure("answered meanwhile, p99", "ms", lambda t: t.loaded.latency_ms["p99"]),
    Figure("processor time an add, adder", "µs", lambda t: t.cpu_us["adder"]),
    Figure("processor time an add, totals", "µs", lambda t: t.cpu_us["totals"]),
    Figure("most memory, adder", "MB", lambda t: t.memory_mb["adder"]),
    Figure("most memory, totals", "MB", lambda t: t.memory_mb["totals"]),
    Figure("1,000 adds/s: answered, p50", "ms", lambda t: t.steady["acknowledged_p50_ms"]),
    Figure("1,000 adds/s: answered, p99", "ms", lambda t: t.steady["acknowledged_p99_ms"]),
    Figure("1,000 adds/s: in the total, p50", "ms", lambda t: t.steady["in_total_p50_ms"]),
    Figure("1,000 adds/s: in the total, p99", "ms", lambda t: t.steady["in_total_p99_ms"]),
]


def contestants():
    """Name → the programs that run instead of Abacus's."""
    output_of(BUILDER, "build", timeout_s=1800)
    folder = pathlib.Path(output_of(BUILDER, "path").strip())
    return {"Abacus": {}, **{
        f"Go, {kind}": {"src/adder/abacus-adder": folder / kind / "adder",
                        "src/totals/abacus-totals": folder / kind / "totals"}
        for kind in ("tuned", "textbook")}}


def steady_load(bench, system):
    said = output_of(bench.program("bench/latency_probe"), "--adder-port", system.adder.grpc_port,
                     "--totals-port", system.rest_port, "--rate", PROBE_RATE,
                     "--seconds", bench.seconds)
    return {name: float(figure) for name, figure in map(str.split, said.splitlines())}


def turn(bench, programs):
    with System(dataclasses.replace(bench, instead=programs), bench.kafka) as system:
        services = (system.adder, system.totals)
        system.load_until_applied(seconds=1)  # warm: connections, partition, page cache
        before = {service.name: service.cpu_s() for service in services}
        loaded = system.load_until_applied(seconds=bench.seconds)
        cpu_us = {service.name: 1e6 / loaded.acknowledged * (service.cpu_s() - before[service.name])
                  for service in services}
        memory_mb = {service.name: service.memory_mb() for service in services}
        return Turn(loaded, cpu_us, memory_mb, steady_load(bench, system))


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(figure, abacus, other):
    """How many times better Abacus is."""
    ratio = abacus / other if figure.more_is_better else other / abacus
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×"


def print_comparison(turns):
    """The table of docs/numbers.md."""
    names = list(turns)
    print("| what | " + " | ".join(names) + " | " +
          " | ".join(f"Abacus against {name}" for name in names[1:]) + " |")
    print("|---|" + "---|" * (2 * len(names) - 1))
    for figure in FIGURES:
        medians = [statistics.median(figure.of(turn) for turn in turns[name]) for name in names]
        cells = [f"{shown(median)} {figure.unit}" for median in medians]
        cells += [times(figure, medians[0], other) for other in medians[1:]]
        print(f"| {figure.what} | " + " | ".join(cells) + " |")


def peers(bench):
    """Prints its own table, so there are no rows for the common one."""
    programs = contestants()
    turns, order = {name: [] for name in programs}, list(programs)
    for _ in programs:
        for name in order:
            os.sync()  # what the one before has written is not this one's to wait for
            turns[name].append(turn(bench, programs[name]))
            print(f"  {name}: {shown(turns[name][-1].loaded.applied_per_s)} adds/s in the total",
                  file=sys.stderr, flush=True)
        order = order[1:] + order[:1]
    print_comparison(turns)
    return ()
