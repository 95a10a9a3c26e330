# SPDX-License-Identifier: Apache-2.0
"""A sum goes from gRPC to the total exactly once; what callers may send, and what they get."""
import datetime
import json
import uuid

import grpc
import pytest
from cloudevents.core.bindings import kafka as cloudevents_kafka

from harness.client import ADD, adder_pb2, error_info
from harness.services import System

pytestmark = pytest.mark.sanitized

INT64_MAX = 2**63 - 1
INT64_MIN = -2**63


def failure(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def rows(system):
    return int(system.adder.source()["count"])


def test_adds_arrive_in_the_total_and_the_verdict_is_good(system):
    with system.adder.client() as client:
        sums = [client.add(n, -3 * n + 1).sum for n in range(200)]
    assert sums == [1 - 2 * n for n in range(200)]
    system.totals.wait_for_total(sum(sums), 200)
    code, said = system.check()
    assert code == 0, said


def test_topic_is_made_as_asked(system):
    assert len(system.kafka.topics()[system.topic].partitions) == 4


def test_adds_arrive_over_the_embedded_broker(tmp_path, embedded, opened):
    system = opened(System(tmp_path, embedded)).start()
    with system.adder.client() as client:
        sums = [client.add(n, n).sum for n in range(50)]
    system.totals.wait_for_total(sum(sums), 50)
    code, said = system.check()
    assert code == 0, said


def test_answers_name_their_source_and_count_its_sequence(system):
    source = system.adder.source()["source"]
    with system.adder.client() as client:
        answers = [client.add(1, 1) for _ in range(3)]
    assert [(a.source, a.sequence) for a in answers] == [(source, 1), (source, 2), (source, 3)]


def test_total_goes_beyond_64_bits(system):
    with system.adder.client() as client:
        for _ in range(3):
            client.add(INT64_MAX, 0)
    system.totals.wait_for_total(3 * INT64_MAX, 3)
    code, said = system.check()
    assert code == 0, said


@pytest.mark.parametrize("a, b", [(INT64_MAX, 1), (INT64_MIN, -1), (INT64_MAX, INT64_MAX),
                                  (INT64_MIN, INT64_MIN)])
def test_sum_outside_int64_is_out_of_range_and_writes_nothing(system, a, b):
    with system.adder.client() as client:
        error = failure(lambda: client.add(a, b))
        assert error.code() == grpc.StatusCode.OUT_OF_RANGE
        assert error_info(error).reason == "SUM_OUT_OF_RANGE"
        assert error_info(error).domain != ""
        assert client.add(INT64_MAX, INT64_MIN).sequence == 1  # the first row


# --- request_id ---
def test_same_request_id_gets_the_same_answer_and_one_row(system):
    request_id = str(uuid.uuid4())
    with system.adder.client() as client:
        first = client.add(2, 3, request_id)
        assert client.add(2, 3, request_id) == first
        assert client.add(2, 3, request_id.upper()) == first  # a UUID, not a text
    assert rows(system) == 1


def test_request_id_is_remembered_over_a_restart(system):
    request_id = str(uuid.uuid4())
    with system.adder.client() as client:
        first = client.add(2, 3, request_id)
    system.adder.kill()
    system.adder.start().wait_ready()
    with system.adder.client() as client:
        assert client.add(2, 3, request_id) == first
    assert rows(system) == 1


def test_request_id_with_other_numbers_is_refused(system):
    request_id = str(uuid.uuid4())
    with system.adder.client() as client:
        client.add(2, 3, request_id)
        error = failure(lambda: client.add(3, 2, request_id))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(error).reason == "REQUEST_ID_REUSED"
    assert rows(system) == 1


@pytest.mark.parametrize("request_id", ["x", "12345678", str(uuid.uuid4())[:-1],
                                        str(uuid.uuid4()) + "0", "ü" * 18])
def test_request_id_that_is_no_uuid_is_refused(system, request_id):
    with system.adder.client() as client:
        error = failure(lambda: client.add(2, 3, request_id))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert rows(system) == 0


def test_ten_callers_at_once_with_one_request_id_make_one_row(system, opened):
    request_id = str(uuid.uuid4())
    clients = [opened(system.adder.client()) for _ in range(10)]
    answers = [later.result() for later in [c.add_later(2, 3, request_id) for c in clients]]
    assert all(answer == answers[0] for answer in answers)
    assert rows(system) == 1


# --- what is not the message ---
@pytest.mark.parametrize("body", [b"\xff", b"\x08", b"\x0a\x05ab", b"\x1a\x02\xff\xfe",
                                  b"not a message at all"])
def test_bytes_that_are_not_the_message_are_an_internal_error(system, body):
    with system.adder.client() as client:
        error = failure(lambda: client.send_bytes(ADD, body))
        assert error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT)
        assert client.add(1, 1).sum == 2  # the connection goes on


