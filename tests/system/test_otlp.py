# SPDX-License-Identifier: Apache-2.0
"""What our exporter does with a collector, whatever that does: by OTLP's rules, and never at a
caller's cost."""
import socket
import uuid

import pytest

from harness.metrics import scrape, wait_for_metrics
from harness.otlp import (OK, OtlpCollector, attributes, endless, garbage, hang_up, later_by_date,
                          rejects, silence, status)
from harness.process import CLI, PATIENCE_S, run
from harness.services import Adder

ADD = "abacus.v1.Adder/Add"
SENT = "otel_sdk_exporter_span_exported_total"
PROCESSED = "otel_sdk_processor_span_processed_total"


@pytest.fixture
def collector(opened):
    """collector(behaviour, …) is one that runs."""
    return lambda *behaviours: opened(OtlpCollector(*behaviours)).start()


@pytest.fixture
def absent(opened):
    return opened(OtlpCollector())


@pytest.fixture
def traced(tmp_path, embedded, opened):
    """traced(collector, BSP_…=…) is an adder that is ready."""
    def make(to, options=None, **variables):
        adder = opened(Adder(tmp_path, embedded.address, f"sums-{uuid.uuid4().hex[:12]}",
                             to.environment(**variables), **(options or {})))
        adder.start()
        return adder.wait_ready()
    return make


def add(adder, count=1):
    with adder.client() as client:
        for i in range(count):
            assert client.add(i, 1).sum == i + 1


def cli_add(adder, environment, *options):
    return run(CLI, "add", "--adder", adder.addresses["grpc"], *options, "2", "3",
               environment=environment)


# --- what is sent ---
@pytest.mark.sanitized
def test_the_client_and_the_server_are_one_trace(collector, traced):
    to = collector(OK)
    adder = traced(to)
    said = cli_add(adder, to.environment()).stdout
    server = to.wait_for_spans(ADD, 2)
    client = next(span for span in server if span.kind == span.SPAN_KIND_CLIENT)
    server = next(span for span in server if span.kind == span.SPAN_KIND_SERVER)
    assert f"trace {client.trace_id.hex()}" in said
    assert client.trace_id == server.trace_id
    assert client.parent_span_id == b"" and server.parent_span_id == client.span_id
    assert client.flags == 0x103 and server.flags == 0x303  # sampled, random id; remote parent
    assert client.start_time_unix_nano <= server.start_time_unix_nano
    assert client.end_time_unix_nano >= client.start_time_unix_nano
    assert attributes(client)["rpc.response.status_code"] == "OK"
    assert attributes(client)["server.port"] == int(adder.addresses["grpc"].rsplit(":", 1)[1])


def test_a_request_says_who_sends_it(collector, traced):
    to = collector(OK)
    adder = traced(to, RESOURCE_ATTRIBUTES="deployment.environment.name=a%2Cb,service.name=no",
                   SERVICE_NAME="counting", EXPORTER_OTLP_HEADERS="x-tenant=one%20two")
    add(adder)
    to.wait_for_spans(ADD, 1)
    request = to.requests[0]
    assert request.path == "/v1/traces"
    assert request.headers["Content-Type"] == "application/x-protobuf"
    assert request.headers["User-Agent"].startswith("OTel-OTLP-Exporter-C/")
    assert request.headers["x-tenant"] == "one two"
    resource = request.resource
    assert resource["service.name"] == "counting"
    assert resource["deployment.environment.name"] == "a,b"
    assert resource["service.instance.id"] == adder.source()["source"]
    assert resource["telemetry.sdk.name"] == "abacus" and resource["telemetry.sdk.language"] == "c"
    sent = request.message.resource_spans[0]
    assert sent.schema_url.startswith("https://opentelemetry.io/schemas/1.")
    assert sent.scope_spans[0].scope.name == "abacus"
    [(labels, value)] = scrape(adder).all("target_info")
    assert value == 1 and labels["service_name"] == "counting"
    assert labels["deployment_environment_name"] == "a,b"


