# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus reads both services: what it takes, and that every panel, rule and alert finds
what it asks for. All tests share one system in which everything has gone wrong once."""
import contextlib
import json
import re
import secrets
import subprocess
import sys
import threading
import time
import uuid

import grpc
import pytest

from harness import events
from harness.kafka import Kafka
from harness.observe import Collector, PlainText, Prometheus
from harness.process import PATIENCE_S, ROOT, wait_until
from harness.services import Adder, System, http

pytestmark = pytest.mark.timeout(600)  # the first test pays for all that goes wrong

BACKLOG_MAX = 300
SPAN_QUEUE = 64

# Names of metrics and of recorded series in an expression.
NAME = re.compile(r"\b(?:abacus|rpc|http|messaging|db|otel|otelcol|process)[_:][a-z0-9_:]+"
                  r"(?=[\[{ )]|$)")


class Trickle:
    """Some adds a second, each of a sampled trace, whatever becomes of them."""

    def __init__(self, adder):
        self.adder = adder
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with self.adder.client() as client:
            while not self.ended.wait(0.05):
                with contextlib.suppress(grpc.RpcError):
                    client.add(1, 1, metadata=sampled())

    def close(self):
        self.ended.set()
        self.thread.join()


def sampled():
    return [("traceparent", f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")]


class Watched:
    """Services, collector and Prometheus, under a little load."""

    def __init__(self, folder, opened):
        self.folder = folder
        self.kafka = opened(Kafka(folder)).start()
        self.collector = opened(Collector(folder, folder)).start()
        environment = {**self.collector.environment_of_services(),
                       "OTEL_BSP_MAX_QUEUE_SIZE": str(SPAN_QUEUE),
                       "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(SPAN_QUEUE),
                       "OTEL_BSP_EXPORT_TIMEOUT": "1000"}
        self.system = opened(System(
            folder, self.kafka, {"environment": environment, "backlog_max": BACKLOG_MAX},
            {"environment": environment})).start()
        self.adder, self.totals = self.system.adder, self.system.totals
        self.prometheus = opened(Prometheus(folder)).start()
        self.plain = [opened(PlainText(service.admin)) for service in (self.adder, self.totals)]
        opened(Trickle(self.adder))
        self.watch()

    def watch(self):
        target = self.prometheus.target
        target("abacus-adder", self.adder.addresses["admin"])
        target("abacus-totals", self.totals.addresses["admin"])
        target("telemetry", self.collector.metrics)
        # The same pages again, as text 0.0.4: a job that no rule or panel looks at.
        target("telemetry-plain", *(plain.address for plain in self.plain))
        for job, count in (("abacus-adder", 1), ("abacus-totals", 1), ("telemetry", 3)):
            self.prometheus.await_value(f'count(up{{job="{job}"}} == 1)', lambda n, w=count: n == w)

    # --- everything goes wrong once ---
    def provoke(self):
        self.take_kafka_away()
        self.refuse()
        self.confuse_the_ledger()
        self.take_the_collector_away()
        self.take_an_adder_away()
        wait_until(lambda: self.adder.ready() and self.totals.ready(), "both to be ready again")

    def refuse(self):
        with self.adder.client() as client, pytest.raises(grpc.RpcError):
            client.add(2**63 - 1, 1)
        for service in (self.adder.admin, self.totals.admin, self.totals.url):
            assert http(service + "/nowhere")[0] == 404

    def confuse_the_ledger(self):
        """A message that is no event, a source whose first events never come, a replay."""
        topic = self.system.topic
        self.kafka.produce(topic, b"key", b"value", [])
        events.send(self.kafka, topic, str(uuid.uuid4()), 5, 1, 1)
        with self.adder.client() as client:
            source = client.add(1, 1).source
        assert self.adder.replay(1)[0] in (200, 202)
        wait_until(lambda: int(self.totals.source(source)["duplicates"]) > 0, "duplicates")

    def take_kafka_away(self):
        """So long that the backlog is full; then it comes back without the topic. Totals comes back
        when there is one again: how it finds a new one by itself is for test_trouble.py."""
        self.totals.pin_ports()
        self.kafka.kill()
        self.prometheus.await_value("sum(abacus_kafka_errors_total)", lambda errors: errors > 0)
        self.totals.kill()
        with self.adder.client() as client:
            wait_until(lambda: refused(client), "an add to be refused: the backlog is full")
        self.kafka.wipe()
        self.kafka.start()
        wait_until(lambda: int(self.adder.source()["backlog"]) < BACKLOG_MAX / 2,
                   "the backlog to drain", 2 * PATIENCE_S)
        self.totals.start().wait_ready()

    def take_the_collector_away(self):
        self.collector.stop()
        self.prometheus.await_value(
            'sum(otel_sdk_exporter_span_exported_total{error_type!="",job="abacus-adder"})',
            lambda lost: lost > 0)
        with self.adder.client() as client:
            for later in [client.add_later(1, 1, metadata=sampled())
                          for _ in range(4 * SPAN_QUEUE)]:
                later.exception()
        self.collector.start()


    def take_an_adder_away(self):
        """Prometheus has seen its source, and then no more."""
        other = Adder(self.folder, self.kafka.address, self.system.topic, name="other",
                      outbox=self.folder / "other.db")
        with contextlib.closing(other.start()):
            with other.client() as client:
                source = client.add(1, 1).source
            self.prometheus.target("abacus-adder-other", other.addresses["admin"])
            self.prometheus.await_value(f'abacus_outbox_appended_total{{source="{source}"}}', bool)
        self.prometheus.target("abacus-adder-other")


def refused(client):
    try:
        client.add(1, 1)
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return False


@pytest.fixture(name="watched", scope="module")
def _watched(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        watched = Watched(tmp_path_factory.mktemp("watched"),
                          lambda thing: stack.enter_context(contextlib.closing(thing)))
        watched.provoke()
        yield watched


@pytest.fixture(name="prometheus")
def _prometheus(watched):
    return watched.prometheus


# --- scrapes ---
REJECTED = ["prometheus_target_scrapes_sample_duplicate_timestamp_total",
            "prometheus_target_scrapes_sample_out_of_order_total",
            "prometheus_target_scrapes_sample_out_of_bounds_total",
            "prometheus_target_scrapes_exceeded_sample_limit_total",
            "prometheus_target_scrapes_exceeded_body_size_limit_total",
            "prometheus_target_scrapes_exemplar_out_of_order_total"]


def test_every_sample_and_exemplar_is_taken(watched, prometheus):
    _, _, body = http(prometheus.url + "/metrics")
    own = dict(re.findall(r"^(\w+) ([0-9.e+]+)$", body.decode(), re.MULTILINE))
    assert {name: float(own[name]) for name in REJECTED} == {name: 0 for name in REJECTED}
    for job in ("abacus-adder", "abacus-totals"):
        prometheus.await_value(f'scrape_samples_scraped{{job="{job}"}}', lambda count: count > 50)
        lost = (f'scrape_samples_scraped{{job="{job}"}} - '
                f'scrape_samples_post_metric_relabeling{{job="{job}"}}')
        prometheus.await_value(lost, lambda count: count == 0)
    assert "err=" not in watched.prometheus.log()


def test_text_and_openmetrics_have_the_same_series(watched, prometheus):
    def series(labels):
        found = prometheus.query(f'count({{__name__!~"up|scrape_.+|ALERTS.*|.*:.*",{labels}}})')
        return found and found[0][1]
    for service, plain in zip((watched.adder, watched.totals), watched.plain):
        wait_until(lambda s=service, p=plain: series(f'instance="{s.addresses["admin"]}"') ==
                   series(f'instance="{p.address}"'),
                   f"as many series of {service.name} in either format")


def test_exemplars_lead_to_traces(watched, prometheus):
    for metric in ("abacus_delivery_latency_seconds_bucket",
                   "rpc_server_call_duration_seconds_bucket"):
        found = wait_until(lambda m=metric: prometheus.exemplars(m), f"exemplars of {metric}")
        assert all(re.fullmatch("[0-9a-f]{32}", exemplar["labels"]["trace_id"])
                   for _, exemplar in found), found
        wait_until(lambda f=found: any(watched.collector.spans(exemplar["labels"]["trace_id"])
                                       for _, exemplar in f),
                   f"the trace of an exemplar of {metric}")


# --- panels, rules, alerts ---
def await_data(prometheus, wanted):
    """wanted: {expression: where it is from}. All that give no data in the end are told."""
    missing = dict(wanted)

    def all_have():
        for expression in list(missing):
            if prometheus.query(expression):
                del missing[expression]
        return not missing
    with contextlib.suppress(AssertionError):
        wait_until(all_have, "data")
    assert not missing, "these give no data:\n" + "\n".join(
        f"{where}: {expression}" for expression, where in missing.items())


def test_every_panel_of_every_board_has_data(prometheus):
    done = subprocess.run([sys.executable, ROOT / "deploy/grafana/generate.py", "--queries"],
                          check=True, capture_output=True, text=True)
    # Those of k6 are asked for where k6 runs: tests/load.
    panels = [panel for panel in json.loads(done.stdout) if panel["expect"] != "with-k6"]
    assert panels
    await_data(prometheus, {panel["query"]: f"{panel['board']}, {panel['panel']}"
                            for panel in panels})


def rules(prometheus, kind):
    return [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]
            if rule["type"] == kind]


def test_every_recording_rule_gives_data(prometheus):
    recorded = rules(prometheus, "recording")
    await_data(prometheus, {rule["name"]: rule["query"] for rule in recorded})
    assert {rule["name"]: rule.get("lastError") for rule in rules(prometheus, "recording")
            if rule["health"] != "ok"} == {}


def test_every_alert_evaluates_and_finds_the_series_it_watches(prometheus):
    alerts = rules(prometheus, "alerting")
    assert alerts
    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules(prometheus, "alerting")),
               "every alert to be evaluated once")
    assert {rule["name"]: rule.get("lastError") for rule in rules(prometheus, "alerting")
            if rule["health"] != "ok"} == {}
    await_data(prometheus, {name: f"alert {rule['name']}" for rule in alerts
                            for name in NAME.findall(rule["query"])})


def test_what_went_wrong_has_raised_its_alert(prometheus):
    def firing():
        return {alert["labels"]["alertname"] for alert in prometheus.api("alerts")["alerts"]
                if alert["state"] == "firing"}
    wait_until(lambda: "DeadLetters" in firing(), f"DeadLetters to fire; firing: {firing()}")


# --- when what watches is away ---
def test_without_a_collector_adds_go_on_and_the_loss_is_counted(watched, prometheus):
    watched.collector.stop()
    try:
        before = int(watched.adder.source()["count"])
        wait_until(lambda: int(watched.adder.source()["count"]) > before + 20, "more adds")
        prometheus.await_value('sum by (job) (increase('
                               'otel_sdk_exporter_span_exported_total{error_type!=""}[20s]))',
                               lambda lost: lost > 0, 2 * PATIENCE_S)
    finally:
        watched.collector.start()
