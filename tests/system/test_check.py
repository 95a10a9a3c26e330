# SPDX-License-Identifier: Apache-2.0
"""The verdict of `abacus-cli check` is itself tested: against loss and doubling that we plant."""
import pytest

from harness import events
from harness.process import CLI, pause, run, wait_until
from harness.services import System


def add_twenty(system):
    """The total becomes 1 + 2 + … + 20."""
    with system.adder.client() as client:
        for n in range(1, 21):
            client.add(n, 0)
    system.totals.wait_for_total(210, 20)
    return system


@pytest.fixture
def counted(system):
    return add_twenty(system)


def verdict(system):
    """What check says as soon as it can tell: (0 or 1, its output)."""
    def told():
        answer = system.check(wait_s=2)
        return answer if answer[0] != 2 else None
    return wait_until(told, "a verdict")


def forge(system, sequence, a):
    """An event that the adder never sent, in its name."""
    source = system.adder.source()
    events.send(system.kafka, system.topic, source["source"], sequence, a, 0, source["partition"])


def test_nothing_added_yet_is_0(system):
    code, said = system.check()
    assert code == 0, said


def test_all_there_once_is_0(counted):
    code, said = counted.check()
    assert code == 0, said


def test_lost_events_are_1_and_a_replay_brings_them_back(tmp_path, own_kafka, opened):
    """Kafka loses what it had acknowledged while nobody had read it."""
    system = add_twenty(opened(System(tmp_path, own_kafka)).start())
    system.totals.stop()
    with system.adder.client() as client:
        for n in range(1, 6):
            client.add(n, 0)
    wait_until(lambda: system.adder.source()["backlog"] == "0", "all to be published")
    assert system.adder.stop() == 0
    own_kafka.stop()
    own_kafka.wipe()
    own_kafka.start()
    system.start()

    code, said = verdict(system)
    assert code == 1, said
    assert system.adder.source()["source"] in said
    assert "5" in said  # how many

    assert system.adder.replay(1)[0] == 202
    system.totals.wait_for_total(210 + 15, 25)
    code, said = system.check()
    assert code == 0, said


def test_event_counted_that_was_never_added_is_1(counted):
    forge(counted, 21, 1000)
    counted.totals.wait_for_total(1210, 21)
    code, said = verdict(counted)
    assert code == 1, said
    assert counted.adder.source()["source"] in said


def test_equal_counts_with_another_sum_are_1(counted):
    """The forged event takes the sequence of the next real one, which then is the duplicate."""
    forge(counted, 21, 1000)
    counted.totals.wait_for_total(1210, 21)
    with counted.adder.client() as client:
        client.add(999, 0)
    code, said = verdict(counted)
    assert code == 1, said


def test_source_whose_adder_was_not_asked_is_shown_and_changes_nothing(counted):
    stranger = "01234567-89ab-4cde-8f01-23456789abcd"
    events.send(counted.kafka, counted.topic, stranger, 1, 1, 1)
    counted.totals.wait_for_total(212, 21)
    code, said = counted.check()
    assert code == 0, said
    assert stranger in said


@pytest.mark.parametrize("service", ["adder", "totals"])
def test_service_that_is_away_is_2(counted, service):
    getattr(counted, service).stop()
    code, said = counted.check(wait_s=1)
    assert code == 2, said
    assert said.strip()


def test_events_still_on_their_way_are_2(counted):
    counted.kafka.process.pause()
    try:
        with counted.adder.client() as client:
            client.add(1, 1)
        code, said = counted.check(wait_s=1)
    finally:
        counted.kafka.process.resume()
    assert code == 2, said
    code, said = counted.check()
    assert code == 0, said


def test_kafka_that_hangs_before_totals_heard_of_an_event_is_2(tmp_path, own_kafka, opened):
    """What totals know of Kafka's end is old, so that a lag of 0 says nothing."""
    system = opened(System(tmp_path, own_kafka, None,
                           {"kafka_property": ["session.timeout.ms=30000"]}))
    add_twenty(system.start())
    with system.adder.client() as client:
        for silence_s in (0.5, 1, 2, 4):
            code, said = hang_before_it_is_heard(system, client, silence_s)
            if code != 0:
                break  # else Kafka had answered late, and totals got it
    assert code == 2, said
    code, said = system.check()
    assert code == 0, said


def hang_before_it_is_heard(system, client, silence_s):
    """One add reaches Kafka while totals sleeps; what check says before Kafka is back."""
    system.totals.pause()
    pause(silence_s)  # what totals had asked of Kafka is answered
    client.add(1, 1)
    wait_until(lambda: system.adder.source()["backlog"] == "0", "it to be published")
    system.kafka.process.pause()
    system.totals.resume()
    try:
        return system.check(wait_s=3)
    finally:
        system.kafka.process.resume()


def test_wrong_use_is_2(tmp_path):
    done = run(CLI, "check", "--no-such-option", check=False)
    assert done.returncode == 2
    assert "no-such-option" in done.stderr
