# SPDX-License-Identifier: Apache-2.0
"""The images under a real Docker engine, by `./abacus compose`: minutes, and so a suite apart."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = f"abacus-test-{os.getpid()}"
PORTS = ["KAFKA", "GRPC", "HTTP", "ADDER_ADMIN", "TOTALS_ADMIN"]
COMMAND_S_MAX = 900  # images may have to be pulled and built


def engine_is_missing():
    if shutil.which("docker") is None:
        return "docker is not installed"
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else ""


pytestmark = [
    pytest.mark.timeout(COMMAND_S_MAX),
    pytest.mark.skipif(bool(engine_is_missing()),
                       reason=f"no Docker engine runs here: {engine_is_missing()}"),
]


def free_ports(count):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                   for _ in range(count)]
        return [str(server.getsockname()[1]) for server in servers]


class Compose:
    """One project of its own, on free ports."""

    def __init__(self):
        numbers = zip(PORTS, free_ports(len(PORTS)))
        self.ports = {f"ABACUS_{name}_PORT": number for name, number in numbers}
        self.environment = os.environ | {"COMPOSE_PROJECT_NAME": PROJECT} | self.ports

    def run(self, *arguments, code=0, **variables):
        done = subprocess.run([ROOT / "abacus", "compose", *arguments], capture_output=True,
                              text=True, timeout=COMMAND_S_MAX, check=False,
                              env=self.environment | variables)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def total(self):
        out = self.run("cli", "total", "--output", "json")
        return json.loads(out[out.index("{"):out.rindex("}") + 1])["total"]

    @staticmethod
    def container(service):
        return f"{PROJECT}-{service}-1"


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True,
                          timeout=COMMAND_S_MAX).stdout


@pytest.fixture(scope="module")
def compose():
    project = Compose()
    try:
        project.run("up")
        yield project
    finally:
        project.run("down", "--volumes")


def test_each_add_arrives_once(compose):
    assert "every sum is there exactly once" in compose.run("smoke")


@pytest.mark.parametrize("victim", ["adder", "totals", "kafka"])
def test_nothing_is_lost_or_doubled_when_a_container_is_killed_under_load(compose, victim):
    load = subprocess.Popen(
        [ROOT / "abacus", "compose", "cli", "load", "--request-ids", "--rate", "500",
         "--duration-s", "20", "--no-verify"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=compose.environment)
    first = load.stdout.readline()  # adds have been answered when it speaks
    docker("kill", "--signal", "KILL", compose.container(victim))
    compose.run("up", "--no-build")
    said = first + load.communicate(timeout=COMMAND_S_MAX)[0]
    assert load.returncode == 0, said
    assert "every sum is there exactly once" in compose.run("smoke")


@pytest.mark.parametrize("service", ["adder", "totals"])
def test_sigterm_ends_process_1_cleanly(compose, service):
    name = compose.container(service)
    docker("stop", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "0"
    assert '"message":"stopped"' in compose.run("logs", "--tail", "3", service)
    compose.run("up", "--no-build")


def test_the_total_survives_down_and_up(compose):
    compose.run("smoke")
    before = compose.total()
    compose.run("down")
    compose.run("up", "--no-build")
    assert compose.total() == before


def test_a_taken_port_is_named_with_the_way_out(compose):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        said = compose.run("up", "--no-build", code=1, ABACUS_HTTP_PORT=taken)
    assert f"port {taken} of 127.0.0.1 is taken" in said
    assert "=NUMBER ./abacus compose up" in said
