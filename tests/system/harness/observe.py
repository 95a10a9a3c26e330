# SPDX-License-Identifier: Apache-2.0
"""What watches the services: a real collector and a real Prometheus, as `up --observe` has them."""
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .process import PATIENCE_S, ROOT, Process, free_port, wait_until
from .services import http_json

BUILD_S = 1800  # the collector, once, on a slow machine


def collector_program():
    script = ROOT / "tools/otelcol.sh"
    subprocess.run([script, "build"], check=True, timeout=BUILD_S, stdout=subprocess.DEVNULL)
    path = subprocess.run([script, "path"], check=True, capture_output=True, text=True).stdout
    return path.strip()


class Collector(Process):
    """deploy/otel/local.yaml at work: OTLP comes in at self.endpoint, files come out."""

    def __init__(self, folder, logs):
        address, self.metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.endpoint = f"http://{address}"
        self.folder = folder / "observe"
        self.folder.mkdir()
        self.traces_file.touch()  # the collector makes it with the first span
        super().__init__(
            "collector", folder,
            [collector_program(), "--config", ROOT / "deploy/otel/local.yaml"],
            {"ABACUS_OTLP_ADDRESS": address, "ABACUS_LOGS": str(logs),
             "ABACUS_OTELCOL_METRICS_PORT": self.metrics.rsplit(":", 1)[1],
             "ABACUS_OBSERVE": str(self.folder)})

    def start(self):
        super().start()
        self.wait_for_log("Everything is ready")
        return self

    @property
    def traces_file(self):
        return self.folder / "traces.json"

    def environment_of_services(self):
        """Every span, soon, and none dropped when a thousand adds come at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
                "OTEL_TRACES_SAMPLER": "parentbased_always_on", "OTEL_BSP_SCHEDULE_DELAY": "100",
                "OTEL_BSP_MAX_QUEUE_SIZE": "20000"}

    def spans(self, trace_id=""):
        """Of one trace, or all; each with the attributes of its resource and its own as dicts."""
        found = []
        for line in self._lines("traces.json", trace_id):
            for resource in line["resourceSpans"]:
                of = attributes(resource["resource"])
                for scope in resource["scopeSpans"]:
                    found += [Span(span, of, scope["scope"]) for span in scope["spans"]
                              if trace_id in ("", span["traceId"])]
        return found

    def await_spans(self, count, trace_id="", where=lambda span: True):
        """At least so many spans, of the trace or for which where(span) holds; more may come."""
        def enough():
            found = [span for span in self.spans(trace_id) if where(span)]
            return found if len(found) >= count else None
        return wait_until(enough, f"{count} spans {trace_id and 'of trace '}{trace_id}")

    def logs(self, trace_id):
        """The log records that belong to the trace, as (service, text)."""
        found = []
        for line in self._lines("logs.json", trace_id):
            for resource in line["resourceLogs"]:
                service = attributes(resource["resource"]).get("service.name")
                found += [(service, record["body"]["stringValue"])
                          for scope in resource["scopeLogs"] for record in scope["logRecords"]
                          if record.get("traceId") == trace_id]
        return found

    def _lines(self, name, word):
        path = self.folder / name
        if path.exists():
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    if word in line and line.endswith("\n"):
                        yield json.loads(line)


class Span:
    """One span: the fields of OTLP's JSON, easier to ask."""
    KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}

    def __init__(self, span, resource, scope):
        self.resource, self.scope = resource, scope
        self.id, self.trace_id, self.name = span["spanId"], span["traceId"], span["name"]
        self.parent = span.get("parentSpanId", "")
        self.kind = self.KINDS[span["kind"]]
        self.begin, self.end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        self.links = [(link["traceId"], link["spanId"]) for link in span.get("links", [])]
        self.attributes = attributes(span)
        self.failed = span.get("status", {}).get("code") == 2

    @property
    def service(self):
        return self.resource["service.name"]

    def __repr__(self):
        return f"{self.kind} {self.name} ({self.service}) {self.id} below {self.parent or '-'}"


def attributes(of):
    def value(kind, content):
        return int(content) if kind == "intValue" else content
    return {pair["key"]: value(*next(iter(pair["value"].items())))
            for pair in of.get("attributes", [])}


class Prometheus(Process):
    """The deployed configuration and rules, but with targets of the test's and every second."""

    def __init__(self, folder):
        self.config = folder / "prometheus"
        self.config.mkdir()
        deployed = ROOT / "deploy/prometheus"
        shutil.copytree(deployed / "rules", self.config / "rules")
        text = (deployed / "prometheus.yml").read_text(encoding="utf-8")
        text = text.replace("_interval: 5s", "_interval: 1s").replace("timeout: 4s", "timeout: 1s")
        (self.config / "prometheus.yml").write_text(text, encoding="utf-8")
        (self.config / "targets").mkdir()
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        super().__init__("prometheus", folder, [
            "prometheus", "--config.file", self.config / "prometheus.yml", "--storage.tsdb.path",
            folder / "prometheus-data", "--enable-feature", "exemplar-storage",
            "--web.enable-remote-write-receiver", "--web.listen-address", address])

    def start(self):
        super().start()
        self.wait_for_log("Server is ready to receive web requests")
        return self

    def target(self, job, *addresses):
        """Prometheus sees the new file by itself."""
        path = self.config / f"targets/{job}.yml"
        new = path.with_suffix(".new")
        new.write_text(f"- targets: {json.dumps(addresses)}\n", encoding="utf-8")
        os.replace(new, path)

    def api(self, path, **parameters):
        return http_json(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]

    def query(self, expression):
        """[(labels, value)…] as of now."""
        return [(sample["metric"], float(sample["value"][1]))
                for sample in self.api("query", query=expression)["result"]]

    def await_value(self, expression, wanted, timeout_s=PATIENCE_S):
        """Until there is a value, and all are as wanted."""
        def all_are():
            values = [value for _, value in self.query(expression)]
            return values and all(wanted(value) for value in values)
        wait_until(all_are, f"{expression} as wanted; is {self.query(expression)}", timeout_s)

    def exemplars(self, expression):
        """[(series labels, exemplar)…] of the last hour."""
        series = self.api("query_exemplars", query=expression, start=time.time() - 3600,
                          end=time.time() + 60)
        return [(one["seriesLabels"], exemplar) for one in series for exemplar in one["exemplars"]]


class PlainText:
    """Between Prometheus and a target: asks for /metrics without saying what it understands, so
    that the answer is text 0.0.4, although Prometheus prefers OpenMetrics."""

    def __init__(self, target):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                with urllib.request.urlopen(target + self.path, timeout=PATIENCE_S) as answer:
                    body = answer.read()
                    self.send_response(200)
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
