# SPDX-License-Identifier: Apache-2.0
"""tools/ci/watch.py, which judges a deployment, before a real Prometheus and real services."""
import contextlib
import subprocess
import time
import uuid

import grpc
import pytest

from harness import events
from harness.kafka import EmbeddedBroker
from harness.observe import Prometheus
from harness.process import PATIENCE_S, ROOT, free_port, wait_until
from harness.services import System

pytestmark = pytest.mark.timeout(300)

BACKLOG_MAX = 10
WELL, WRONG, UNKNOWN = 0, 1, 2


@pytest.fixture
def watched(tmp_path, opened):
    kafka = opened(EmbeddedBroker(tmp_path)).start()
    system = opened(System(tmp_path, kafka, {"backlog_max": BACKLOG_MAX})).start()
    prometheus = opened(Prometheus(tmp_path)).start()
    prometheus.target("abacus-adder", system.adder.addresses["admin"])
    prometheus.target("abacus-totals", system.totals.addresses["admin"])
    with system.adder.client() as client:
        client.add(2, 3)
    wait_until(lambda: len(prometheus.query('up{job=~"abacus-.+"} == 1')) == 2,
               "both targets to be up")
    return system, prometheus, kafka


def watch(prometheus, *arguments):
    command = [ROOT / "tools/ci/watch.py", "--prometheus", prometheus.url, "--for-s", "3",
               "--every-s", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S * 4)
    return done.returncode, done.stdout + done.stderr


def test_services_that_work_pass_the_watch(watched):
    code, said = watch(watched[1])
    assert (code, said) == (WELL, "watch: all was well\n"), said


def test_a_service_that_died_fails_the_watch(watched):
    system, prometheus, _ = watched
    system.totals.kill()
    prometheus.await_value('up{job="abacus-totals"}', lambda value: value == 0)
    code, said = watch(prometheus)
    assert code == WRONG and "abacus-totals on" in said and "does not answer" in said, said


def test_events_that_are_missing_fail_the_watch(watched):
    system, prometheus, kafka = watched
    events.send(kafka, system.topic, str(uuid.uuid4()), 5, 1, 1)
    prometheus.await_value("max(abacus_ledger_missing_events)", lambda value: value > 0)
    code, said = watch(prometheus)
    assert code == WRONG and "are missing in the total" in said, said


def test_adds_that_are_refused_fail_the_watch(watched):
    """Kafka is away, and the backlog is full."""
    system, prometheus, kafka = watched
    kafka.process.kill()
    with system.adder.client() as client:
        def refused():
            with contextlib.suppress(grpc.RpcError):
                client.add(1, 1)
            return prometheus.query("rate(abacus_writer_refused_total[1m]) > 0")
        wait_until(refused, "a refused add in Prometheus")
    code, said = watch(prometheus)
    assert code == WRONG and "adds failed or were refused" in said, said


PAGE = """
groups:
  - name: test
    rules:
      - alert: SomebodyIsCalled
        expr: vector(1)
        labels: {severity: page}
      - alert: NobodyIsCalled
        expr: vector(1)
        labels: {severity: ticket}
"""


def test_an_alert_that_calls_somebody_fails_the_watch_unless_it_is_older(tmp_path, opened):
    prometheus = Prometheus(tmp_path)
    (prometheus.config / "rules" / "test.yml").write_text(PAGE, encoding="utf-8")
    system = opened(System(tmp_path, opened(EmbeddedBroker(tmp_path)).start())).start()
    opened(prometheus).start()
    prometheus.target("abacus-adder", system.adder.addresses["admin"])
    prometheus.target("abacus-totals", system.totals.addresses["admin"])
    wait_until(lambda: len(prometheus.query('up{job=~"abacus-.+"} == 1')) == 2,
               "both targets to be up")
    wait_until(lambda: {"SomebodyIsCalled", "NobodyIsCalled"} <= {
        alert["labels"]["alertname"] for alert in prometheus.api("alerts")["alerts"]},
               "both alerts")
    code, said = watch(prometheus)
    assert code == WRONG and "SomebodyIsCalled fires" in said and "Nobody" not in said, said
    code, said = watch(prometheus, "--since", str(time.time() + 1))
    assert code == WELL, said


def test_a_prometheus_that_goes_away_meanwhile_cannot_tell(watched):
    _, prometheus, _ = watched
    with subprocess.Popen([ROOT / "tools/ci/watch.py", "--prometheus", prometheus.url, "--for-s",
                           "600", "--every-s", "1"], stderr=subprocess.PIPE, text=True) as process:
        prometheus.close()
        said = process.stderr.read()
    assert process.returncode == UNKNOWN and "could not tell" in said, said


def test_a_prometheus_that_sees_nothing_cannot_tell(tmp_path, opened):
    prometheus = opened(Prometheus(tmp_path)).start()
    code, said = watch(prometheus)
    assert code == UNKNOWN and 'sees no up{job="abacus-adder"}' in said, said


def test_an_absent_prometheus_cannot_tell():
    class Absent:  # pylint: disable=too-few-public-methods
        url = f"http://127.0.0.1:{free_port()}"
    code, said = watch(Absent)
    assert code == UNKNOWN and "could not tell" in said, said
