# SPDX-License-Identifier: Apache-2.0
"""What the adder tells of itself: metrics that agree with what was done, spans of each sampled add,
one context from the client to Kafka, log lines that name the add they speak of."""
import contextlib
import json
import secrets
import sqlite3
import uuid

import grpc
import pytest

from harness.client import adder_pb2
from harness.metrics import scrape, wait_for_metrics
from harness.otlp import OtlpCollector, attributes
from harness.process import Process, wait_until
from harness.raw_http2 import RawConnection, message
from harness.services import Adder

pytestmark = pytest.mark.sanitized

INT64_MAX = 2**63 - 1
ADD = "abacus.v1.Adder/Add"
ADDS = "abacus_adds_total"
CALLS = "rpc_server_call_duration_seconds_count"
STAGE = "abacus_stage_latency_seconds_count"
DB = "db_client_operation_duration_seconds_count"
REFUSED = "abacus_writer_refused_total"
PARENT_REMOTE = 0x200  # of a span's flags in OTLP


@pytest.fixture
def collector(opened):
    return opened(OtlpCollector()).start()


@pytest.fixture
def make_adder(tmp_path, embedded, opened):
    """make_adder(environment, option=…) starts an adder alone, on a topic of its own."""
    def make(environment=None, **options):
        adder = opened(Adder(tmp_path, embedded.address, f"sums-{uuid.uuid4().hex[:12]}",
                             environment, **options))
        return adder.start().wait_ready()
    return make


def topic_of(adder):
    return adder.command[adder.command.index("--kafka-topic") + 1]


def traceparent(sampled=True):
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{'01' if sampled else '00'}"


def add(client, a, b, *contexts, **keywords):
    """The answer, or the status of the refusal."""
    try:
        return client.add(a, b, metadata=[("traceparent", one) for one in contexts], **keywords)
    except grpc.RpcError as error:
        return error.code()


def add_raw(adder, traceparents):
    """With as many traceparent fields as wanted: grpcio would send the last one alone."""
    connection = RawConnection(int(adder.addresses["grpc"].rsplit(":", 1)[1]))
    request = adder_pb2.AddRequest(a=1, b=1).SerializeToString()
    with contextlib.closing(connection):
        connection.ask(1, "/" + ADD, message(request), traceparent=traceparents)
        assert connection.answer(1).status == 0


def outbox_contexts(adder):
    """[(sequence, traceparent)] as they are in the file."""
    path = adder.command[adder.command.index("--outbox") + 1]
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute("SELECT sequence, traceparent FROM outbox ORDER BY sequence").fetchall()


def all_acknowledged(adder):
    def done():
        source = adder.source()
        return source["published"] == source["count"] and source
    return wait_until(done, "all sums to be acknowledged")


