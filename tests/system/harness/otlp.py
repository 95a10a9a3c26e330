# SPDX-License-Identifier: Apache-2.0
"""A collector that behaves as a test says; it reads spans with OpenTelemetry's own messages.

A behaviour is a function of the request (below: OK, status(503), …); each request takes the next
one, and the last stays in force.
"""
import email.utils
import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest, ExportTraceServiceResponse)

from .process import PATIENCE_S, free_port, wait_until


class Request:
    """One POST as it came."""

    def __init__(self, handler):
        self.handler = handler
        self.time = time.monotonic()
        self.answered_bytes = 0  # of endless answers
        self.peer, self.path, self.headers = handler.client_address, handler.path, handler.headers
        self.body = handler.rfile.read(int(handler.headers["Content-Length"]))
        packed = handler.headers.get("Content-Encoding") == "gzip"
        self.message = ExportTraceServiceRequest.FromString(
            gzip.decompress(self.body) if packed else self.body)

    @property
    def spans(self):
        return [span for resource in self.message.resource_spans
                for scope in resource.scope_spans for span in scope.spans]

    @property
    def resource(self):
        return attributes(self.message.resource_spans[0].resource)

    def answer(self, code, body=b"", **headers):
        self.handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(body)


def attributes(message):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value"))
            for pair in message.attributes}


# --- behaviours ---
def OK(request):
    request.answer(200, ExportTraceServiceResponse().SerializeToString())


def status(code, **headers):
    return lambda request: request.answer(code, **headers)


def later_by_date(code, seconds):
    """Retry-After as a date; dates have whole seconds, so it may be up to one less."""
    return lambda request: request.answer(
        code, Retry_After=email.utils.formatdate(time.time() + seconds, usegmt=True))


def garbage(request):
    request.answer(200, b"<!DOCTYPE html><html>not a collector</html>")


def endless(begin, piece):
    """An answer that goes on as long as it is read."""
    def go_on(request):
        write = request.handler.wfile.write
        write(begin)
        while True:  # until the connection is closed
            write(piece)
            request.answered_bytes += len(piece)
    return go_on


def rejects(count):
    def partly(request):
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = count
        response.partial_success.error_message = "too many"
        request.answer(200, response.SerializeToString())
    return partly


def hang_up(request):
    """Takes the request and closes the connection without a word."""
    request.handler.close_connection = True


def silence(request):
    """Never answers, as long as the collector lives."""
    request.handler.server.collector.closing.wait()
    request.handler.close_connection = True


class OtlpCollector:
    """Not listening until start(): the port is free, so connections are refused."""

    def __init__(self, *behaviours):
        self.behaviours = list(behaviours) or [OK]
        self.requests = []  # all, whatever was answered
        self.taken = []     # spans of those that were answered with OK
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.port = free_port()
        self.server = None

    def start(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self.server.daemon_threads = True
        self.server.collector = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **more):
        """For a program that traces: each span, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50",
                **{f"OTEL_{name}": str(value) for name, value in more.items()}}

    def handle(self, request):
        with self.lock:
            self.requests.append(request)
            behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            if behave is OK:
                self.taken += request.spans
        behave(request)

    def behave(self, *behaviours):
        with self.lock:
            self.behaviours[:] = behaviours

    def named(self, name):
        """The spans with this name that were taken."""
        with self.lock:
            return [span for span in self.taken if span.name == name]

    def wait_for_requests(self, count):
        wait_until(lambda: len(self.requests) >= count, f"{count} requests to the collector")
        return self.requests

    def wait_for_spans(self, name, count, timeout_s=PATIENCE_S):
        wait_until(lambda: len(self.named(name)) >= count, f"{count} spans {name}", timeout_s)
        return self.named(name)

    def close(self):
        self.closing.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        try:
            self.server.collector.handle(Request(self))
        except ConnectionError:
            self.close_connection = True  # the exporter did not want to hear the end

    def log_message(self, *_):
        pass
