# SPDX-License-Identifier: Apache-2.0
"""The spans of totals, as a collector gets them: in the trace of each add, or one trace a batch."""
import itertools
import secrets

import pytest

from harness import events
from harness.otlp import OtlpCollector, attributes
from harness.process import wait_until
from harness.services import Totals

pytestmark = pytest.mark.sanitized

SOURCE = "01234567-89ab-4cde-8f01-23456789abcd"
TOPIC_NAMES = (f"traces-{n}" for n in itertools.count())
CONSUMER, CLIENT = 5, 3  # kinds, in OTLP's numbers
ERROR = 2                # a status
BATCH = 1000             # more than one ledger transaction, more links than a span may have
LINKS_MAX = 128


@pytest.fixture
def collector(opened):
    return opened(OtlpCollector().start())


@pytest.fixture
def make_totals(tmp_path, shared_kafka, opened, collector):
    """make_totals(option=…) is not started: what is on its topic before comes in large batches."""
    def make(environment=None, **options):
        topic = next(TOPIC_NAMES)
        shared_kafka.create_topic(topic)
        service = opened(Totals(
            tmp_path, shared_kafka.address, topic,
            environment or collector.environment(BSP_MAX_QUEUE_SIZE=20000),
            **shared_kafka.totals_options, **options))
        service.kafka, service.topic = shared_kafka, topic
        return service
    return make


class Context:
    """Of an Add span in a trace of its own."""

    def __init__(self, sampled=True):
        self.trace_id, self.span_id = secrets.token_bytes(16), secrets.token_bytes(8)
        self.text = f"00-{self.trace_id.hex()}-{self.span_id.hex()}-{int(sampled):02}"


def message(sequence, context=None, **changes):
    headers = {"traceparent": context and context.text, **changes}
    return (SOURCE.encode(), events.value(1, 0), events.headers(SOURCE, sequence, **headers))


def send(totals, *messages):
    totals.kafka.produce_all(totals.topic, messages)


def process_spans(totals, collector):
    return collector.named(f"process {totals.topic}")


def children_of(collector, span):
    return [child for child in collector.named("UPDATE ledger")
            if (child.trace_id, child.parent_span_id) == (span.trace_id, span.span_id)]


def stop(totals):
    """After that the collector has all there is."""
    assert totals.stop() == 0


# --- child ---
def test_each_sampled_event_goes_on_in_the_trace_of_its_add(make_totals, collector):
    totals = make_totals()
    contexts = [Context() for _ in range(BATCH)]
    send(totals, *(message(i + 1, context) for i, context in enumerate(contexts)))
    totals.start().wait_for_total(BATCH, BATCH)
    stop(totals)
    spans = process_spans(totals, collector)
    assert {(s.trace_id, s.parent_span_id) for s in spans} == \
        {(c.trace_id, c.span_id) for c in contexts}
    assert len(spans) == len(collector.named("UPDATE ledger")) == BATCH
    for span in spans:
        assert span.kind == CONSUMER and span.status.code == 0
        assert [(link.trace_id, link.span_id) for link in span.links] == \
            [(span.trace_id, span.parent_span_id)]
    assert max(attributes(s).get("db.operation.batch.size", 1)
               for s in collector.named("UPDATE ledger")) > 1


def test_a_span_says_where_its_event_was_and_what_became_of_it(make_totals, collector):
    totals = make_totals().start()
    first, again = Context(), Context()
    send(totals, message(1, first), message(1, again))
    totals.wait_for_total(1, 1)
    wait_until(lambda: totals.source(SOURCE)["duplicates"] == "1", "the duplicate")
    stop(totals)
    spans = {span.trace_id: span for span in process_spans(totals, collector)}
    assert spans.keys() == {first.trace_id, again.trace_id}
    assert attributes(spans[first.trace_id]) == {
        "messaging.system": "kafka", "messaging.operation.name": "process",
        "messaging.operation.type": "process", "messaging.destination.name": totals.topic,
        "messaging.consumer.group.name": totals.topic + ".totals",
        "messaging.destination.partition.id": "0", "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": SOURCE, "messaging.message.id": f"{SOURCE}/1",
        "cloudevents.event_id": f"{SOURCE}/1",
        "cloudevents.event_source": f"/abacus/adder/{SOURCE}",
        "cloudevents.event_type": "abacus.v1.Added", "cloudevents.event_spec_version": "1.0",
        "abacus.verdict": "applied"}
    assert attributes(spans[again.trace_id])["abacus.verdict"] == "duplicate"
    update, = children_of(collector, spans[first.trace_id])
    assert update.kind == CLIENT
    described = attributes(update)
    described.pop("db.operation.batch.size", None)  # whether the two came together
    assert described == {"db.system.name": "sqlite", "db.collection.name": "ledger",
                         "db.operation.name": "UPDATE", "db.query.summary": "UPDATE ledger"}
    assert spans[first.trace_id].start_time_unix_nano <= update.start_time_unix_nano \
        <= update.end_time_unix_nano <= spans[first.trace_id].end_time_unix_nano


