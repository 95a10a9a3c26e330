# SPDX-License-Identifier: Apache-2.0
"""Trouble while running: no disk, no Kafka, a Kafka that forgot, kills, stops under load."""
import grpc
import pytest

from harness.load import Load
from harness.process import PATIENCE_S, run, wait_until
from harness.services import Adder, System

pytestmark = pytest.mark.sanitized


def assert_all_arrived(system, total, count):
    system.totals.wait_for_total(total, count, 60)
    code, said = system.check()
    assert code == 0, said


# --- Kafka ---
def test_adds_go_on_without_kafka_and_arrive_when_it_is_back(tmp_path, own_kafka, opened):
    system = opened(System(tmp_path, own_kafka)).start()
    with system.adder.client() as client:
        client.add(1, 1)
        system.totals.wait_for_total(2, 1)
        own_kafka.kill()
        for n in range(300):
            client.add(n, 0)
        assert int(system.adder.source()["backlog"]) >= 300
        assert system.adder.ready()  # it can do its job: adds are durable
        assert system.totals.total() == (2, 1)
        own_kafka.start()
    assert_all_arrived(system, 2 + 299 * 150, 301)
    wait_until(lambda: system.adder.source()["backlog"] == "0", "Kafka to have acknowledged all")


def test_services_start_before_kafka(tmp_path, own_kafka, opened):
    own_kafka.stop()
    system = opened(System(tmp_path, own_kafka))
    system.adder.start()
    system.totals.start()
    system.adder.wait_ready()
    system.totals.wait_ready()
    with system.adder.client() as client:
        client.add(2, 3)
    own_kafka.start()
    assert_all_arrived(system, 5, 1)


def test_replay_restores_the_total_of_a_wiped_kafka_exactly(tmp_path, own_kafka, opened):
    """Both services run through the wipe; part of the events had been counted, part had not."""
    system = opened(System(tmp_path, own_kafka)).start()
    with system.adder.client() as client:
        for n in range(100):
            client.add(n, 0)
        system.totals.wait_for_total(99 * 50, 100)
        system.totals.pause()
        for n in range(50):
            client.add(n, 0)
        wait_until(lambda: system.adder.source()["backlog"] == "0", "all to be published")
        own_kafka.kill()
        own_kafka.wipe()
        system.totals.resume()
        for n in range(10):
            client.add(n, 0)
        own_kafka.start()
        wait_until(lambda: system.adder.source()["backlog"] == "0", "the rest to be published", 60)
    assert system.adder.replay(1)[0] == 202
    assert_all_arrived(system, 99 * 50 + 49 * 25 + 45, 160)


def test_totals_goes_on_when_its_topic_was_deleted_and_is_made_again(system):
    """Totals has nothing to read first, and nobody tells it when there is something again."""
    with system.adder.client() as client:
        client.add(1, 1)
        system.totals.wait_for_total(2, 1)
        system.kafka.delete_topic(system.topic)
        system.totals.wait_for_log("partition count changed from 4 to 0")
        client.add(2, 3)
        wait_until(lambda: system.adder.source()["backlog"] == "0", "it to be in the new topic")
    assert_all_arrived(system, 7, 2)


def test_totals_stops_cleanly_when_its_topic_is_gone(system):
    """Its Kafka client must let go of partitions that are nowhere any more."""
    with system.adder.client() as client:
        client.add(1, 1)
    system.totals.wait_for_total(2, 1)
    system.adder.stop()
    system.kafka.delete_topic(system.topic)
    system.totals.wait_for_log("partition count changed from 4 to 0")
    assert system.totals.stop() == 0, "it ran into the end of its grace time"


def test_totals_stops_cleanly_after_a_wipe(tmp_path, own_kafka, opened):
    """Its partitions are taken away first, since its session ends; then the topic is gone."""
    system = opened(System(tmp_path, own_kafka)).start()
    with system.adder.client() as client:
        client.add(1, 1)
    system.totals.wait_for_total(2, 1)
    system.adder.stop()
    own_kafka.kill()
    own_kafka.wipe()
    system.totals.wait_for_log("rebalance: gave back 4 partitions")
    own_kafka.start()
    system.totals.wait_for_log("partition count changed from 4 to 0")
    assert system.totals.stop() == 0, "it ran into the end of its grace time"