# --- metrics ---
def test_metrics_agree_with_what_was_done(make_adder):
    adder = make_adder()
    known = str(uuid.uuid4())
    with adder.client() as client:
        for n in range(30):
            add(client, n, 1)
        for a, b in ((7, 8), (7, 8), (8, 7)):
            add(client, a, b, request_id=known)
        assert add(client, INT64_MAX, 1) == grpc.StatusCode.OUT_OF_RANGE
        with pytest.raises(grpc.RpcError):
            client.send_bytes("/abacus.v1.Adder/Subtract", b"")
    source = all_acknowledged(adder)
    metrics = wait_for_metrics(adder, lambda m: m.sum(CALLS, rpc_method="_OTHER") == 1
                               and m.sum(CALLS, rpc_method=ADD) == 34, "34 adds and a stranger")

    by_outcome = {labels["outcome"]: value for labels, value in metrics.all(ADDS)}
    assert by_outcome == {"appended": 31, "repeated": 1, "conflict": 1}
    by_status = {labels["rpc_response_status_code"]: value
                 for labels, value in metrics.all(CALLS, rpc_method=ADD) if value > 0}
    assert by_status == {"OK": 32, "INVALID_ARGUMENT": 1, "OUT_OF_RANGE": 1}
    failed = metrics.all(CALLS, error_type="UNIMPLEMENTED")
    assert [labels["rpc_method"] for labels, _ in failed] == ["_OTHER"]
    assert metrics.value("abacus_outbox_appended_total", source=source["source"]) == 31
    assert metrics.value("abacus_outbox_published_total", source=source["source"]) == 31
    assert metrics.value("abacus_outbox_backlog_events") == 0
    assert metrics.value("abacus_outbox_oldest_age_seconds") == 0
    assert metrics.value(STAGE, stage="accept_to_commit") == 31
    assert metrics.value(STAGE, stage="commit_to_ack") == 31
    assert metrics.value("messaging_client_sent_messages_total",
                         messaging_destination_name=topic_of(adder)) == 31
    assert metrics.value("messaging_client_operation_duration_seconds_count") == 31
    assert metrics.value("abacus_writer_batch_adds_sum") == 33
    assert metrics.value(DB, db_collection_name="outbox", db_operation_name="INSERT") == \
        metrics.value("abacus_writer_batch_adds_count")
    assert metrics.value("abacus_relay_connected") == 1
    assert metrics.value("abacus_relay_in_flight_events") == 0
    assert metrics.value("abacus_store_file_bytes", store="outbox") > 0


def test_commits_that_fail_show_until_they_work_again(make_adder):
    adder = make_adder()
    with adder.client() as client:
        add(client, 1, 1)
        with adder.store_held():
            assert add(client, 2, 2) == grpc.StatusCode.UNAVAILABLE
            metrics = scrape(adder)
            assert metrics.value(REFUSED, reason="outbox_failed") == 1
            assert metrics.value(DB, db_operation_name="INSERT", error_type="unavailable") == 1
            assert metrics.value("abacus_ready", condition="outbox") == 0
            assert metrics.value(STAGE, stage="accept_to_commit") == 1
        adder.wait_ready()
        add(client, 3, 3)
    metrics = scrape(adder)
    assert metrics.value("abacus_ready", condition="outbox") == 1
    assert metrics.value(ADDS, outcome="appended") == 2


def test_a_broker_that_is_away_shows_as_backlog_that_grows_old(make_adder, embedded):
    adder = make_adder(backlog_max=5, shutdown_grace_ms=0)
    with adder.client() as client:
        add(client, 1, 1)
        all_acknowledged(adder)
        embedded.process.kill()
        wait_for_metrics(adder, lambda m: m.value("abacus_relay_connected") == 0, "no connection")
        while add(client, 1, 1) != grpc.StatusCode.RESOURCE_EXHAUSTED:
            pass
    metrics = scrape(adder)
    assert metrics.value("abacus_outbox_backlog_events") >= 5
    assert metrics.value("abacus_outbox_backlog_limit_events") == 5
    assert metrics.value(REFUSED, reason="backlog_full") == 1
    assert metrics.sum("abacus_kafka_errors_total", client="producer") > 0
    age = metrics.value("abacus_outbox_oldest_age_seconds")
    assert age > 0
    wait_for_metrics(adder, lambda m: m.value("abacus_outbox_oldest_age_seconds") > age + 1,
                     "the backlog to grow older")


