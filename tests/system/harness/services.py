# SPDX-License-Identifier: Apache-2.0
"""Our two services, seen from outside: processes, HTTP, the command line."""
import contextlib
import json
import sqlite3
import urllib.error
import urllib.request
import uuid

from .client import AdderClient
from .process import BUILD, CLI, PATIENCE_S, Process, run, wait_until

def http(url, method="GET", headers=None, timeout_s=PATIENCE_S):
    """(status, headers, body); an error status is an answer, not an exception."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def http_json(url):
    status, _, body = http(url)
    assert status == 200, f"{url}: {status} {body!r}"
    return json.loads(body)


class Service(Process):
    """A process that says on one line where it listens, e.g. "listening: grpc 127.0.0.1:50051"."""
    program = None
    ports = ()

    def __init__(self, folder, options, environment=None, name=None):
        self.addresses = {}
        command = [BUILD / self.program]
        for option, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{option.replace('_', '-')}", str(one)]
        super().__init__(name or self.program.rsplit("-", 1)[1], folder, command, environment)

    def start(self):
        super().start()
        line = self.wait_for_log(r"listening: ([^\n\"]*)").group(1)
        self.addresses = dict(part.split()[:2] for part in line.split(", "))
        return self

    @property
    def admin(self):
        return "http://" + self.addresses["admin"]

    def ready(self):
        return http(self.admin + "/readyz")[0] == 200

    def readiness(self):
        return json.loads(http(self.admin + "/readyz")[2])

    def wait_ready(self):
        wait_until(self.ready, f"{self.name} to be ready")
        return self

    @contextlib.contextmanager
    def store_held(self):
        """Another writer in its store: no commit of the service gets through."""
        path = self.command[self.command.index(f"--{self.store}") + 1]
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    def pin_ports(self):
        """From now on the ports of this life are used: its clients find it again after a crash."""
        for port in self.ports:
            option = "admin" if port == "admin" else port
            index = self.command.index(f"--{option}-port") + 1
            self.command[index] = self.addresses[port].rsplit(":", 1)[1]


class Adder(Service):
    program = "src/adder/abacus-adder"
    ports = ("grpc", "admin")
    store = "outbox"

    def __init__(self, folder, kafka, topic, environment=None, name=None, **options):
        defaults = {"grpc_port": 0, "admin_port": 0, "outbox": folder / "outbox.db",
                    "kafka_bootstrap_servers": kafka, "kafka_topic": topic}
        super().__init__(folder, {**defaults, **options}, environment, name)

    def client(self):
        return AdderClient(self.addresses["grpc"])

    def source(self):
        return http_json(self.admin + "/source")

    def replay(self, sequence):
        return http(f"{self.admin}/replay?from={sequence}", method="POST", timeout_s=PATIENCE_S)


class Totals(Service):
    program = "src/totals/abacus-totals"
    ports = ("http", "admin")
    store = "ledger"

    def __init__(self, folder, kafka, topic, environment=None, name=None, **options):
        defaults = {"http_port": 0, "admin_port": 0, "ledger": folder / "ledger.db",
                    "kafka_bootstrap_servers": kafka, "kafka_topic": topic,
                    "kafka_dead_letter_topic": topic + ".dlq", "kafka_group": topic + ".totals"}
        super().__init__(folder, {**defaults, **options}, environment, name)

    @property
    def url(self):
        return "http://" + self.addresses["http"]

    def get(self, path):
        return http_json(self.url + path)

    def total(self):
        """(sum, count) of everything applied."""
        answer = self.get("/v1/total")
        return int(answer["total"]), int(answer["count"])

    def wait_for_total(self, total, count, timeout_s=PATIENCE_S):
        wait_until(lambda: self.total() == (total, count),
                   f"the total {total} of {count} adds", timeout_s)

    def source(self, source):
        """What is known of one source, or None."""
        found = [s for s in self.get("/v1/sources")["sources"] if s["source"] == source]
        return found[0] if found else None


class System:
    """One adder and one totals on a topic of their own."""

    def __init__(self, folder, kafka, adder_options=None, totals_options=None):
        self.folder, self.kafka = folder, kafka
        self.topic = f"sums-{uuid.uuid4().hex[:12]}"
        self.adder = Adder(folder, kafka.address, self.topic, **(adder_options or {}))
        self.totals = Totals(folder, kafka.address, self.topic,
                             **{**kafka.totals_options, **(totals_options or {})})

    def start(self):
        self.adder.start()
        self.totals.start()
        self.adder.wait_ready()
        self.totals.wait_ready()
        return self

    def check(self, wait_s=PATIENCE_S):
        """(exit code, what it printed) of `abacus-cli check`."""
        return check([self.adder], self.totals, wait_s)

    def close(self):
        try:
            self.adder.close()
        finally:
            self.totals.close()


def check(adders, totals, wait_s=PATIENCE_S):
    """The verdict: 0 everything is there once, 1 lost or doubled, 2 unknown."""
    options = [word for adder in adders for word in ("--adder-admin", adder.admin)]
    done = run(CLI, "check", *options, "--totals", totals.url, "--wait-s", wait_s,
               timeout_s=wait_s + PATIENCE_S, check=False)
    return done.returncode, done.stdout + done.stderr
