# SPDX-License-Identifier: Apache-2.0
"""Traces as a real collector gets them: one add from the client to the ledger, and a thousand."""
import collections
import json
import secrets

import pytest

from harness.observe import Collector
from harness.process import CLI, run, wait_until
from harness.services import System, Totals, http

BATCH = 1000


@pytest.fixture(name="collector")
def _collector(tmp_path, opened):
    return opened(Collector(tmp_path, tmp_path)).start()


@pytest.fixture(name="traced")
def _traced(tmp_path, collector, shared_kafka, opened):
    """Adder and totals that send every span to the collector."""
    options = {"environment": collector.environment_of_services()}
    return opened(System(tmp_path, shared_kafka, options, options)).start()


def new_trace():
    """(trace id, span id) of a caller that keeps its own spans to itself."""
    return secrets.token_hex(16), secrets.token_hex(8)


def traceparent(trace, flags="01"):
    return [("traceparent", f"00-{trace[0]}-{trace[1]}-{flags}")]


def by_name(spans):
    """Spans by (name, kind); the test fails when one is there twice."""
    found = {(span.name, span.kind): span for span in spans}
    assert len(found) == len(spans), f"some spans are there twice: {spans}"
    return found


def test_one_add_is_one_trace_from_the_client_to_the_ledger(traced, collector):
    done = run(CLI, "add", "--adder", traced.adder.addresses["grpc"], "--output", "json", 2, 3,
               environment=collector.environment_of_services())
    answer = json.loads(done.stdout)
    traced.totals.wait_for_total(5, 1)
    (root,) = collector.await_spans(1, where=lambda span: span.service == "abacus-cli")
    spans = by_name(collector.await_spans(6, root.trace_id))
    assert set(spans) == {
        ("abacus.v1.Adder/Add", "CLIENT"), ("abacus.v1.Adder/Add", "SERVER"),
        ("INSERT outbox", "CLIENT"), (f"send {traced.topic}", "CLIENT"),
        (f"process {traced.topic}", "CONSUMER"), ("UPDATE ledger", "CLIENT")}
    add = spans["abacus.v1.Adder/Add", "SERVER"]
    insert, update = spans["INSERT outbox", "CLIENT"], spans["UPDATE ledger", "CLIENT"]
    send = spans[f"send {traced.topic}", "CLIENT"]
    process = spans[f"process {traced.topic}", "CONSUMER"]

    assert root.parent == ""
    assert add.parent == root.id
    assert insert.parent == send.parent == process.parent == add.id
    assert update.parent == process.id
    assert send.links == process.links == [(root.trace_id, add.id)]
    assert not any(span.failed for span in spans.values())
    assert {add.service, insert.service, send.service} == {"abacus-adder"}
    assert {process.service, update.service} == {"abacus-totals"}
    assert add.begin <= insert.begin <= insert.end <= send.begin <= send.end
    assert insert.end <= process.begin <= update.begin <= update.end <= process.end
    check_attributes(traced, answer, spans)


def check_attributes(traced, answer, spans):
    def has(name, kind, **wanted):
        got = spans[name, kind].attributes
        wanted = {key.replace("__", "."): value for key, value in wanted.items()}
        assert {key: got.get(key) for key in wanted} == wanted, name
    place = {"messaging__system": "kafka", "messaging__destination__name": traced.topic,
             "messaging__destination__partition__id": str(traced.adder.source()["partition"]),
             "messaging__kafka__offset": 0}
    has("abacus.v1.Adder/Add", "SERVER", rpc__system__name="grpc",
        rpc__method="abacus.v1.Adder/Add", abacus__source=answer["source"], abacus__sequence=1,
        **{"rpc.response.status_code": "OK"})
    has("INSERT outbox", "CLIENT", db__system__name="sqlite", db__operation__name="INSERT",
        db__collection__name="outbox")
    has("UPDATE ledger", "CLIENT", db__system__name="sqlite", db__operation__name="UPDATE",
        db__collection__name="ledger")
    has(f"send {traced.topic}", "CLIENT", messaging__operation__name="send", **place)
    has(f"process {traced.topic}", "CONSUMER", messaging__operation__name="process", **place)
    for span in spans.values():
        assert span.resource["service.instance.id"]
        assert span.resource["telemetry.sdk.name"] == "abacus"
        assert span.resource["telemetry.sdk.language"] == "c"
        assert "error.type" not in span.attributes


def test_a_refused_add_is_a_trace_too_and_ends_at_the_adder(traced, collector):
    trace = new_trace()
    with traced.adder.client() as client:
        later = client.add_later(2**63 - 1, 1, metadata=traceparent(trace))
        assert later.code().name == "OUT_OF_RANGE"
    (add,) = collector.await_spans(1, trace[0])
    assert (add.name, add.parent) == ("abacus.v1.Adder/Add", trace[1])
    assert add.attributes["rpc.response.status_code"] == "OUT_OF_RANGE"
    assert not add.failed and "error.type" not in add.attributes  # it was the caller's mistake


def test_what_is_not_sampled_is_not_recorded_and_passed_on_as_it_came(traced, collector):
    unsampled, sampled = new_trace(), new_trace()
    with traced.adder.client() as client:
        client.add(1, 1, metadata=traceparent(unsampled, "00"))
        client.add(1, 1, metadata=traceparent(sampled))
    collector.await_spans(5, sampled[0])
    assert collector.spans(unsampled[0]) == []
    first = next(message for message in traced.kafka.read(traced.topic, 2)
                 if int(dict(message.headers())["ce_sequence"]) == 1)
    assert dict(first.headers())["traceparent"].decode() == traceparent(unsampled, "00")[0][1]


