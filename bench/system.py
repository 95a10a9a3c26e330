# SPDX-License-Identifier: Apache-2.0
"""The whole system on free ports in a scratch folder, for bench/run.py: broker, adder, totals."""
import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

READY_MAX_S = 30


class BenchFailed(Exception):
    """A measurement that could not be made, and why."""


@dataclasses.dataclass
class Row:
    """One figure of the table."""
    what: str
    figure: float
    unit: str
    command: list
    goal: float | None = None
    less_is_better: bool = False

    def half(self):
        return None if self.goal is None else self.goal * (2 if self.less_is_better else 0.5)

    def verdict(self):
        if self.goal is None:
            return ""
        share = self.figure / self.goal
        share = 1 / max(share, 1e-9) if self.less_is_better else share
        return "goal" if share >= 1 else "half" if share >= 0.5 else "MISSED"


@dataclasses.dataclass
class Bench:
    """What every measurement needs to know."""
    build: pathlib.Path
    folder: pathlib.Path  # scratch
    seconds: int          # how long each load lasts
    kafka: str | None     # a real broker's address
    instead: dict = dataclasses.field(default_factory=dict)  # of programs, by what they replace

    def program(self, path):
        found = self.instead.get(path, self.build / path)
        if not found.exists():
            raise BenchFailed(f"{found} is not built: ninja -C {self.build}")
        return found

    @property
    def cli(self):
        return self.program("src/cli/abacus-cli")


def output_of(*command, timeout_s=600):
    """What a command prints; its failure is a BenchFailed with the end of what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout_s, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise BenchFailed(f"{pathlib.Path(command[0]).name}: exit code {done.returncode}: "
                          + " / ".join(said))
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get_json(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def metrics_of(admin_port):
    """What a service exports, {name with labels: value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def await_true(is_true, what, within_s):
    """Polls, often enough for a figure and seldom enough not to disturb it."""
    give_up = time.monotonic() + within_s
    while not is_true():
        if time.monotonic() > give_up:
            raise BenchFailed(f"not after {within_s} s: {what}")
        time.sleep(0.02)


class Service:
    """One process, its log beside its data, the time it took to say that it is ready."""

    def __init__(self, name, command, folder, ready_url=None, environment=None):
        self.name, self.log, self.command = name, folder / f"{name}.log", command
        started = time.monotonic()
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log,
                                            stderr=subprocess.STDOUT,
                                            env={**os.environ, **(environment or {})})
        self.ready_ms = 0.0
        if ready_url is not None:
            self._await(lambda: self._answers(ready_url))
            self.ready_ms = (time.monotonic() - started) * 1000

    def _await(self, is_true):
        give_up = time.monotonic() + READY_MAX_S
        while not is_true():
            if self.process.poll() is not None or time.monotonic() > give_up:
                said = self.log.read_text(errors="replace").strip().splitlines()[-3:]
                raise BenchFailed(f"{self.name} does not become ready: " + " / ".join(said))
            time.sleep(0.002)

    @staticmethod
    def _answers(url):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def await_line(self, text):
        """Blocks until the log holds a line with the text, and returns that line."""
        def lines():
            return [line for line in self.log.read_text().splitlines() if text in line]
        self._await(lines)
        return lines()[0]

    def memory_mb(self, field="VmHWM"):
        """VmHWM: the most it ever had resident; VmRSS: now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    def cpu_s(self):
        """Processor time used so far, user and system."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")")[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


# --- the load generator ---
@dataclasses.dataclass
class Loaded:
    """What one run of `abacus-cli load` found."""
    command: list
    acknowledged: int
    acknowledged_per_s: float
    applied_per_s: float  # from the first add until the total had them all
    latency_ms: dict      # of the answers: p50, p99, …


def load_command(bench, grpc_port, *, seconds=None, count=None, verify=()):
    """verify: the options that let it look at the total; none: it does without."""
    how_long = ["--duration-s", seconds] if count is None else ["--count", count]
    return [bench.cli, "load", "--adder", f"127.0.0.1:{grpc_port}", *how_long, "--output", "json",
            *(verify or ["--no-verify"])]


