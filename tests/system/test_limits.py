# SPDX-License-Identifier: Apache-2.0
"""What one client can take from the adder."""
import pathlib
import re

import grpc
import pytest

from harness.services import Adder


@pytest.fixture
def adder(tmp_path, embedded, opened):
    return opened(Adder(tmp_path, embedded.address, "sums")).start().wait_ready()


def peak_bytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


@pytest.mark.parametrize("size, accepted", [(60_000, True), (4_000_000, False)])
def test_request_of_unknown_fields_takes_little_memory(adder, size, accepted):
    """Each field costs more in memory than its two bytes on the wire."""
    with adder.client() as client:
        client.add(1, 2)
        before = peak_bytes(adder)
        try:
            client.send_bytes("/abacus.v1.Adder/Add", b"\x20\x01" * (size // 2))
            assert accepted
        except grpc.RpcError as error:
            assert not accepted and error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak_bytes(adder) - before < 10_000_000