def test_gzip_and_an_endpoint_of_its_own(collector, traced):
    to = collector(OK)
    adder = traced(to, EXPORTER_OTLP_COMPRESSION="gzip",
                   EXPORTER_OTLP_TRACES_ENDPOINT=to.endpoint + "/own/path?x=1")
    add(adder, 20)
    to.wait_for_spans(ADD, 20)
    assert {request.path for request in to.requests} == {"/own/path?x=1"}
    assert {request.headers["Content-Encoding"] for request in to.requests} == {"gzip"}


def test_the_connection_is_kept(collector, traced):
    to = collector(OK)
    adder = traced(to)
    for count in range(1, 4):
        add(adder)
        to.wait_for_spans(ADD, count)
    assert len(to.requests) >= 2 and len({request.peer for request in to.requests}) == 1


def test_a_batch_has_no_more_spans_than_allowed(collector, traced):
    to = collector(OK)
    add(traced(to, BSP_MAX_EXPORT_BATCH_SIZE=7), 30)
    to.wait_for_spans(ADD, 30)
    assert max(len(request.spans) for request in to.requests) <= 7


# --- sampling ---
def test_who_begins_a_trace_decides_for_all(collector, traced):
    to = collector(OK)
    adder = traced(to)
    said = cli_add(adder, to.environment(TRACES_SAMPLER="always_off")).stdout
    assert "trace" not in said
    unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    cli_add(adder, {"OTEL_SDK_DISABLED": "true"}, "--traceparent", unsampled)
    cli_add(adder, to.environment())  # the adder's spans come in order: this one's are the first
    assert len(to.wait_for_spans(ADD, 2)) == 2


