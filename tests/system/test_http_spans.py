# SPDX-License-Identifier: Apache-2.0
"""REST requests as spans: OpenTelemetry's conventions for HTTP servers, W3C's for the parent."""
import http.client
import uuid

import pytest

from harness.otlp import OtlpCollector, attributes
from harness.services import Totals

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def collector(opened):
    return opened(OtlpCollector()).start()


@pytest.fixture
def totals(tmp_path, embedded, opened, collector):
    topic = f"sums-{uuid.uuid4().hex[:12]}"
    return opened(Totals(tmp_path, embedded.address, topic, collector.environment())).start()


def ask(address, path, *headers, method="GET"):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def rest(totals):
    return totals.addresses["http"]


@pytest.mark.sanitized
def test_a_request_is_a_span_below_its_caller(totals, collector):
    ask(rest(totals), "/v1/total?x=1", ("traceparent", TRACEPARENT), ("User-Agent", "probe/1"))
    span, = collector.wait_for_spans("GET /v1/total", 1)
    assert span.kind == span.SPAN_KIND_SERVER
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert attributes(span) == {
        "http.request.method": "GET", "url.path": "/v1/total", "url.scheme": "http",
        "http.route": "/v1/total", "http.response.status_code": 200,
        "network.protocol.version": "1.1", "user_agent.original": "probe/1",
        "client.address": "127.0.0.1"}


def test_the_name_has_the_route_and_an_attribute_the_path(totals, collector):
    assert ask(rest(totals), "/v1/sources/a%20b") == 400
    span, = collector.wait_for_spans("GET /v1/sources/{source}", 1)
    found = attributes(span)
    assert found["url.path"] == "/v1/sources/a%20b"
    assert found["http.response.status_code"] == 400
    assert "error.type" not in found  # a client's mistake is no failure of ours


def test_without_a_route_the_name_is_the_method(totals, collector):
    assert ask(rest(totals), "/nowhere") == 404
    assert ask(rest(totals), "/v1/total", method="BREW") == 405
    assert "http.route" not in attributes(collector.wait_for_spans("GET", 1)[0])
    assert attributes(collector.wait_for_spans("HTTP", 1)[0])["http.request.method"] == "_OTHER"


@pytest.mark.parametrize("headers", [
    [], [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)],
    [("traceparent", TRACEPARENT.upper())], [("traceparent", "00-0-0-01")]],
    ids=["none", "two", "upper case", "garbage"])
def test_without_one_right_parent_it_begins_a_trace(totals, collector, headers):
    ask(rest(totals), "/v1/total", *headers)
    span, = collector.wait_for_spans("GET /v1/total", 1)
    assert span.trace_id.hex() != TRACE and span.parent_span_id == b""


def test_what_is_not_sampled_and_what_only_probes_has_no_span(totals, collector):
    ask(rest(totals), "/v1/total", ("traceparent", TRACEPARENT[:-1] + "0"))
    ask(totals.addresses["admin"], "/healthz", ("traceparent", TRACEPARENT))
    ask(totals.addresses["admin"], "/metrics", ("traceparent", TRACEPARENT))
    ask(rest(totals), "/v1/partitions")
    collector.wait_for_spans("GET /v1/partitions", 1)  # what came before it would be there too
    assert {span.name for span in collector.taken} == {"GET /v1/partitions"}