# --- spans ---
def test_a_sampled_add_is_three_spans_of_its_client_s_trace(make_adder, collector):
    adder = make_adder(collector.environment())
    context = traceparent()
    _, trace_id, parent_id, _ = context.split("-")
    with adder.client() as client:
        answer = add(client, 20, 22, context)
    send_name = f"send {topic_of(adder)}"
    server, = collector.wait_for_spans(ADD, 1)
    insert, = collector.wait_for_spans("INSERT outbox", 1)
    send, = collector.wait_for_spans(send_name, 1)

    assert {span.trace_id.hex() for span in (server, insert, send)} == {trace_id}
    assert server.parent_span_id.hex() == parent_id
    assert server.flags & PARENT_REMOTE != 0
    assert insert.parent_span_id == send.parent_span_id == server.span_id
    assert [link.span_id for link in send.links] == [server.span_id]
    assert (server.kind, insert.kind, send.kind) == (2, 3, 3)  # SERVER, CLIENT, CLIENT
    assert server.start_time_unix_nano <= insert.start_time_unix_nano
    assert insert.end_time_unix_nano <= server.end_time_unix_nano
    assert all(span.status.code == 0 for span in (server, insert, send))

    of_server = attributes(server)
    assert of_server.pop("network.peer.address") == "127.0.0.1"
    assert of_server.pop("network.peer.port") > 0
    assert of_server == {
        "rpc.system.name": "grpc", "rpc.method": ADD, "rpc.response.status_code": "OK",
        "abacus.source": answer.source, "abacus.sequence": answer.sequence}
    assert attributes(insert) == {
        "db.system.name": "sqlite", "db.collection.name": "outbox", "db.operation.name": "INSERT",
        "db.query.summary": "INSERT outbox"}
    partition = adder.source()["partition"]
    assert attributes(send) == {
        "messaging.system": "kafka", "messaging.operation.name": "send",
        "messaging.operation.type": "send", "messaging.destination.name": topic_of(adder),
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.message.key": answer.source, "messaging.kafka.offset": 0,
        "messaging.message.id": f"{answer.source}/{answer.sequence}",
        "messaging.client.id": "abacus-adder"}


def test_the_context_in_the_outbox_and_in_kafka_is_the_server_span_s(make_adder, collector,
                                                                     embedded):
    adder = make_adder(collector.environment())
    with adder.client() as client:
        contexts = [traceparent() for _ in range(5)]
        for context in contexts:
            add(client, 1, 1, context)
    spans = {attributes(span)["abacus.sequence"]: span for span in collector.wait_for_spans(ADD, 5)}
    all_acknowledged(adder)
    rows = outbox_contexts(adder)
    assert [sequence for sequence, _ in rows] == [1, 2, 3, 4, 5]
    for (sequence, stored), sent in zip(rows, contexts):
        span = spans[sequence]
        assert stored == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
        assert stored.split("-")[1] == sent.split("-")[1]
    messages = embedded.read(topic_of(adder), 5)
    assert [dict(message.headers())["traceparent"].decode() for message in messages] == \
        [stored for _, stored in rows]


def test_a_trace_that_is_not_sampled_is_passed_on_untouched(make_adder, collector):
    adder = make_adder(collector.environment())
    unsampled, sampled = traceparent(sampled=False), traceparent()
    with adder.client() as client:
        add(client, 1, 1, unsampled)
        add(client, 1, 1, sampled)
    collector.wait_for_spans(f"send {topic_of(adder)}", 1)
    assert outbox_contexts(adder)[0] == (1, unsampled)
    trace_ids = {span.trace_id.hex() for span in collector.taken}
    assert trace_ids == {sampled.split("-")[1]}


def test_without_tracing_each_context_is_passed_on_as_it_came(make_adder):
    adder = make_adder()
    context = traceparent()
    with adder.client() as client:
        add(client, 1, 1, context)
        add(client, 1, 1)
    add_raw(adder, [context, traceparent()])  # two are as good as none
    assert outbox_contexts(adder) == [(1, context), (2, None), (3, None)]


@pytest.mark.parametrize("contexts", [[], ["no traceparent"], [traceparent(), traceparent()]])
def test_without_one_good_context_an_add_begins_a_trace(make_adder, collector, contexts):
    adder = make_adder(collector.environment())
    add_raw(adder, contexts or None)
    server, = collector.wait_for_spans(ADD, 1)
    assert server.parent_span_id == b""
    assert server.flags & PARENT_REMOTE == 0
    assert server.trace_id.hex() not in "".join(contexts)
    (_, stored), = outbox_contexts(adder)
    assert stored.split("-")[1:3] == [server.trace_id.hex(), server.span_id.hex()]


