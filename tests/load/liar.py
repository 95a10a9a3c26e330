# SPDX-License-Identifier: Apache-2.0
"""Between k6 and a service: passes every call on, except that now and then it does what a service
must never do. A load test that does not notice proves nothing."""
import http.server
import itertools
import re
import threading
import urllib.request
import uuid
from concurrent import futures

import grpc

from harness.client import ADD, adder_pb2
from harness.process import PATIENCE_S

EVERY = 10  # calls, of which one goes wrong
THREADS = 16


def wrong_sum(_, answer, __):
    answer.sum += 1
    return answer


def failing_call(_, __, context):
    context.abort(grpc.StatusCode.INTERNAL, "planted")


def added_twice(liar, answer, _):
    """As a server that has forgotten the id of an add that it has written."""
    liar.forward(adder_pb2.AddRequest(a=answer.sum, request_id=str(uuid.uuid4())))
    return answer


def answer_of_another(liar, _, __):
    """An id sent again is added again."""
    return liar.forward(adder_pb2.AddRequest(a=1, request_id=str(uuid.uuid4())))


def no_total(path, text, call):
    return "{" if path == "/v1/total" and call % EVERY == 0 else text


def more_in_the_sum(path, text, _):
    return re.sub(r'"sum": *"-?', r"\g<0>1", text) if path == "/source" else text


def growing_memory(_, text, call):
    return re.sub(r"(?m)^(process_memory_usage_bytes) .*", rf"\1 {call * 10_000_000}", text)


class HttpLiar:
    """An HTTP server at self.url; plant(path, text, number of the call) spoils an answer."""

    def __init__(self, url, plant):
        calls = itertools.count(1)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with urllib.request.urlopen(url + self.path, timeout=PATIENCE_S) as answer:
                    body = plant(self.path, answer.read().decode(), next(calls)).encode()
                self.send_response(200)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Liar:
    """A gRPC server at self.address; plant(liar, answer, context) spoils an answer."""

    def __init__(self, adder_address, plant):
        self.plant, self.calls = plant, itertools.count(1)
        self.channel = grpc.insecure_channel(adder_address)
        self.forward_call = self.channel.unary_unary(
            ADD, request_serializer=adder_pb2.AddRequest.SerializeToString,
            response_deserializer=adder_pb2.AddResponse.FromString)
        self.server = grpc.server(futures.ThreadPoolExecutor(THREADS))
        handler = grpc.unary_unary_rpc_method_handler(
            self.add, request_deserializer=adder_pb2.AddRequest.FromString,
            response_serializer=adder_pb2.AddResponse.SerializeToString)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("abacus.v1.Adder", {"Add": handler}),))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def forward(self, request):
        return self.forward_call(request, timeout=PATIENCE_S)

    def add(self, request, context):
        answer = self.forward(request)
        return self.plant(self, answer, context) if next(self.calls) % EVERY == 0 else answer

    def close(self):
        self.server.stop(None).wait(PATIENCE_S)
        self.channel.close()
