# SPDX-License-Identifier: Apache-2.0
"""What totals tells of itself: its metrics agree with what REST says, its log lines name the event
they speak of. (Its spans: test_totals_traces.py.)"""
import datetime
import itertools
import json
import time

import pytest

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import events
from harness.metrics import scrape, wait_for_metrics
from harness.process import wait_until
from harness.services import Totals, http

pytestmark = pytest.mark.sanitized

SOURCE = "01234567-89ab-4cde-8f01-23456789abcd"
OTHER = "89abcdef-89ab-4cde-8f01-23456789abcd"
TOPIC_NAMES = (f"telemetry-{n}" for n in itertools.count())

DELIVERED = "abacus_delivery_latency_seconds_count"
STAGE = "abacus_stage_latency_seconds_count"
NEGATIVE = "abacus_negative_latency_total"


@pytest.fixture
def make_totals(tmp_path, shared_kafka, opened):
    """make_totals(option=…) starts a totals on a topic that is there: the test is the adder."""
    def make(environment=None, **options):
        topic = next(TOPIC_NAMES)
        shared_kafka.create_topic(topic)
        service = opened(Totals(tmp_path, shared_kafka.address, topic, environment,
                                **shared_kafka.totals_options, **options))
        service.kafka, service.topic = shared_kafka, topic
        return service.start().wait_ready()
    return make


def send(totals, sequence, source=SOURCE, timestamp_ms=0, **changes):
    totals.kafka.produce(totals.topic, source.encode(), events.value(sequence, 0),
                         events.headers(source, sequence, **changes), timestamp_ms=timestamp_ms)


def time_of(offset_s):
    there = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    return there.isoformat()


# --- metrics ---
def test_metrics_agree_with_rest(make_totals):
    totals = make_totals()
    for sequence in (1, 2, 2, 5, 1):
        send(totals, sequence)
    send(totals, 3, source=OTHER)
    totals.kafka.produce(totals.topic, b"key", b"no event", [])
    send(totals, 6)
    totals.wait_for_total(1 + 2 + 5 + 3 + 6, 5)
    metrics = wait_for_metrics(totals, lambda m: m.sum("abacus_consumer_lag_events") == 0,
                               "no lag")

    for source in totals.get("/v1/sources")["sources"]:
        for name, member in (("abacus_ledger_applied_total", "count"),
                             ("abacus_ledger_duplicates_total", "duplicates"),
                             ("abacus_ledger_missing_events", "missing_events"),
                             ("abacus_ledger_highest_sequence", "highest")):
            said = metrics.value(name, source=source["source"])
            assert said == int(source[member]), (name, source)
    total = totals.get("/v1/total")
    assert metrics.sum("abacus_ledger_applied_total") == int(total["count"]) == 5
    assert metrics.sum("abacus_ledger_duplicates_total") == int(total["duplicates"]) == 2
    assert metrics.sum("abacus_ledger_missing_events") == int(total["missing"]) == 4
    assert metrics.sum("abacus_ledger_dead_letters_total") == int(total["dead_letters"]) == 1
    assert metrics.value("abacus_ledger_sources") == 2
    assert metrics.sum("abacus_consumer_lag_seconds") == 0
    assert metrics.value("abacus_consumer_assigned_partitions") == 4
    assert metrics.value("abacus_consumer_rebalances_total", kind="assigned") == 1


def test_each_applied_event_is_observed_once_in_each_stage(make_totals):
    totals = make_totals()
    for sequence in (1, 2, 2, 3):
        send(totals, sequence)
    totals.kafka.produce(totals.topic, b"key", b"no event", [])
    send(totals, 4)
    totals.wait_for_total(10, 4)
    metrics = scrape(totals)
    assert metrics.value(DELIVERED) == 4
    assert metrics.value(STAGE, stage="broker_to_poll") == 4
    assert metrics.value(STAGE, stage="poll_to_commit") == 4
    assert metrics.sum(NEGATIVE) == 0
    assert metrics.value("messaging_client_consumed_messages_total",
                         messaging_destination_name=totals.topic) == 6
    assert metrics.value("abacus_consumer_batch_events_sum") == 6
    batches = metrics.value("abacus_consumer_batch_events_count")
    assert metrics.value("messaging_process_duration_seconds_count") == batches
    assert metrics.value("db_client_operation_duration_seconds_count",
                         db_collection_name="ledger", db_operation_name="UPDATE") == batches
    assert metrics.value("abacus_store_file_bytes", store="ledger") > 0
    assert metrics.value("abacus_store_disk_free_bytes", store="ledger") > 0


def test_latencies_below_zero_are_counted_apart(make_totals):
    totals = make_totals()
    hour_ahead_ms = int(time.time() * 1000) + 3_600_000
    send(totals, 1, ce_time=time_of(+3600))
    send(totals, 2, ce_time=time_of(-3600), timestamp_ms=hour_ahead_ms)
    send(totals, 3, ce_time=None)
    totals.wait_for_total(6, 3)
    metrics = scrape(totals)
    assert metrics.value(NEGATIVE, stage="delivery") == 1
    assert metrics.value(NEGATIVE, stage="broker_to_poll") == 1
    assert metrics.value(DELIVERED) == 1
    assert metrics.value("abacus_delivery_latency_seconds_sum") >= 3600
    assert metrics.value(STAGE, stage="broker_to_poll") == 2
    assert metrics.value(STAGE, stage="poll_to_commit") == 3


