# SPDX-License-Identifier: Apache-2.0
"""gRPC's own interop suite: grpc-go's client against a server on our layer.

Left out: what needs compression in the answer (we send none), and what needs a cloud.
"""
import shutil

import pytest

from harness.interop import CLIENT, InteropServer, go_case, go_client

pytestmark = pytest.mark.skipif(not CLIENT.exists() and shutil.which("go") is None,
                                reason="needs Go to build grpc-go's interop client")

SOAK = ["--soak_iterations=100", "--soak_overall_timeout_seconds=100"]
CASES = {
    "empty_unary": [],
    "large_unary": [],
    "client_streaming": [],
    "server_streaming": [],
    "ping_pong": [],
    "empty_stream": [],
    "timeout_on_sleeping_server": [],
    "cancel_after_begin": [],
    "cancel_after_first_response": [],
    "status_code_and_message": [],
    "special_status_message": [],
    "custom_metadata": [],
    "unimplemented_method": [],
    "unimplemented_service": [],
    "pick_first_unary": [],
    "rpc_soak": SOAK,
    "channel_soak": SOAK,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    go_client()
    server = InteropServer(tmp_path_factory.mktemp("interop")).start()
    yield server
    assert server.stop() == 0
    server.assert_clean()


@pytest.mark.timeout(900)  # the first one builds the client
@pytest.mark.parametrize("case", CASES)
def test_go_client(server, case):
    go_case(server, case, *CASES[case])
