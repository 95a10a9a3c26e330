# SPDX-License-Identifier: Apache-2.0
"""The official client (grpcio) against our layer: health, reflection, deadlines, limits, the end.

What no proper client sends is in test_grpc_situations.py and test_grpc_abuse.py.
"""
import contextlib
import shutil
import threading
import time

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)

from harness.interop import InteropServer
from harness.process import PATIENCE_S, run, wait_until

pytestmark = pytest.mark.sanitized

STEERED = "/abacus.test.Steered/"
TESTING = "grpc.testing.TestService"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    health_pb2.HealthCheckResponse.ServingStatus.Value(name)
    for name in ("SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"))


def open_channel(server, *options, **more):
    """A connection of its own; channels would else share one."""
    return grpc.insecure_channel(
        server.address, options=[("grpc.use_local_subchannel_pool", 1), *options], **more)


def method(channel, name):
    """A call of bytes, without stubs."""
    return channel.unary_unary(name if name.startswith("/") else STEERED + name)


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    server = InteropServer(tmp_path_factory.mktemp("protocol")).start()
    yield server
    assert server.stop() == 0
    server.assert_clean()


@pytest.fixture
def channel(standing):
    with open_channel(standing) as channel:
        yield channel


@pytest.fixture
def serve(tmp_path):
    """serve(**limits) starts a server of the test's own, whose stop waits for slow tests."""
    with contextlib.ExitStack() as stack:
        def starter(**limits):
            server = InteropServer(tmp_path, grace_ms=500 * PATIENCE_S, **limits).start()
            stack.callback(server.close)
            return server
        yield starter


def fails_with(code):
    """Expects the call in its block to fail with that status; yields the error afterwards."""
    @contextlib.contextmanager
    def expectation():
        with pytest.raises(grpc.RpcError) as failed:
            yield failed
        assert failed.value.code() == code, failed.value
    return expectation()


# --- calls ---
@pytest.mark.parametrize("size", [0, 1, 16384, 1 << 20, (4 << 20) - 5])
def test_bytes_come_back(channel, size):
    body = bytes(i & 0xff for i in range(251)) * (size // 251 + 1)
    assert method(channel, "Echo")(body[:size], timeout=PATIENCE_S) == body[:size]


def test_a_message_above_the_limit_is_resource_exhausted(channel):
    with fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED):
        method(channel, "Echo")(bytes((4 << 20) + 1), timeout=PATIENCE_S)
    assert method(channel, "Echo")(b"still here", timeout=PATIENCE_S) == b"still here"


def test_a_thousand_calls_at_once_are_all_answered(channel):
    echo = method(channel, "Echo")
    futures = [echo.future(str(i).encode(), timeout=PATIENCE_S) for i in range(1000)]
    assert [future.result() for future in futures] == [str(i).encode() for i in range(1000)]


def test_an_unknown_method_is_unimplemented(channel):
    for name in ("Nothing", "/no.Such/Method"):
        with fails_with(grpc.StatusCode.UNIMPLEMENTED):
            method(channel, name)(b"", timeout=PATIENCE_S)


@pytest.mark.parametrize("size", [0, 10, 100000])
def test_a_gzipped_request_is_understood(standing, size):
    with open_channel(standing, compression=grpc.Compression.Gzip) as channel:
        assert method(channel, "Echo")(b"x" * size, timeout=PATIENCE_S) == b"x" * size


def test_a_deflated_request_is_unimplemented(standing):
    with open_channel(standing, compression=grpc.Compression.Deflate) as channel:
        with fails_with(grpc.StatusCode.UNIMPLEMENTED):
            method(channel, "Echo")(b"x" * 1000, timeout=PATIENCE_S)


def test_a_gzip_bomb_is_resource_exhausted(standing):
    with open_channel(standing, compression=grpc.Compression.Gzip) as channel:
        with fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED):
            method(channel, "Echo")(bytes(5 << 20), timeout=PATIENCE_S)


@pytest.mark.parametrize("count", [1, 20])
def test_metadata_come_back_both_ways(channel, count):
    unary = method(channel, f"/{TESTING}/UnaryCall")
    binary = bytes(range(256))
    metadata = [("x-grpc-test-echo-initial", "a value"),
                ("x-grpc-test-echo-trailing-bin", binary)]
    metadata += [(f"x-other-{i}", "y" * 50) for i in range(count)]
    _, call = unary.with_call(b"", timeout=PATIENCE_S, metadata=metadata)
    assert dict(call.initial_metadata())["x-grpc-test-echo-initial"] == "a value"
    assert dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"] == binary


