# SPDX-License-Identifier: Apache-2.0
"""The disk is full: callers are told, nothing that was answered is missing, and it recovers."""
import contextlib
import uuid

import grpc

from harness.disk import tmpfs
from harness.process import wait_until
from harness.services import Adder, System

# Makes a row longer, so that a disk is full sooner.
TRACE = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


def fill(client, accepted):
    """Adds until the disk is full; returns what the callers then see."""
    failed = None
    while failed is None:
        for later in [client.add_later(1, 0, str(uuid.uuid4()), metadata=TRACE)
                      for _ in range(200)]:
            try:
                accepted.append(later.result().sum)
            except grpc.RpcError as error:
                failed = error
    return failed


def test_full_disk_is_unavailable_and_loses_nothing_that_was_answered(tmp_path, shared_kafka):
    accepted = []
    with tmpfs(tmp_path / "disk", "size=24m") as disk, contextlib.closing(
            System(tmp_path, shared_kafka, {"outbox": disk / "outbox.db"})) as system:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(7_000_000))
        system.start()
        with system.adder.client() as client:
            error = fill(client, accepted)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            wait_until(lambda: not system.adder.ready(), "readiness to be false")
            assert "disk" in str(system.adder.readiness()) or "full" in str(
                system.adder.readiness())
            ballast.unlink()
            system.adder.wait_ready()
            accepted.append(client.add(1, 1).sum)
        source = system.adder.source()
        assert int(source["count"]) >= len(accepted)
        if int(source["count"]) == len(accepted):
            assert int(source["sum"]) == sum(accepted)
        system.totals.wait_for_total(int(source["sum"]), int(source["count"]))
        code, said = system.check()
        assert code == 0, said


def test_disk_filled_by_the_backlog_empties_itself_when_kafka_is_back(tmp_path, embedded):
    accepted = []
    with tmpfs(tmp_path / "disk", "size=22m") as disk, contextlib.closing(
            Adder(tmp_path, embedded.address, "sums", outbox=disk / "outbox.db",
                  retention_rows=0)) as adder:
        adder.start().wait_ready()
        embedded.process.pause()
        with adder.client() as client:
            assert fill(client, accepted).code() == grpc.StatusCode.UNAVAILABLE
            wait_until(lambda: not adder.ready(), "readiness to be false")
            embedded.process.resume()
            adder.wait_ready()
            client.add(1, 1)
        assert int(adder.source()["count"]) == len(accepted) + 1