def test_unknown_fields_are_ignored(system):
    request = adder_pb2.AddRequest(a=2, b=3).SerializeToString() + b"\xfa\x01\x03abc"
    with system.adder.client() as client:
        answer = adder_pb2.AddResponse.FromString(client.send_bytes(ADD, request))
    assert answer.sum == 5


def test_message_larger_than_the_limit_is_refused(system):
    with system.adder.client() as client:
        error = failure(lambda: client.send_bytes(ADD, b"\x1a" + bytes(5 * 1024 * 1024)))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert client.add(1, 1).sum == 2


@pytest.mark.parametrize("method", ["/abacus.v1.Adder/Subtract", "/abacus.v1.Nobody/Add", "/x"])
def test_unknown_method_is_unimplemented(system, method):
    with system.adder.client() as client:
        error = failure(lambda: client.send_bytes(method, b""))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert client.add(1, 1).sum == 2


def test_gzip_is_understood(system):
    with system.adder.client() as client:
        assert client.add(2, 3, compression=grpc.Compression.Gzip).sum == 5


# --- the event ---
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_event_is_readable_with_the_official_cloudevents_sdk(system):
    with system.adder.client() as client:
        answer = client.add(2, -5, metadata=[("traceparent", TRACEPARENT)])
    message = system.kafka.read(system.topic, 1)[0]
    event = cloudevents_kafka.from_binary_event(cloudevents_kafka.KafkaMessage(
        headers=dict(message.headers()), key=message.key(), value=message.value()))
    assert event.get_id() == f"{answer.source}/1"
    assert event.get_source() == f"/abacus/adder/{answer.source}"
    assert event.get_type() == "abacus.v1.Added"
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("sequence") == f"{1:019}"
    age = datetime.datetime.now(datetime.timezone.utc) - event.get_time()
    assert datetime.timedelta() <= age < datetime.timedelta(hours=1)
    data = event.get_data()
    assert (json.loads(data) if isinstance(data, (str, bytes)) else data) == {
        "a": "2", "b": "-5", "sum": "-3"}
    # The trace goes on: same trace, a span of ours or the caller's, the same in both places.
    assert event.get_extension("traceparent").split("-")[1] == TRACEPARENT.split("-")[1]
    assert dict(message.headers())["traceparent"].decode() == event.get_extension("traceparent")
    assert message.key().decode() == answer.source


def test_all_events_of_a_source_are_in_one_partition_in_order(system):
    with system.adder.client() as client:
        for later in [client.add_later(n, 1) for n in range(500)]:
            later.result()
    messages = system.kafka.read(system.topic, 500)
    assert {m.partition() for m in messages} == {system.adder.source()["partition"]}
    sequences = [int(dict(m.headers())["ce_sequence"]) for m in messages]
    assert sequences == list(range(1, 501))


# --- gRPC's own services ---
def test_health_follows_the_service(system, opened):
    # pylint: disable=import-outside-toplevel,no-name-in-module
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    client = opened(system.adder.client())
    stub = health_pb2_grpc.HealthStub(client.channel)
    for service in ("", "abacus.v1.Adder"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    seen = []
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="abacus.v1.Adder"))
    seen.append(next(watch).status)
    system.adder.signal(15)
    try:
        seen.extend(message.status for message in watch)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert seen == [health_pb2.HealthCheckResponse.SERVING,
                    health_pb2.HealthCheckResponse.NOT_SERVING]


def test_reflection_describes_the_service(system, opened):
    # pylint: disable=import-outside-toplevel
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase)
    database = ProtoReflectionDescriptorDatabase(opened(system.adder.client()).channel)
    assert "abacus.v1.Adder" in database.get_services()
    method = DescriptorPool(database).FindServiceByName("abacus.v1.Adder").methods_by_name["Add"]
    assert [field.name for field in method.input_type.fields] == ["a", "b", "request_id"]
