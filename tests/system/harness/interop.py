# SPDX-License-Identifier: Apache-2.0
"""Our gRPC layer as a server of its own (tests/interop), and grpc-go's interop client."""
import pathlib
import subprocess

from .process import BUILD, ROOT, Process, run

SERVER = BUILD / "tests/interop/interop_server"
CLIENT = pathlib.Path.home() / ".cache/abacus/interop-client"

ECHO, PARK, TELL, FLOOD = (f"/abacus.test.Steered/{name}"
                           for name in ("Echo", "Park", "Tell", "Flood"))


class InteropServer(Process):
    """limits: fields of struct grpc_server_config, and grace_ms of the stop."""

    def __init__(self, folder, **limits):
        words = [f"{name}={value}" for name, value in limits.items()]
        super().__init__("interop_server", folder, [SERVER, *words])

    def start(self):
        super().start()
        self.port = int(self.wait_for_log(r"^(\d+)\n").group(1))
        return self

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


def go_client():
    """Builds it once, outside the tree; go.mod pins the version."""
    pinned = ROOT / "tests/interop/go/go.mod"
    if not CLIENT.exists() or CLIENT.stat().st_mtime < pinned.stat().st_mtime:
        CLIENT.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-o", CLIENT, "google.golang.org/grpc/interop/client"],
                       cwd=pinned.parent, check=True, timeout=900)
    return CLIENT


def go_case(server, case, *options):
    return run(go_client(), "--server_host=127.0.0.1", f"--server_port={server.port}",
               f"--test_case={case}", *options, timeout_s=120)