# --- deadlines and cancellation ---
def test_a_deadline_ends_the_call_and_frees_its_place(serve):
    server = serve(streams_max=4)
    with open_channel(server) as channel:
        park = method(channel, "Park")
        for _ in range(3):
            with fails_with(grpc.StatusCode.DEADLINE_EXCEEDED):
                park(b"", timeout=0.1)
        assert method(channel, "Echo")(b"x", timeout=PATIENCE_S) == b"x"
        assert method(channel, "Tell")(b"release", timeout=PATIENCE_S) == b""
        assert park(b"", timeout=PATIENCE_S) == b""


def test_a_cancelled_call_is_let_go(serve):
    server = serve()
    with open_channel(server) as channel:
        park = method(channel, "Park")
        futures = [park.future(b"") for _ in range(50)]
        assert method(channel, "Echo")(b"x", timeout=PATIENCE_S) == b"x"  # so they have arrived
        for future in futures:
            future.cancel()
        assert method(channel, "Tell")(b"release", timeout=PATIENCE_S) == b""
        assert park(b"", timeout=PATIENCE_S) == b""
    assert server.stop() == 0


# --- health ---
def test_health_check(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", TESTING):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
        assert answer.status == SERVING
    with fails_with(grpc.StatusCode.NOT_FOUND):
        health.Check(health_pb2.HealthCheckRequest(service="no.Such"), timeout=PATIENCE_S)


def test_health_list(channel):
    answer = health_pb2_grpc.HealthStub(channel).List(
        health_pb2.HealthListRequest(), timeout=PATIENCE_S)
    assert {name: entry.status for name, entry in answer.statuses.items()} == {
        "": SERVING, TESTING: SERVING}


def test_health_watch_tells_every_change_at_once(serve):
    server = serve()
    with open_channel(server) as channel:
        stub, tell = health_pb2_grpc.HealthStub(channel), method(channel, "Tell")
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
                   for service in ["", TESTING] * 10]
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"), timeout=PATIENCE_S)
        assert next(unknown).status == SERVICE_UNKNOWN
        assert [next(watch).status for watch in watches] == [SERVING] * 20
        watches[0].cancel()
        for status, word in ((NOT_SERVING, b"not_serving"), (SERVING, b"serving")):
            tell(word, timeout=PATIENCE_S)
            assert [next(watch).status for watch in watches[1:]] == [status] * 19
        server.terminate()
        with fails_with(grpc.StatusCode.UNAVAILABLE):
            next(watches[1])
        with fails_with(grpc.StatusCode.UNAVAILABLE):
            next(unknown)  # it was told of no change
    assert server.wait() == 0


# --- reflection ---
class Version1Stub:
    """The same messages under the new package's name."""

    def __init__(self, channel):
        self.ServerReflectionInfo = channel.stream_stream(  # pylint: disable=invalid-name
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)