def test_a_refused_add_has_a_span_too(make_adder, collector):
    adder = make_adder(collector.environment())
    with adder.client() as client:
        assert add(client, INT64_MAX, 1, traceparent()) == grpc.StatusCode.OUT_OF_RANGE
        with adder.store_held():
            assert add(client, 1, 1, traceparent()) == grpc.StatusCode.UNAVAILABLE
    mistaken, failed = collector.wait_for_spans(ADD, 2)
    assert attributes(mistaken)["rpc.response.status_code"] == "OUT_OF_RANGE"
    assert "error.type" not in attributes(mistaken) and mistaken.status.code == 0
    assert attributes(failed)["rpc.response.status_code"] == "UNAVAILABLE"
    assert attributes(failed)["error.type"] == "UNAVAILABLE" and failed.status.code == 2
    insert, = collector.wait_for_spans("INSERT outbox", 1)
    assert insert.parent_span_id == failed.span_id
    assert attributes(insert)["error.type"] == "unavailable" and insert.status.code == 2


def test_every_sampled_add_of_a_batch_has_its_spans(make_adder, collector):
    adder = make_adder(collector.environment(BSP_MAX_QUEUE_SIZE=10000))
    with adder.client() as client:
        add(client, 1, 1, traceparent(sampled=False))  # now there is a connection
        adder.pause()
        answers = [client.add_later(n, 1, metadata=[("traceparent", traceparent())])
                   for n in range(100)]
        adder.resume()
        for answer in answers:
            answer.result()
    servers, inserts, sends = (
        collector.wait_for_spans(name, 100)
        for name in (ADD, "INSERT outbox", f"send {topic_of(adder)}"))
    ids = {span.span_id for span in servers}
    assert len(ids) == len(servers) == len(inserts) == len(sends) == 100
    assert {span.parent_span_id for span in inserts} == ids
    assert {span.parent_span_id for span in sends} == ids
    assert max(attributes(span).get("db.operation.batch.size", 1) for span in inserts) >= 2


def test_a_stop_exports_what_waits(make_adder, collector):
    adder = make_adder(collector.environment(BSP_SCHEDULE_DELAY=3_600_000))
    with adder.client() as client:
        for _ in range(20):
            add(client, 1, 1, traceparent())
    assert adder.stop() == 0
    assert len(collector.named(ADD)) == 20
    assert len(collector.named(f"send {topic_of(adder)}")) == 20


def test_a_replay_s_sends_are_spans_of_the_adds_traces(make_adder, collector):
    adder = make_adder(collector.environment())
    with adder.client() as client:
        contexts = [traceparent() for _ in range(3)]
        for context in contexts:
            add(client, 1, 1, context)
    all_acknowledged(adder)
    assert adder.stop() == 0
    adder.command += ["replay", "--from", "2"]
    Process.start(adder)
    assert adder.wait() == 0
    sends = collector.named(f"send {topic_of(adder)}")
    again = [context.split("-")[1] for context in contexts[1:]]
    assert [span.trace_id.hex() for span in sends[3:]] == again


# --- log ---
def test_debug_lines_name_the_add_they_speak_of(make_adder, collector):
    adder = make_adder(collector.environment(), log_level="debug", log_format="json")
    good, bad = traceparent(), traceparent()
    with adder.client() as client:
        answer = add(client, 1, 1, good)
        add(client, INT64_MAX, 1, bad)
    lines = [json.loads(line) for line in adder.log().splitlines() if line.startswith("{")]
    added, = [line for line in lines if line["message"] == "added"]
    assert added["trace_id"] == good.split("-")[1]
    assert (added["source"], added["sequence"]) == (answer.source, answer.sequence)
    refused, = [line for line in lines if line.get("trace_id") == bad.split("-")[1]]
    assert "sequence" not in refused and refused["level"] == "debug"
    stored, = [context for _, context in outbox_contexts(adder)]
    assert added["span_id"] == stored.split("-")[2]