def test_replay_of_a_stopped_adder_s_outbox(system):
    with system.adder.client() as client:
        for n in range(10):
            client.add(n, 0)
    system.totals.wait_for_total(45, 10)
    system.adder.stop()
    run(*system.adder.command[:1], "replay", "--from", 4, *system.adder.command[1:])
    messages = system.kafka.read(system.topic, 17)
    assert [int(dict(m.headers())["ce_sequence"]) for m in messages[10:]] == list(range(4, 11))
    system.adder.start().wait_ready()
    wait_until(lambda: system.totals.source(system.adder.source()["source"])["duplicates"] == "7",
               "the duplicates to be counted")
    assert_all_arrived(system, 45, 10)


def test_replay_says_what_is_no_longer_there(system):
    assert system.adder.replay("x")[0] == 400
    assert system.adder.replay(0)[0] == 400
    status, _, body = system.adder.replay(5)
    assert status == 404 and b"5" in body


def test_totals_that_was_fenced_off_takes_its_place_again(system):
    """Kafka lets only one member of a name into a group. Whoever takes totals' name ends its Kafka
    client for good, and so does totals itself when its session ends at a bad moment."""
    with Load(system.adder) as load:
        load.answered(100)
        system.totals.wait_for_log("reading from offset")
        group = f"{system.topic}.totals"
        name = system.kafka.member_names(group)[0]
        system.kafka.join_as(group, name, system.topic)
        system.totals.wait_for_log("FATAL.*fenced")
        load.answered(100)
    assert_all_arrived(system, load.sum, load.count)
    system.totals.wait_ready()


# --- kill and stop ---
@pytest.mark.parametrize("victim", ["adder", "totals"])
def test_killed_under_load_nothing_is_lost_or_doubled(system, victim):
    process = getattr(system, victim)
    process.pin_ports()
    with Load(system.adder) as load:
        for _ in range(3):
            load.answered(200)
            process.kill()
            process.start()
        load.answered(200)
    assert set(load.failures) <= {grpc.StatusCode.UNAVAILABLE}
    assert_all_arrived(system, load.sum, load.count)


def test_killed_kafka_under_load_nothing_is_lost_or_doubled(tmp_path, own_kafka, opened):
    system = opened(System(tmp_path, own_kafka)).start()
    with Load(system.adder) as load:
        for _ in range(2):
            load.answered(500)
            own_kafka.kill()
            load.answered(500)
            own_kafka.start()
        load.answered(500)
    assert not load.failures  # the adder did not even notice
    assert_all_arrived(system, load.sum, load.count)


def test_sigterm_under_load_gives_only_retriable_statuses(system):
    system.adder.pin_ports()
    with Load(system.adder, threads=8) as load:
        for _ in range(3):
            load.answered(300)
            assert system.adder.stop() == 0
            system.adder.start()
        load.answered(300)
    assert set(load.failures) <= {grpc.StatusCode.UNAVAILABLE}
    assert_all_arrived(system, load.sum, load.count)


def test_clean_stop_leaves_nothing_unpublished(tmp_path, shared_kafka, opened):
    grace = {"shutdown_grace_ms": 1000 * PATIENCE_S}
    system = opened(System(tmp_path, shared_kafka, grace)).start()
    with system.adder.client() as client:
        for later in [client.add_later(1, 1) for _ in range(1000)]:
            later.result()
    assert system.adder.stop() == 0
    system.totals.wait_for_total(2000, 1000)


def test_second_signal_ends_it_at_once(tmp_path, own_kafka, opened):
    """Kafka is away and the grace long: the first signal waits for it, the second does not."""
    system = opened(System(tmp_path, own_kafka, {"shutdown_grace_ms": 2000 * PATIENCE_S})).start()
    own_kafka.kill()
    with system.adder.client() as client:
        client.add(1, 1)
    system.adder.signal(15)
    system.adder.wait_for_log("stopping")
    assert system.adder.running
    system.adder.signal(15)
    system.adder.wait(PATIENCE_S / 2)
    own_kafka.start()
    system.adder.start()
    assert_all_arrived(system, 2, 1)


# --- two adders ---
def test_two_adders_are_two_sources_of_one_total(tmp_path, shared_kafka, opened):
    system = opened(System(tmp_path, shared_kafka)).start()
    other = opened(Adder(tmp_path, shared_kafka.address, system.topic, name="adder-2",
                         outbox=tmp_path / "outbox-2.db")).start()
    for adder, count in ((system.adder, 5), (other, 7)):
        with adder.client() as client:
            for _ in range(count):
                client.add(1, 0)
    system.totals.wait_for_total(12, 12)
    assert {s["count"] for s in system.totals.get("/v1/sources")["sources"]} == {"5", "7"}
