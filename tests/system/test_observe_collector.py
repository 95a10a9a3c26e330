# SPDX-License-Identifier: Apache-2.0
"""deploy/otel/collector.yaml in a real collector, with stand-ins for Tempo and Loki that read what
they get with OpenTelemetry's own messages."""
import contextlib
import datetime
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness.observe import collector_program
from harness.process import ROOT, Process, free_port, run, wait_until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc)
TIME = "2026-01-02T03:04:05.678901Z"


class Backend:
    """Takes everything that is posted, and keeps (path, body)."""

    def __init__(self):
        got = self.got = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                got.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def messages(self, path, kind):
        assert {one for one, _ in self.got} <= {path}
        return [kind.FromString(body) for _, body in list(self.got)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="tempo")
def _tempo(opened):
    return opened(Backend())


@pytest.fixture(name="loki")
def _loki(opened):
    return opened(Backend())


@pytest.fixture(name="otlp")
def _otlp(tmp_path, tempo, loki, opened):
    """A running collector's OTLP address. Its other ports, which are fixed, are taken from it."""
    address = f"127.0.0.1:{free_port()}"
    changes = [f"receivers::otlp::protocols::http::endpoint: {address}",
               "receivers::otlp::protocols::grpc::endpoint: 127.0.0.1:0",
               "extensions::health_check::endpoint: 127.0.0.1:0",
               "service::telemetry::metrics::level: none"]
    collector = opened(Process(
        "collector", tmp_path,
        [collector_program(), "--config", ROOT / "deploy/otel/collector.yaml",
         *(word for change in changes for word in ("--config", f"yaml:{change}"))],
        {"TEMPO_ENDPOINT": tempo.url, "LOKI_ENDPOINT": loki.url + "/otlp",
         "ABACUS_LOGS": str(tmp_path / "logs/*.log")}))
    (tmp_path / "logs").mkdir()
    collector.start().wait_for_log("Everything is ready")
    return f"http://{address}"


def log_line(message, **fields):
    return json.dumps({"time": TIME, "level": "warn", "service": "abacus-adder", "module": "relay",
                       **fields, "message": message, "sequence": 5})


def test_configurations_are_valid():
    run(collector_program(), "validate", "--config", ROOT / "deploy/otel/collector.yaml")
    run(collector_program(), "validate", "--config", ROOT / "deploy/otel/local.yaml", environment={
        "ABACUS_OTLP_ADDRESS": "127.0.0.1:1", "ABACUS_OTELCOL_METRICS_PORT": "1",
        "ABACUS_LOGS": "/nowhere", "ABACUS_OBSERVE": "/nowhere"})


def test_traces_go_to_tempo(otlp, tempo):
    span = {"traceId": TRACE, "spanId": SPAN, "name": "an add", "kind": 2,
            "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    answer = requests.post(otlp + "/v1/traces", timeout=10, json={
        "resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert answer.status_code == 200, answer.text
    (message,) = wait_until(lambda: tempo.messages("/v1/traces", ExportTraceServiceRequest),
                            "the span at Tempo")
    got = message.resource_spans[0].scope_spans[0].spans[0]
    assert (got.trace_id.hex(), got.span_id.hex(), got.name) == (TRACE, SPAN, "an add")


@pytest.mark.usefixtures("otlp")
@pytest.mark.parametrize("wrap", ["{}", TIME + " stderr F {}", None], ids=[
    "as they are", "as Kubernetes wraps them", "as Docker wraps them"])
def test_log_lines_go_to_loki_with_their_trace(tmp_path, loki, wrap):
    line = log_line("not publishing", trace_id=TRACE, span_id=SPAN)
    wrapped = wrap.format(line) if wrap else json.dumps(
        {"log": line + "\n", "stream": "stderr", "time": TIME})
    (tmp_path / "logs/adder.log").write_text(wrapped + "\n", encoding="utf-8")
    (message,) = wait_until(lambda: loki.messages("/otlp/v1/logs", ExportLogsServiceRequest),
                            "the line at Loki")
    (resource,) = message.resource_logs
    record = resource.scope_logs[0].log_records[0]
    attributes = {pair.key: pair.value for pair in record.attributes}
    assert {pair.key: pair.value.string_value for pair in resource.resource.attributes} == {
        "service.name": "abacus-adder"}
    assert record.body.string_value == "not publishing"
    assert record.severity_text == "warn" and record.severity_number == 13
    assert record.time_unix_nano == int(NOW.timestamp()) * 10**9 + NOW.microsecond * 1000
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE, SPAN)
    assert attributes["sequence"].int_value == 5
    assert attributes["module"].string_value == "relay"
    assert not {"time", "level", "message", "service", "trace_id", "span_id"} & set(attributes)


@pytest.mark.usefixtures("otlp")
def test_what_is_no_json_goes_on_as_text(tmp_path, loki):
    lines = ["a library speaks", "{not json", log_line("and then we")]
    (tmp_path / "logs/totals.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def bodies():
        return {record.body.string_value
                for message in loki.messages("/otlp/v1/logs", ExportLogsServiceRequest)
                for resource in message.resource_logs for scope in resource.scope_logs
                for record in scope.log_records}
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(bodies()) >= 3, "three lines")
    assert bodies() == {"a library speaks", "{not json", "and then we"}
