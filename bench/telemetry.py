# SPDX-License-Identifier: Apache-2.0
"""What being watched costs, for bench/run.py: the same load with telemetry off, with metrics, and
with metrics and traces. The ways take turns and each takes every place in the order once, so that
neither a slow minute of the machine nor what the one before leaves behind is one way's alone. On a
real Kafka: the broker in memory forgets what totals does not read in time, and with a trace's
context in each event it holds less of them."""
import os
import pathlib
import statistics
import sys

from system import Row, Service, System, metrics_of

ROUNDS = 4  # as many as there are ways
SINK = pathlib.Path(__file__).with_name("otlp_sink.py")


def ways(endpoint):
    """What each is called, and its environment."""
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    ratio = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
    return {
        "off": {"OTEL_SDK_DISABLED": "true"},
        "metrics": {},
        "metrics, 1 % traced": {**traced, **ratio, "OTEL_TRACES_SAMPLER_ARG": "0.01"},
        "metrics, 100 % traced": {**traced, "OTEL_TRACES_SAMPLER": "parentbased_always_on"},
    }


class Way:
    """One of them, and what its rounds found."""

    def __init__(self, environment):
        self.environment = environment
        self.rates, self.memory_mb, self.exported, self.command = [], {}, 0, []

    def run(self, bench):
        with System(bench, bench.kafka, self.environment) as system:
            system.load_until_applied(seconds=1)  # warm: connections, partition, page cache
            done = system.load_until_applied(seconds=bench.seconds)
            self.rates.append(done.applied_per_s)
            self.command = done.command
            for service in (system.adder, system.totals):
                most = max(service.memory_mb(), self.memory_mb.get(service.name, 0))
                self.memory_mb[service.name] = most
            self.exported = sum(
                value for name, value in metrics_of(system.adder.admin_port).items()
                if name.startswith("otel_sdk_exporter_span_exported_total"))

    @property
    def rate(self):
        return statistics.median(self.rates)


def telemetry(bench):
    sink = Service("otlp_sink", [sys.executable, SINK], bench.folder)
    try:
        all_ways = {name: Way(environment) for name, environment in
                    ways(f"http://127.0.0.1:{sink.await_line('').strip()}").items()}
        turns = list(all_ways.values())
        for _ in range(ROUNDS):
            for way in turns:
                os.sync()  # what the one before has written is not this one's to wait for
                way.run(bench)
            turns = turns[1:] + turns[:1]
    finally:
        sink.stop()
    base = all_ways["off"].rate
    for name, way in all_ways.items():
        yield Row(f"telemetry {name}: in the total", way.rate, "adds/s", way.command)
        if name != "off":
            yield Row("… of the rate without", 100 * way.rate / base, "%", way.command,
                      goal=None if "100" in name else 95)
        for service, most in way.memory_mb.items():
            yield Row(f"… most memory of {service}", most, "MB", way.command)
    yield Row("… spans of the adder exported in its last round", all_ways[name].exported, "spans",
              way.command)