def test_without_a_variable_there_are_no_traces(tmp_path, embedded, opened):
    adder = opened(Adder(tmp_path, embedded.address, "sums", {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": ""})).start().wait_ready()
    cli_add(adder, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
    metrics = scrape(adder)
    assert metrics.value("otel_sdk_processor_span_queue_capacity") == 0
    assert metrics.all("otel_sdk_span_started_total") == []
    assert "libcurl" not in open(f"/proc/{adder.pid}/maps", encoding="utf-8").read()


# --- trouble that passes: the same request again ---
@pytest.mark.parametrize("trouble, pause_s", [
    (status(429, Retry_After="2"), 2),
    (later_by_date(503, 3), 2),
    (status(503), 0.5),
    (status(502), 0.5),
    (status(504), 0.5),
    (hang_up, 0.5),
], ids=["429-seconds", "503-date", "503", "502", "504", "hang-up"])
def test_it_is_sent_again_after_a_pause(collector, traced, trouble, pause_s):
    to = collector(trouble, OK)
    adder = traced(to)
    add(adder)
    to.wait_for_spans(ADD, 1)
    first, second = to.requests[:2]
    assert first.body == second.body
    assert second.time - first.time >= 0.9 * pause_s  # clocks differ a little
    metrics = wait_for_metrics(adder, lambda m: m.sum(SENT) >= len(first.spans), "the count")
    assert [labels for labels, _ in metrics.all(SENT)] == [{}], "something was lost"
    adder.wait_for_log("the collector does not take spans")
    adder.wait_for_log("the collector takes spans again")


def test_a_collector_that_comes_late_gets_what_still_waits(absent, traced):
    adder = traced(absent)
    add(adder)
    adder.wait_for_log("the collector does not take spans")
    absent.start()
    absent.wait_for_spans(ADD, 1)
    adder.wait_for_log("the collector takes spans again")
    assert adder.log().count("the collector does not take spans") == 1


def test_a_handshake_that_breaks_is_tried_again(absent, traced):
    with socket.create_server(("127.0.0.1", absent.port)) as server:
        server.settimeout(PATIENCE_S)
        adder = traced(absent, EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{absent.port}",
                       BSP_EXPORT_TIMEOUT=3_600_000)
        add(adder)
        for _ in range(2):
            server.accept()[0].close()
        assert scrape(adder).sum(SENT) == 0, "spans were given up"


# --- trouble that does not pass: dropped and counted ---
@pytest.mark.parametrize("trouble, error_type", [
    (status(400), "400"), (status(404), "404"), (status(413), "413"), (status(500), "500"),
    (status(307, Location="http://127.0.0.1:1/"), "307"),
    (garbage, "invalid_answer"),
], ids=["400", "404", "413", "500", "redirect", "garbage"])
def test_it_is_not_sent_again(collector, traced, trouble, error_type):
    to = collector(trouble, OK)
    adder = traced(to)
    add(adder)
    first = to.wait_for_requests(1)[0]
    lost = len(first.spans)
    metrics = wait_for_metrics(adder, lambda m: m.value(SENT, error_type=error_type) is not None,
                               f"{SENT} with {error_type}")
    assert metrics.value(SENT, error_type=error_type) == lost
    add(adder)
    to.wait_for_spans(ADD, 1)
    ids = {span.span_id for span in first.spans}
    assert not any(span.span_id in ids for span in to.taken), "it was sent again"


def test_what_is_rejected_in_part_is_counted(collector, traced):
    to = collector(rejects(1), OK)
    adder = traced(to)
    add(adder)
    sent = len(to.wait_for_requests(1)[0].spans)
    metrics = wait_for_metrics(adder, lambda m: m.value(SENT, error_type="rejected") is not None,
                               "the rejected span")
    assert metrics.value(SENT, error_type="rejected") == 1
    assert metrics.sum(SENT) >= sent
    adder.wait_for_log("some are rejected: too many")


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HEADERS = b"X-Word: " + b"x" * 1000 + b"\r\n"


@pytest.mark.parametrize("begin, piece", [
    (HEAD + b"\r\n", b"x" * 1000), (CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
    (HEAD, HEADERS), (CHUNKED + b"0\r\n", HEADERS), (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
], ids=["body", "chunks", "headers", "trailers", "early-hints"])
def test_an_answer_without_end_is_not_read(collector, traced, begin, piece):
    to = collector(endless(begin, piece * 100), OK)
    adder = traced(to, EXPORTER_OTLP_TIMEOUT=2000)
    add(adder)
    to.wait_for_requests(1)
    add(adder)
    to.wait_for_spans(ADD, 1)
    read = to.requests[0].answered_bytes
    assert read < 32 << 20, f"{read} bytes of an answer left the collector (buffers are some MiB)"


# --- nobody waits for a collector ---
@pytest.mark.sanitized
@pytest.mark.parametrize("there", [True, False], ids=["silent", "absent"])
def test_adds_are_answered_whatever_the_collector_does(collector, absent, traced, there):
    to = collector(silence) if there else absent
    adder = traced(to, {"shutdown_grace_ms": 2000}, BSP_MAX_QUEUE_SIZE=20,
                   BSP_MAX_EXPORT_BATCH_SIZE=5)
    add(adder, 100)
    metrics = wait_for_metrics(adder, lambda m: m.sum(PROCESSED, error_type="queue_full") > 0,
                               "spans to be dropped")
    assert metrics.value("otel_sdk_processor_span_queue_capacity") == 20
    assert metrics.value("otel_sdk_processor_span_queue_size") <= 20
    assert adder.stop() == 0


def test_the_command_line_only_warns(traced, collector, absent):
    to = collector(silence)
    adder = traced(collector(OK))
    for environment in (to.environment(), absent.environment(),
                        {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317"}):
        done = cli_add(adder, environment, "--output", "json")
        assert '"sum":"5"' in done.stdout
        assert '"level":"warn"' in done.stderr


# --- the end ---
@pytest.mark.sanitized
def test_a_stop_sends_what_waits(collector, traced):
    to = collector(OK)
    adder = traced(to, BSP_SCHEDULE_DELAY=3_600_000)
    add(adder, 10)
    assert adder.stop() == 0
    assert len(to.named(ADD)) == 10
    # The last step of all: what the relay sent while it stopped is there as well.
    assert len(to.named("INSERT outbox")) == 10 and len(to.named("send " + topic(adder))) == 10


def topic(adder):
    return adder.command[adder.command.index("--kafka-topic") + 1]
