# SPDX-License-Identifier: Apache-2.0
"""What others may put on the topic, and what becomes of it: dead letters, duplicates, gaps."""
import json

import pytest

from harness import events
from harness.process import wait_until
from harness.services import Totals

pytestmark = pytest.mark.sanitized

SOURCE = "01234567-89ab-4cde-8f01-23456789abcd"
TOPIC_NAMES = iter(range(1_000_000))


@pytest.fixture
def totals(tmp_path, shared_kafka, opened):
    """A totals alone: the test is the adder."""
    topic = f"events-{next(TOPIC_NAMES)}"
    shared_kafka.create_topic(topic)
    service = opened(Totals(tmp_path, shared_kafka.address, topic, **shared_kafka.totals_options))
    service.kafka, service.topic = shared_kafka, topic
    return service.start().wait_ready()


def send(totals, sequence, a=0, partition=0, source=SOURCE):
    events.send(totals.kafka, totals.topic, source, sequence, a, 0, partition)


def missing(totals, source=SOURCE):
    seen = totals.source(source)
    return [(int(r["first"]), int(r["last"])) for r in seen["missing"]]


# --- not an event of ours: each a dead letter, and the partition goes on ---
def h(**changes):
    return events.headers(SOURCE, 1, **changes)


GOOD = events.value(2, 3)
BAD = {  # name: (key, value, headers)
    "no headers": (SOURCE, GOOD, []),
    "wrong specversion": (SOURCE, GOOD, h(ce_specversion="0.3")),
    "no id": (SOURCE, GOOD, h(ce_id=None)),
    "id of another sequence": (SOURCE, GOOD, h(ce_id=f"{SOURCE}/2")),
    "foreign source": (SOURCE, GOOD, h(ce_source="/somebody/else")),
    "source that is no uuid": (SOURCE, GOOD, h(ce_source="/abacus/adder/x")),
    "foreign type": (SOURCE, GOOD, h(ce_type="com.example.Other")),
    "no sequence": (SOURCE, GOOD, h(ce_sequence=None)),
    "sequence not padded": (SOURCE, GOOD, h(ce_sequence="1")),
    "sequence 0": (SOURCE, GOOD, events.headers(SOURCE, 0)),
    "sequence of letters": (SOURCE, GOOD, h(ce_sequence="x" * 19)),
    "bad time": (SOURCE, GOOD, h(ce_time="yesterday")),
    "foreign content type": (SOURCE, GOOD, h(content_type="text/plain")),
    "key of another": ("11111111-1111-4111-8111-111111111111", GOOD, h()),
    "no key": (None, GOOD, h()),
    "no value": (SOURCE, None, h()),
    "empty value": (SOURCE, b"", h()),
    "not JSON": (SOURCE, b"{\"a\":", h()),
    "not an object": (SOURCE, b"[1,2,3]", h()),
    "a missing sum": (SOURCE, b'{"a":"2","b":"3"}', h()),
    "sum that is not a + b": (SOURCE, events.value(2, 3, total=6), h()),
    "number out of range": (SOURCE, b'{"a":"9223372036854775808","b":"0","sum":"0"}', h()),
    "number with a fraction": (SOURCE, b'{"a":"1.5","b":"0","sum":"1"}', h()),
}


def test_what_is_not_an_event_is_a_dead_letter_with_a_reason(totals):
    for key, value, headers in BAD.values():
        totals.kafka.produce(totals.topic, key and key.encode(), value, headers)
    send(totals, 1, a=7)
    totals.wait_for_total(7, 1)  # the partition went on

    letters = totals.kafka.read(totals.topic + ".dlq", len(BAD))
    for (name, (key, value, headers)), letter in zip(BAD.items(), letters):
        found = dict(letter.headers())
        assert letter.value() == value, name
        assert letter.key() == (key and key.encode()), name
        for header, text in headers:  # everything it had is still there
            assert found[header] == text, name
        reasons = [text for header, text in found.items() if "reason" in header]
        assert reasons and reasons[0], (name, found)
    assert totals.get("/v1/total")["dead_letters"] == str(len(BAD))


def test_unknown_headers_and_fields_are_ignored(totals):
    value = json.dumps({"a": "2", "b": "3", "sum": "5", "later": {"more": [1, 2]}}).encode()
    headers = events.headers(SOURCE, 1) + [("ce_future", b"x"), ("other", b"\xff\xfe")]
    totals.kafka.produce(totals.topic, SOURCE.encode(), value, headers)
    totals.wait_for_total(5, 1)


def test_numbers_may_be_json_numbers(totals):
    """ProtoJSON writes 64-bit integers as strings, but readers must take numbers too."""
    totals.kafka.produce(totals.topic, SOURCE.encode(), b'{"a":2,"b":3,"sum":5}',
                         events.headers(SOURCE, 1))
    totals.wait_for_total(5, 1)


# --- sequences ---
def test_duplicates_are_dropped_and_counted(totals):
    for sequence in (1, 2, 2, 1, 3, 3):
        send(totals, sequence, a=10)
    totals.wait_for_total(30, 3)
    wait_until(lambda: totals.source(SOURCE)["duplicates"] == "3", "3 duplicates")
    assert totals.get("/v1/total")["count"] == "3"


def test_gap_is_a_missing_range_and_late_events_close_it(totals):
    for sequence in (1, 5, 9):
        send(totals, sequence, a=1)
    totals.wait_for_total(3, 3)
    assert missing(totals) == [(2, 4), (6, 8)]
    assert totals.get("/v1/total")["missing"] == "6"
    send(totals, 3, a=1)
    totals.wait_for_total(4, 4)
    assert missing(totals) == [(2, 2), (4, 4), (6, 8)]
    for sequence in (2, 4, 6, 7, 8):
        send(totals, sequence, a=1)
    totals.wait_for_total(9, 9)
    assert missing(totals) == []


def test_what_is_known_survives_a_kill(totals):
    for sequence in (1, 4):
        send(totals, sequence, a=1)
    totals.wait_for_total(2, 2)
    totals.kill()
    totals.start().wait_ready()
    assert totals.total() == (2, 2) and missing(totals) == [(2, 3)]
    for sequence in (4, 3, 2, 1):
        send(totals, sequence, a=1)
    totals.wait_for_total(4, 4)


def test_sources_on_all_partitions_are_summed(totals):
    sources = [f"{n:08}-0000-4000-8000-000000000000" for n in range(8)]
    for n, source in enumerate(sources):
        send(totals, 1, a=n, partition=n % 4, source=source)
    totals.wait_for_total(28, 8)
    assert {s["source"] for s in totals.get("/v1/sources")["sources"]} == set(sources)


def test_second_ledger_counts_the_same_topic_from_its_beginning(totals, tmp_path, opened):
    for sequence in range(1, 6):
        send(totals, sequence, a=sequence)
    totals.wait_for_total(15, 5)
    totals.stop()
    again = opened(Totals(tmp_path, totals.kafka.address, totals.topic, name="totals-2",
                          ledger=tmp_path / "ledger-2.db")).start()
    again.wait_for_total(15, 5)