def test_a_thousand_adds_at_once_are_a_thousand_whole_traces(traced, collector):
    traces = [new_trace() for _ in range(BATCH)]
    add_all(traced, traces)
    sent = f"send {traced.topic}", "CLIENT"
    by_trace = spans_by_trace(collector, traces, sent[0])
    for trace_id, parent in traces:
        spans = by_name(by_trace[trace_id])
        add = spans["abacus.v1.Adder/Add", "SERVER"]
        process = spans[f"process {traced.topic}", "CONSUMER"]
        assert add.parent == parent
        assert process.parent == add.id and process.links == [(trace_id, add.id)]
        assert spans["INSERT outbox", "CLIENT"].parent == add.id
        assert spans["UPDATE ledger", "CLIENT"].parent == process.id
        assert sent not in spans or spans[sent].parent == add.id
    adds = {span.attributes["abacus.sequence"] for spans in by_trace.values() for span in spans
            if span.kind == "SERVER"}
    assert adds == set(range(1, BATCH + 1))
    # The relay keeps so many in mind at a time; what is more on its way gets no span.
    assert sum(span.name == sent[0] for spans in by_trace.values() for span in spans) >= 256


def test_consumer_in_link_mode_makes_traces_of_batches_that_link_to_every_add(
        traced, collector, tmp_path, opened):
    traces = [new_trace() for _ in range(BATCH)]
    add_all(traced, traces)
    linking = opened(Totals(tmp_path, traced.kafka.address, traced.topic, name="linking",
                            environment=collector.environment_of_services(),
                            ledger=tmp_path / "linking.db", kafka_group=traced.topic + ".linking",
                            trace_consumer="link", **traced.kafka.totals_options)).start()
    linking.wait_for_total(BATCH * (BATCH - 1), BATCH)
    ours = {trace_id for trace_id, _ in traces}
    adds = {(span.trace_id, span.id) for span in
            collector.await_spans(BATCH, where=lambda span: span.trace_id in ours and
                                  span.kind == "SERVER")}

    def roots():
        return [span for span in collector.spans() if span.kind == "CONSUMER" and
                span.parent == "" and span.trace_id not in ours]
    wait_until(lambda: sum(len(span.links) for span in roots()) >= BATCH, "a link to each add")
    linked = collections.Counter(link for span in roots() for link in span.links)
    assert set(linked) == adds
    assert set(linked.values()) == {1}
    for span in roots():
        assert 1 <= len(span.links) <= 128  # OTEL_SPAN_LINK_COUNT_LIMIT: others are spans more
        assert span.attributes["messaging.batch.message_count"] >= len(span.links)
    updates = [span for span in collector.spans() if span.name == "UPDATE ledger" and
               span.trace_id not in ours]
    assert {span.parent for span in updates} <= {span.id for span in roots()}
    assert updates


def add_all(traced, traces):
    with traced.adder.client() as client:
        later = [client.add_later(n, n, metadata=traceparent(trace))
                 for n, trace in enumerate(traces)]
        for one in later:
            one.result()
    traced.totals.wait_for_total(BATCH * (BATCH - 1), BATCH)


def spans_by_trace(collector, traces, sent):
    """Four spans of each trace, and those of name `sent` that came with them."""
    ours = {trace_id for trace_id, _ in traces}
    collector.await_spans(4 * len(traces),
                          where=lambda span: span.trace_id in ours and span.name != sent)
    found = collections.defaultdict(list)
    for span in collector.await_spans(256, where=lambda span: span.name == sent) + [
            span for span in collector.spans() if span.trace_id in ours and span.name != sent]:
        found[span.trace_id].append(span)
    return found


def test_a_log_line_leads_to_its_trace(traced, collector):
    for service in (traced.adder, traced.totals):
        status, _, body = http(f"{service.admin}/log-level?level=debug", method="POST")
        assert status == 200, body
    trace = new_trace()
    with traced.adder.client() as client:
        client.add(2, 3, metadata=traceparent(trace))
    traced.totals.wait_for_total(5, 1)
    spans = {(span.trace_id, span.id) for span in collector.await_spans(5, trace[0])}
    for service in (traced.adder, traced.totals):
        line = service.wait_for_log(rf'.*"trace_id":"{trace[0]}".*').group(0)
        fields = json.loads(line)
        assert (fields["trace_id"], fields["span_id"]) in spans, line
    wait_until(lambda: {service for service, _ in collector.logs(trace[0])} >=
               {"abacus-adder", "abacus-totals"}, "both services' lines in the collector's logs")


def test_the_command_shows_the_trace(traced, collector):
    trace = new_trace()
    with traced.adder.client() as client:
        client.add(2, 3, metadata=traceparent(trace))
    for words in ([trace[0]], []):  # by its id, or as the newest
        done = run(CLI, "trace", "--file", collector.traces_file, *words)
        lines = done.stdout.splitlines()
        assert lines[0].startswith(f"trace {trace[0]}: 5 spans"), done.stdout
        assert [line.split("  abacus-")[0].strip() for line in lines[3:]] == [
            "abacus.v1.Adder/Add", "INSERT outbox", f"send {traced.topic}",
            f"process {traced.topic}", "UPDATE ledger"], done.stdout