@pytest.fixture(params=["v1", "v1alpha"])
def database(request, channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    if request.param == "v1":
        database._stub = Version1Stub(channel)  # pylint: disable=protected-access
    return database


def test_reflection_lists_the_services(database):
    assert list(database.get_services()) == [
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", TESTING]


def test_reflection_is_enough_to_make_a_call(database, channel):
    pool = descriptor_pool.DescriptorPool(database)
    unary = pool.FindServiceByName(TESTING).FindMethodByName("UnaryCall")
    request = message_factory.GetMessageClass(unary.input_type)
    response = message_factory.GetMessageClass(unary.output_type)
    call = channel.unary_unary(f"/{TESTING}/UnaryCall",
                               request_serializer=request.SerializeToString,
                               response_deserializer=response.FromString)
    answer = call(request(response_size=10, fill_server_id=True), timeout=PATIENCE_S)
    assert (answer.payload.body, answer.server_id) == (bytes(10), "abacus")
    asked = request()
    asked.response_status.code, asked.response_status.message = 9, "grüße\n%"
    with fails_with(grpc.StatusCode.FAILED_PRECONDITION) as failed:
        call(asked, timeout=PATIENCE_S)
    assert failed.value.details() == "grüße\n%"


def test_reflection_finds_files_and_symbols_and_what_is_not_there(database):
    assert database.FindFileByName("testing.proto").package == "grpc.testing"
    for symbol in (TESTING, "grpc.testing.Payload", "grpc.testing.TestService.EmptyCall",
                   "grpc.health.v1.HealthCheckResponse.SERVING"):
        assert database.FindFileContainingSymbol(symbol).name, symbol
    assert list(database.FindAllExtensionNumbers("grpc.testing.Payload")) == []
    for lookup, name in ((database.FindFileByName, "no.proto"),
                         (database.FindFileContainingSymbol, "no.Such"),
                         (database.FindFileContainingSymbol, "grpc.testing.Payloa"),
                         (database.FindAllExtensionNumbers, "no.Such")):
        with pytest.raises(KeyError):
            lookup(name)


def test_reflection_gives_a_file_with_all_it_imports_each_once(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(file_by_filename="testing.proto")
    answer = next(stub.ServerReflectionInfo(iter([question]), timeout=PATIENCE_S))
    files = [descriptor_pb2.FileDescriptorProto.FromString(file)
             for file in answer.file_descriptor_response.file_descriptor_proto]
    assert files[0].name == "testing.proto"
    assert sorted(file.name for file in files[1:]) == [
        "payload.proto", "streaming.proto", "unary.proto"]


def test_reflection_answers_many_questions_on_one_stream(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    questions = [reflection_pb2.ServerReflectionRequest(file_by_filename="testing.proto"),
                 reflection_pb2.ServerReflectionRequest(file_by_filename="no.proto"),
                 reflection_pb2.ServerReflectionRequest(list_services="*")] * 20
    answers = list(stub.ServerReflectionInfo(iter(questions), timeout=PATIENCE_S))
    assert [answer.original_request for answer in answers] == questions
    proto = descriptor_pb2.FileDescriptorProto.FromString(
        answers[0].file_descriptor_response.file_descriptor_proto[0])
    assert proto.name == "testing.proto"
    assert answers[1].error_response.error_code == 5


def test_reflection_asked_for_nothing_is_invalid(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    with fails_with(grpc.StatusCode.INVALID_ARGUMENT):
        list(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest()]),
                                       timeout=PATIENCE_S))
    assert not list(stub.ServerReflectionInfo(iter([]), timeout=PATIENCE_S))


# --- the ends of connections ---
class Load(threading.Thread):
    """Calls one after the other until told to stop; counts what came of them."""

    def __init__(self, server, go_on):
        super().__init__()
        self.server, self.go_on = server, go_on
        self.good, self.bad = 0, []

    def run(self):
        with open_channel(self.server) as channel:
            echo = method(channel, "Echo")
            while self.go_on(self):
                try:
                    echo(b"x", timeout=PATIENCE_S)
                    self.good += 1
                except grpc.RpcError as error:
                    self.bad.append(error)


def test_stop_fails_no_call_that_was_taken(serve):
    server = serve()
    loads = [Load(server, lambda load: not load.bad) for _ in range(8)]
    for load in loads:
        load.start()
    wait_until(lambda: all(load.good > 100 for load in loads), "all to be busy")
    assert server.stop() == 0
    for load in loads:
        load.join()
        # The one failure is the first call that found nobody: never one that was cut.
        assert len(load.bad) == 1 and load.bad[0].code() == grpc.StatusCode.UNAVAILABLE
        details = load.bad[0].details()
        assert any(word in details for word in ("failed to connect", "refused", "shutdown")), \
            details


def test_connections_that_grow_old_fail_no_call(serve):
    server = serve(age_max_ms=200)
    until_s = time.monotonic() + 2
    loads = [Load(server, lambda load: not load.bad and (
        load.good <= 100 or time.monotonic() < until_s)) for _ in range(4)]
    for load in loads:
        load.start()
    for load in loads:
        load.join()
        assert not load.bad
    assert server.stop() == 0


def test_keepalive_of_a_proper_client_is_welcome(serve):
    server = serve(ping_interval_min_ms=100)
    options = [("grpc.keepalive_time_ms", 200), ("grpc.keepalive_timeout_ms", 5000),
               ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    with open_channel(server, *options) as channel:
        with fails_with(grpc.StatusCode.DEADLINE_EXCEEDED):
            method(channel, "Park")(b"", timeout=2)
        assert method(channel, "Tell")(b"release", timeout=PATIENCE_S) == b""


# --- many ---
@pytest.mark.skipif(shutil.which("h2load") is None, reason="needs h2load (nghttp2-client)")
@pytest.mark.parametrize("connections, streams, calls", [(1, 250, 20000), (100, 100, 50000),
                                                         (1000, 2, 20000)])
def test_many_connections_and_streams(standing, tmp_path, connections, streams, calls):
    body = tmp_path / "body"
    body.write_bytes(b"\0\0\0\0\3abc")
    said = run("h2load", "-c", connections, "-m", streams, "-n", calls, "-d", body,
               "-H", "content-type: application/grpc", "-H", "te: trailers",
               f"http://{standing.address}{STEERED}Echo", timeout_s=4 * PATIENCE_S).stdout
    assert f"{calls} succeeded, 0 failed, 0 errored, 0 timeout" in said, said
