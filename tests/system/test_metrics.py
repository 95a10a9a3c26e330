# SPDX-License-Identifier: Apache-2.0
"""/metrics of both services, read by Prometheus's own parsers and held against the table."""
import gzip
import pathlib
import shutil
import subprocess
import sys

import pytest
from prometheus_client.openmetrics.parser import \
    text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from harness.metrics import scrape, wait_for_metrics
from harness.process import ROOT, wait_until
from harness.services import System, http

sys.path.insert(0, str(ROOT / "tools"))
import metrics_doc  # noqa: E402  pylint: disable=wrong-import-position

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
# Prometheus 2.42's and 3's own.
PROMETHEUS_2 = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
PROMETHEUS_3 = ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
                "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")

# What has no series before the trouble that it tells of.
IN_TROUBLE = {"abacus_kafka_errors", "abacus_relay_restarts", "abacus_negative_latency",
              "abacus_ledger_dead_letters"}
WITH_TRACING = {"otel_sdk_span_started", "otel_sdk_processor_span_processed",
                "otel_sdk_exporter_span_exported"}
# OpenTelemetry's names that Prometheus would not have chosen: gauges that end in _count.
NAMED_BY_OTEL = {"process_thread_count", "process_unix_file_descriptor_count"}

ADDS = 20


@pytest.fixture
def busy(tmp_path, embedded, opened):
    """The whole system, after some adds that have arrived, and a client's mistake."""
    system = opened(System(tmp_path, embedded)).start()
    with system.adder.client() as client:
        for i in range(ADDS):
            client.add(i, 1)
    system.totals.wait_for_total(sum(range(ADDS)) + ADDS, ADDS)
    assert http(system.totals.url + "/nowhere")[0] == 404
    return system


def page(service, accept=None):
    """(content type, page)"""
    headers = {"Accept": accept} if accept else {}
    status, answer, body = http(service.admin + "/metrics", headers=headers)
    assert status == 200
    return answer["Content-Type"], body.decode()


def families(service):
    """{name without _total: family}, as OpenMetrics."""
    return {family.name: family for family in parse_openmetrics(page(service, OPENMETRICS)[1])}


def rows_of(who):
    return {metric.name: metric for _, metrics in metrics_doc.table() for metric in metrics
            if metric.who in (who, "BOTH")}


def labels_of(metric):
    constant = [part.split("=")[0] for part in metric.constant.split(",") if part]
    return {*constant, *metric.labels.split()}


@pytest.mark.sanitized
@pytest.mark.parametrize("who", ["ADDER", "TOTALS"])
def test_what_the_table_says_of_a_service_is_what_it_exposes(busy, who):
    service = busy.adder if who == "ADDER" else busy.totals
    rows = rows_of(who)

    def missing():
        return rows.keys() - families(service).keys() - IN_TROUBLE - WITH_TRACING
    wait_until(lambda: not missing(), f"all metrics; now {sorted(missing())} are missing")
    exposed = families(service)
    exposed.pop("target")
    assert not exposed.keys() - rows.keys(), "not in metrics_table.h, or of the other service"
    for name, family in exposed.items():
        row = rows[name]
        assert family.type == row.kind.lower(), name
        assert family.documentation == row.help
        assert family.unit == ("" if row.unit == "NONE" else row.unit.lower()), name
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} <= labels_of(row), f"{name}: {sample.labels}"


@pytest.mark.parametrize("accept, content_type", [
    (None, "text/plain; version=0.0.4; charset=utf-8"),
    (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8")])
def test_each_scraper_gets_its_format(busy, accept, content_type):
    for service in (busy.adder, busy.totals):
        assert page(service, accept)[0] == content_type


def test_both_formats_have_the_same_series(busy):
    for service in (busy.adder, busy.totals):
        def series(text, parse):
            return {(sample.name, *sorted(sample.labels.items()))
                    for family in parse(text) for sample in family.samples}
        page(service), page(service)  # that the scrapes' own requests are among them
        text = series(page(service)[1], parse_text)
        openmetrics = series(page(service, OPENMETRICS)[1], parse_openmetrics)
        assert text == openmetrics


def test_the_numbers_are_those_of_what_happened(busy):
    adder, totals = busy.adder, busy.totals
    source = adder.source()["source"]
    metrics = wait_for_metrics(adder, lambda now: now.value(
        "abacus_outbox_published_total", source=source) == ADDS, "all sums to be acknowledged")
    assert metrics.value("abacus_adds_total", outcome="appended") == ADDS
    assert metrics.value("abacus_outbox_appended_total", source=source) == ADDS
    wait_for_metrics(adder, lambda now: now.value(
        "rpc_server_call_duration_seconds_count", rpc_method="abacus.v1.Adder/Add",
        rpc_response_status_code="OK") == ADDS, "all calls to be counted")
    metrics = wait_for_metrics(totals, lambda now: now.value(
        "abacus_delivery_latency_seconds_count") == ADDS, "all latencies to be counted")
    assert metrics.value("abacus_ledger_applied_total", source=source) == ADDS
    wait_for_metrics(totals, lambda now: now.value(
        "http_server_request_duration_seconds_count", http_response_status_code="404") == 1,
        "the mistake to be counted")
    for service in (adder, totals):
        metrics = scrape(service)
        assert metrics.value("abacus_ready", condition="running") == 1
        assert metrics.value("process_memory_usage_bytes") > 1_000_000


def test_a_scraper_that_takes_gzip_gets_the_same_in_fewer_bytes(busy):
    _, plain = page(busy.totals)
    _, headers, packed = http(busy.totals.admin + "/metrics", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert len(packed) < len(plain) / 4
    unpacked = gzip.decompress(packed).decode()
    assert [line.rsplit(" ", 1)[0] for line in plain.splitlines() if "abacus_ledger" in line] == \
        [line.rsplit(" ", 1)[0] for line in unpacked.splitlines() if "abacus_ledger" in line]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is in the package prometheus")
def test_promtool_has_nothing_to_say_but_about_the_conventions(busy):
    for service in (busy.adder, busy.totals):
        done = subprocess.run(["promtool", "check", "metrics"], input=page(service)[1],
                              capture_output=True, text=True, check=False)
        found = [line for line in (done.stdout + done.stderr).splitlines()
                 if not line.startswith(tuple(NAMED_BY_OTEL))]
        assert not found and done.returncode in (0, 3), done  # 3: it read all, and has advice


def test_the_peak_of_memory_is_the_service_s_own(busy):
    for service in (busy.adder, busy.totals):  # started by this process, which has had more
        peak = scrape(service).value("abacus_process_memory_peak_bytes")
        status = pathlib.Path(f"/proc/{service.pid}/status").read_text(encoding="ascii")
        later = int(status.split("VmHWM:")[1].split()[0]) * 1024
        assert 0 < peak <= later, service.name