def load_rate(said):
    """Acknowledged adds a second; anything but OK spoils the figure."""
    document = json.loads(said)
    if set(document["statuses"]) != {"OK"}:
        raise BenchFailed(f"load: calls failed: {document['statuses']}")
    return document["rate"]


# --- the services ---
class Adder(Service):
    """An adder with a folder and ports of its own."""

    def __init__(self, bench, folder, kafka, *, topic, name="adder", environment=None):
        self.grpc_port, self.admin_port = free_port(), free_port()
        command = [bench.program("src/adder/abacus-adder"), "--grpc-port", self.grpc_port,
                   "--admin-port", self.admin_port, "--outbox", folder / f"{name}.db",
                   "--kafka-bootstrap-servers", kafka, "--kafka-topic", topic]
        super().__init__(name, command, folder, f"http://127.0.0.1:{self.admin_port}/readyz",
                         environment)

    def backlog(self):
        """Rows that Kafka does not have yet."""
        return int(get_json(f"http://127.0.0.1:{self.admin_port}/source")["backlog"])


class System:
    """`with System(bench) as system:` broker (unless one is given), adders, totals, all ready.
    environment: variables for the services."""

    def __init__(self, bench, kafka=None, environment=None, adders=1):
        self.bench, self.kafka, self.environment, self.services = bench, kafka, environment, []
        self.adder_count, self.adders, self.totals = adders, [], None
        self.rest_port, self.totals_admin_port = free_port(), free_port()

    def __enter__(self):
        try:
            self._start(pathlib.Path(tempfile.mkdtemp(dir=self.bench.folder)))
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def adder(self):
        return self.adders[0]

    def _start(self, folder):
        quick = []
        if self.kafka is None:
            broker = self._keep(Service("broker", [self.bench.cli, "broker"], folder))
            self.kafka = broker.await_line("127.0.0.1:").strip()
            # The mock broker lets an empty fetch wait its full time even when something comes.
            quick = ["--kafka-property", "fetch.wait.max.ms=2"]
        topic = f"abacus.bench.{folder.name}" if self.bench.kafka == self.kafka else "abacus.sums"
        for i in range(self.adder_count):
            name = f"adder-{i + 1}" if i > 0 else "adder"
            self.adders.append(self._keep(Adder(self.bench, folder, self.kafka, topic=topic,
                                                name=name, environment=self.environment)))
        self.totals = self._keep(Service(
            "totals", [self.bench.program("src/totals/abacus-totals"), "--http-port",
                       self.rest_port, "--admin-port", self.totals_admin_port, "--ledger",
                       folder / "ledger.db", "--kafka-bootstrap-servers", self.kafka,
                       "--kafka-topic", topic, "--kafka-group", topic, *quick],
            folder, f"http://127.0.0.1:{self.totals_admin_port}/readyz", self.environment))

    def _keep(self, service):
        self.services.append(service)
        return service

    def __exit__(self, *_):
        for service in (*self.adders, self.totals, *self.services):
            if service is not None:
                service.stop()

    def applied(self):
        """Adds in the total."""
        return int(get_json(f"http://127.0.0.1:{self.rest_port}/v1/total")["count"])

    def load_until_applied(self, *, seconds=None, count=None):
        """Loads, then waits until the total has it all; anything else is a BenchFailed."""
        verify = ["--adder-admin", f"http://127.0.0.1:{self.adder.admin_port}",
                  "--totals", f"http://127.0.0.1:{self.rest_port}", "--wait-s", 60]
        command = load_command(self.bench, self.adder.grpc_port, seconds=seconds, count=count,
                               verify=verify)
        said = output_of(*command)
        document = json.loads(said)
        return Loaded(command, document["acknowledged"], load_rate(said),
                      document["total"]["rate"], document["latency_ms"])