def test_a_latency_leads_to_the_trace_of_a_sampled_event(make_totals):
    trace_id, unsampled = "4bf92f3577b34da6a3ce929d0e0e4736", "63e4e0e0c9ed3a6ad43b7753f29fb4bf"
    totals = make_totals()
    for sequence, (trace, flags) in enumerate(((trace_id, "01"), (unsampled, "00")), 1):
        send(totals, sequence, traceparent=f"00-{trace}-00f067aa0ba902b7-{flags}",
             ce_time=time_of(-3600))
    totals.wait_for_total(3, 2)
    page = http(totals.admin + "/metrics", headers={
        "Accept": "application/openmetrics-text;version=1.0.0"})[2].decode()
    exemplars = [sample.exemplar for family in text_string_to_metric_families(page)
                 for sample in family.samples if sample.exemplar
                 and family.name == "abacus_delivery_latency_seconds"]
    assert [exemplar.labels["trace_id"] for exemplar in exemplars] == [trace_id]
    assert exemplars[0].value >= 3600


def test_a_topic_made_by_us_says_when_kafka_had_a_message(tmp_path, shared_kafka, opened):
    topic = next(TOPIC_NAMES)
    totals = opened(Totals(tmp_path, shared_kafka.address, topic, **shared_kafka.totals_options))
    totals.start().wait_ready()
    wait_until(lambda: topic in shared_kafka.topics(), "totals to make its topic")
    shared_kafka.produce(topic, SOURCE.encode(), events.value(1, 0), events.headers(SOURCE, 1),
                         timestamp_ms=1)
    log_append_time = 2  # confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    kind, milliseconds = shared_kafka.read(topic, 1)[0].timestamp()
    assert kind == log_append_time and milliseconds > 1


def test_lag_grows_in_events_and_seconds_until_the_ledger_commits_again(make_totals):
    totals = make_totals()
    send(totals, 1)
    totals.wait_for_total(1, 1)
    with totals.store_held():
        for sequence in (2, 3, 4):
            send(totals, sequence)
        behind = wait_for_metrics(
            totals, lambda m: m.value("abacus_consumer_lag_events", partition="0") == 3
            and m.value("abacus_consumer_lag_seconds", partition="0") > 0, "a lag of 3 events")
        seconds = behind.value("abacus_consumer_lag_seconds", partition="0")
        wait_for_metrics(totals, lambda m: m.value("abacus_consumer_lag_seconds",
                                                   partition="0") > seconds + 1, "more lag")
        failed = wait_for_metrics(totals, lambda m: m.sum(
            "messaging_process_duration_seconds_count", error_type="unavailable") > 0,
            "an attempt that failed")
        assert failed.sum("db_client_operation_duration_seconds_count",
                          error_type="unavailable") > 0
        wait_for_metrics(totals, lambda m: m.value("abacus_ready", condition="ledger") == 0,
                         "the condition not to hold")
    totals.wait_for_total(10, 4)
    wait_for_metrics(totals, lambda m: m.value("abacus_consumer_lag_seconds", partition="0") == 0
                     and m.value("abacus_consumer_lag_events", partition="0") == 0, "no lag")
    assert scrape(totals).value(DELIVERED) == 4  # a failed attempt is not a way


# --- log ---
def lines(totals, **wanted):
    whole = [json.loads(line) for line in totals.log().splitlines() if line.endswith("}")]
    return [line for line in whole if wanted.items() <= line.items()]


def test_log_lines_name_the_event_they_speak_of(make_totals):
    trace_id, span_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    context = f"00-{trace_id}-{span_id}-01"
    totals = make_totals(log_level="debug")
    for sequence in (1, 4, 2, 3, 3):
        send(totals, sequence, traceparent=context)
    send(totals, 5, traceparent=context, ce_type="com.example.Other")
    send(totals, 5)
    wait_until(lambda: totals.total()[1] == 5 and
               lines(totals, level="debug", sequence=5), "the last line")
    event = {"source": SOURCE, "trace_id": trace_id, "span_id": span_id, "partition": 0}
    assert len(lines(totals, level="warn", sequence=4, offset=1, **event)) == 1  # opened a range
    assert len(lines(totals, level="info", sequence=3, offset=3, **event)) == 1  # closed it
    assert len(lines(totals, level="debug", sequence=3, offset=4, **event)) == 1  # duplicate
    for sequence, offset in ((1, 0), (4, 1), (2, 2), (3, 3)):
        assert len(lines(totals, level="debug", sequence=sequence, offset=offset, **event)) == 1
    letter, = lines(totals, level="warn", offset=5, partition=0, trace_id=trace_id)
    assert "ce_type" in letter["message"] and "sequence" not in letter
    last, = lines(totals, level="debug", sequence=5)
    assert "trace_id" not in last
