# SPDX-License-Identifier: Apache-2.0
"""What docs/maintaining.md tells an operator to do, done: backup, restore, scale in, lost topic."""
import contextlib
import pathlib
import select
import shutil
import sqlite3
import subprocess

from harness.load import Load
from harness.process import CLI, PATIENCE_S, run, wait_until
from harness.services import Adder, System


def store_of(service):
    return pathlib.Path(service.command[service.command.index(f"--{service.store}") + 1])


def back_up(service, to):
    with open(to, "wb") as file:
        subprocess.run([service.command[0], "backup", f"--{service.store}", store_of(service)],
                       stdout=file, check=True, timeout=PATIENCE_S)
    with contextlib.closing(sqlite3.connect(to)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def lose(service):
    """The disk has gone: SQLite's file and all that belongs to it."""
    service.kill()
    for suffix in ("", "-wal", "-shm"):
        store_of(service).with_name(store_of(service).name + suffix).unlink(missing_ok=True)


def restore(service, backup):
    lose(service)
    shutil.copy(backup, store_of(service))


def replay(adder, outbox, first=1):
    """`abacus-adder replay` of a file on which no adder runs; what it said."""
    done = run(adder.command[0], "replay", "--from", first, *adder.command[1:], "--outbox", outbox)
    return done.stdout + done.stderr


def assert_all_there(system, total, count):
    system.totals.wait_for_total(total, count)
    code, said = system.check()
    assert code == 0, said


# --- the ledger ---
def test_a_ledger_of_yesterday_catches_up_with_kafka(tmp_path, system):
    """Backed up under load, and again and again: no backup waits for the load to stop."""
    with Load(system.adder) as load:
        for _ in range(5):
            load.answered(100)
            back_up(system.totals, tmp_path / "ledger.backup")
        load.answered(300)
    assert_all_there(system, load.sum, load.count)
    restore(system.totals, tmp_path / "ledger.backup")
    system.totals.start().wait_ready()
    assert_all_there(system, load.sum, load.count)


def test_a_ledger_of_yesterday_and_a_lost_topic_are_made_good_by_replay(tmp_path, own_kafka,
                                                                        opened):
    system = opened(System(tmp_path, own_kafka)).start()
    with Load(system.adder) as load:
        load.answered(200)
        back_up(system.totals, tmp_path / "ledger.backup")
        load.answered(200)
    assert_all_there(system, load.sum, load.count)
    own_kafka.kill()
    own_kafka.wipe()
    restore(system.totals, tmp_path / "ledger.backup")
    own_kafka.start()
    system.totals.start().wait_ready()
    assert system.totals.total()[1] < load.count
    assert system.adder.replay(1)[0] == 202
    assert_all_there(system, load.sum, load.count)


# --- a backup that is given up ---
def test_a_backup_that_nobody_reads_ends_when_it_is_told_and_leaves_nothing(tmp_path, system):
    """More than fits into the pipe: without a reader it would wait for ever."""
    run(CLI, "load", "--adder", system.adder.addresses["grpc"], "--count", 10_000, "--no-verify")
    outbox = store_of(system.adder)
    with open(tmp_path / "said", "wb") as said:
        backup = subprocess.Popen([system.adder.command[0], "backup", "--outbox", outbox],
                                  stdout=subprocess.PIPE, stderr=said)
    try:
        wait_until(lambda: select.select([backup.stdout], [], [], 0)[0], "the backup to begin")
        assert not list(outbox.parent.glob("*.backup-*"))  # also if it were killed now
        backup.terminate()
        assert backup.wait(PATIENCE_S) == 1
    finally:
        backup.kill()
        backup.communicate()
    assert "stopped: the backup is not complete" in (tmp_path / "said").read_text()


# --- the outbox ---
def test_a_backup_of_an_outbox_cannot_go_on_as_the_outbox(tmp_path, system):
    with system.adder.client() as client:
        client.add(2, 3)
    back_up(system.adder, tmp_path / "outbox.backup")
    restore(system.adder, tmp_path / "outbox.backup")
    done = run(*system.adder.command, check=False)
    assert done.returncode == 1
    assert "is a backup" in done.stderr and "abacus-adder replay" in done.stderr


def test_a_lost_outbox_is_made_good_by_its_backup_and_a_new_one(tmp_path, own_kafka, opened):
    """Kafka was away: what the backup holds is in no other place."""
    system = opened(System(tmp_path, own_kafka)).start()
    with system.adder.client() as client:
        for _ in range(10):
            client.add(1, 0)
        system.totals.wait_for_total(10, 10)
        own_kafka.kill()
        for _ in range(20):
            client.add(1, 0)
    back_up(system.adder, tmp_path / "outbox.backup")
    lose(system.adder)
    own_kafka.start()
    replay(system.adder, tmp_path / "outbox.backup")
    system.totals.wait_for_total(30, 30)
    system.adder.start().wait_ready()  # on a new file: another source
    with system.adder.client() as client:
        client.add(1, 0)
    assert_all_there(system, 31, 31)
    assert len(system.totals.get("/v1/sources")["sources"]) == 2


def test_a_snapshot_that_went_on_as_the_outbox_is_noticed(tmp_path, system):
    """A copy of the disk says nothing of being one. What it numbers anew is dropped; check says so
    as long as the outbox is shorter than what was counted of it."""
    with system.adder.client() as client:
        for _ in range(10):
            client.add(1, 0)
        assert_all_there(system, 10, 10)
        shutil.copytree(store_of(system.adder).parent, tmp_path / "snapshot",
                        ignore=lambda _, names: [n for n in names if not n.startswith("outbox")])
        for _ in range(10):
            client.add(1, 0)
    assert_all_there(system, 20, 20)
    lose(system.adder)
    for file in (tmp_path / "snapshot").glob("outbox.db*"):
        shutil.copy(file, store_of(system.adder).parent)
    system.adder.start().wait_ready()
    with system.adder.client() as client:
        client.add(1, 0)
    code, said = wait_until(lambda: (lambda told: told[0] != 2 and told)(system.check(2)),
                            "a verdict")
    assert code == 1, said


# --- scale in ---
def test_what_an_adder_could_not_publish_before_it_left_is_replayed(tmp_path, own_kafka, opened):
    system = opened(System(tmp_path, own_kafka)).start()
    leaving = opened(Adder(tmp_path, own_kafka.address, system.topic, name="adder-2",
                           outbox=tmp_path / "outbox-2.db", shutdown_grace_ms=1000)).start()
    with leaving.client() as client:
        for _ in range(10):
            client.add(1, 0)
        system.totals.wait_for_total(10, 10)
        own_kafka.kill()
        for _ in range(10):
            client.add(1, 0)
    assert leaving.stop() == 0
    assert "the outbox holds rows that Kafka has not acknowledged" in leaving.log()
    own_kafka.start()
    assert "published up to 20 of 20" in replay(leaving, store_of(leaving), 11)
    system.totals.wait_for_total(20, 20)