def test_contexts_that_are_none_and_those_not_sampled_make_no_span(make_totals, collector):
    totals = make_totals().start()
    good = Context()
    bad = ["", "junk", good.text + "0", good.text.upper(), "ff" + good.text[2:],
           f"00-{'0' * 32}-{good.span_id.hex()}-01", f"00-{good.trace_id.hex()}-{'0' * 16}-01",
           Context(sampled=False).text, None]
    messages = [message(i + 1, traceparent=text, ce_traceparent=text)
                for i, text in enumerate(bad)]
    send(totals, *messages, message(len(bad) + 1, good))
    totals.wait_for_total(len(bad) + 1, len(bad) + 1)
    stop(totals)
    assert [span.trace_id for span in process_spans(totals, collector)] == [good.trace_id]


def test_a_dead_letter_shows_as_an_error_in_its_trace(make_totals, collector):
    totals = make_totals().start()
    context = Context()
    send(totals, message(1, context, ce_type="com.example.Other"), message(1))
    totals.wait_for_total(1, 1)
    stop(totals)
    span, = process_spans(totals, collector)
    assert (span.trace_id, span.parent_span_id) == (context.trace_id, context.span_id)
    assert span.status.code == ERROR and "ce_type" in span.status.message
    assert attributes(span)["error.type"] == attributes(span)["abacus.verdict"] == "dead_letter"


def test_each_failed_attempt_to_commit_is_a_span_with_an_error(make_totals, collector):
    totals = make_totals().start()
    context = Context()
    with totals.store_held():
        send(totals, message(1, context))
        collector.wait_for_spans(f"process {totals.topic}", 1)
    totals.wait_for_total(1, 1)
    stop(totals)
    *failed, last = sorted(process_spans(totals, collector), key=lambda s: s.end_time_unix_nano)
    for span in failed:
        update, = children_of(collector, span)
        assert span.status.code == update.status.code == ERROR and span.status.message
        assert attributes(span)["error.type"] == attributes(update)["error.type"] == "unavailable"
    assert failed and last.status.code == 0 and attributes(last)["abacus.verdict"] == "applied"
    assert {span.trace_id for span in failed} == {last.trace_id} == {context.trace_id}


# --- link ---
def test_a_batch_is_a_trace_of_its_own_with_a_link_to_each_sampled_add(make_totals, collector):
    totals = make_totals(trace_consumer="link")
    contexts = [Context() for _ in range(BATCH)]
    unsampled = [Context(sampled=False), None] * 50
    mixed = contexts[:500] + unsampled + contexts[500:]
    send(totals, *(message(i + 1, context) for i, context in enumerate(mixed)))
    totals.start().wait_for_total(len(mixed), len(mixed))
    stop(totals)
    spans = process_spans(totals, collector)
    assert sorted((link.trace_id, link.span_id) for span in spans for link in span.links) == \
        sorted((context.trace_id, context.span_id) for context in contexts)
    assert len({span.trace_id for span in spans}) == len(spans)
    for span in spans:
        assert not span.parent_span_id and 1 <= len(span.links) <= LINKS_MAX
        assert len(children_of(collector, span)) == 1
    assert max(attributes(span).get("messaging.batch.message_count", 1) for span in spans) > 1


# --- the exporter's life ---
def test_the_last_spans_are_exported_at_the_stop_by_the_same_instance(make_totals, collector):
    """Whose name is the ledger's, so it stays the same over restarts."""
    totals = make_totals(collector.environment(BSP_SCHEDULE_DELAY=3_600_000))
    for sequence in (1, 2):
        totals.start()
        send(totals, message(sequence, Context()))
        totals.wait_for_total(sequence, sequence)
        stop(totals)
        assert len(process_spans(totals, collector)) == sequence
    resources = [request.resource for request in collector.requests]
    assert {r["service.name"] for r in resources} == {"abacus-totals"}
    assert len({r["service.instance.id"] for r in resources}) == 1
