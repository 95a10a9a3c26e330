# SPDX-License-Identifier: Apache-2.0
"""The images under a real Docker engine, by `./abacus compose`: minutes, and so a suite apart."""
import contextlib
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request

import pytest

from harness.process import ROOT, wait_until

PROJECT = f"abacus-test-{os.getpid()}"  # and the tag of its images, which nobody else gives away
PROGRAMS = ("adder", "totals", "cli")
PORTS = ["KAFKA", "GRPC", "HTTP", "ADDER_ADMIN", "TOTALS_ADMIN", "PROMETHEUS", "GRAFANA",
         "KAFKA_UI"]
COMMAND_S_MAX = 900  # images may have to be pulled and built
WAIT_S = 180
FILES = ["--env-file", ROOT / "deploy/versions.env", "-f", ROOT / "deploy/compose/compose.yaml"]
PUBLIC = dict(line.split("=", 1) for line in
              (ROOT / "deploy/versions.env").read_text(encoding="utf-8").splitlines()
              if line and not line.startswith("#"))


def engine_is_missing():
    if shutil.which("docker") is None:
        return "docker is not installed"
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else ""


pytestmark = [
    pytest.mark.timeout(COMMAND_S_MAX),
    pytest.mark.skipif(bool(engine_is_missing()) and not os.environ.get("CI"),
                       reason=f"no Docker engine runs here: {engine_is_missing()}"),
]


def is_free(port):
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def free_ports(count):
    """Below those that the system hands out: while a container is down, nobody may get its port."""
    candidates = random.sample(range(20000, 30000), 200)
    return [str(port) for port in itertools.islice(filter(is_free, candidates), count)]


class Compose:
    """One project of its own, on free ports."""

    def __init__(self):
        numbers = zip(PORTS, free_ports(len(PORTS)))
        self.ports = {f"ABACUS_{name}_PORT": number for name, number in numbers}
        self.environment = os.environ | self.ports | {
            "COMPOSE_PROJECT_NAME": PROJECT, "ABACUS_VERSION": PROJECT}

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


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True,
                          timeout=COMMAND_S_MAX, **options).stdout.strip()


def inspect(container, template):
    return docker("inspect", "--format", "{{" + template + "}}", container)


def remove_images(tag):
    docker("image", "rm", *[f"abacus-{program}:{tag}" for program in PROGRAMS])


def kill_9(container):
    """The process itself. What `docker kill` ended, Docker would not start again."""
    pid = inspect(container, ".State.Pid")
    docker("run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "sh",
           PUBLIC["BASE_IMAGE"], "-c", f"kill -9 {pid}")


@pytest.fixture(scope="module")
def compose():
    project = Compose()
    try:
        project.run("up", "--check")
        yield project
    finally:
        project.run("down", "--volumes")
        remove_images(PROJECT)


@pytest.fixture
def made_up_image(tmp_path):
    """Makes abacus-adder:TAG of a Dockerfile, with the other two images as they are."""
    tags = []

    def make(name, dockerfile, *arguments):
        tag = f"{PROJECT}-{name}"
        tags.append(tag)
        (tmp_path / "Dockerfile").write_text(dockerfile, encoding="utf-8")
        docker("build", "--tag", f"abacus-adder:{tag}", *arguments, str(tmp_path),
               env=os.environ | {"DOCKER_BUILDKIT": "1"})
        for other in ("totals", "cli"):
            docker("tag", f"abacus-{other}:{PROJECT}", f"abacus-{other}:{tag}")
        return tag

    yield make
    for tag in tags:
        remove_images(tag)


# --- what it promises ---
def test_each_add_arrives_once(compose):
    assert "every sum is there exactly once" in compose.run("smoke")


@pytest.mark.parametrize("service", ["adder", "totals"])
def test_a_service_runs_with_no_more_rights_than_it_needs(compose, service):
    name = compose.container(service)
    assert inspect(name, ".Config.User") == "10001:10001"
    assert inspect(name, ".HostConfig.ReadonlyRootfs") == "true"
    assert inspect(name, ".HostConfig.CapDrop") == "[ALL]"
    assert inspect(name, ".HostConfig.SecurityOpt") == "[no-new-privileges:true]"
    assert inspect(name, ".HostConfig.Memory") == str(64 << 20)
    assert inspect(name, ".HostConfig.PidsLimit") == "32"
    assert inspect(name, ".HostConfig.NanoCpus") == str(10**9)
    assert inspect(name, "index .Config.Labels \"org.opencontainers.image.title\"") \
        == f"abacus-{service}"


@pytest.mark.parametrize("victim", ["adder", "totals", "kafka"])
def test_nothing_is_lost_or_doubled_when_a_process_is_killed_under_load(compose, victim):
    name = compose.container(victim)
    restarts = int(inspect(name, ".RestartCount"))
    load = subprocess.Popen(
        [ROOT / "abacus", "compose", "cli", "load", "--request-ids", "--rate", "500",
         "--duration-s", "20", "--wait-s", str(WAIT_S)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=compose.environment)
    first = load.stdout.readline()  # adds have been answered when it speaks
    kill_9(name)
    wait_until(lambda: int(inspect(name, ".RestartCount")) > restarts,
               f"Docker to start {victim} again", WAIT_S)
    compose.run("up", "--no-build")
    said = first + load.communicate(timeout=COMMAND_S_MAX)[0]
    assert load.returncode == 0, said
    assert "every sum is there exactly once" in compose.run("smoke")


@pytest.mark.parametrize("service", ["adder", "totals"])
def test_sigterm_ends_process_1_cleanly(compose, service):
    name = compose.container(service)
    docker("stop", name)
    assert inspect(name, ".State.ExitCode") == "0"
    assert '"message":"stopped"' in compose.run("logs", "--tail", "3", service)
    compose.run("up", "--no-build")


def test_the_total_survives_down_and_up(compose):
    compose.run("smoke")
    before = compose.total()
    compose.run("down")
    compose.run("up", "--no-build")
    assert compose.total() == before


# --- what goes wrong: said, with the way out ---
def test_a_bad_image_goes_back_to_what_passed_the_check(compose, made_up_image):
    tag = made_up_image("bad", f"FROM {PUBLIC['BASE_IMAGE']}\nCMD [\"false\"]\n")
    before = inspect(compose.container("adder"), ".Image")
    said = compose.run("up", "--no-build", code=1, ABACUS_VERSION=tag)
    assert "adder, the end of its log" in said, said
    assert "what passed the smoke check last runs again" in said, said
    assert inspect(compose.container("adder"), ".Image") == before
    assert "every sum is there exactly once" in compose.run("smoke")


def test_an_image_for_another_architecture_is_named_with_the_way_out(compose, made_up_image):
    tag = made_up_image("riscv", "FROM scratch\nADD --chmod=755 Dockerfile /adder\n"
                        'ENTRYPOINT ["/adder"]\n', "--platform", "linux/riscv64")
    said = compose.run("up", "--no-build", code=1, ABACUS_VERSION=tag)
    assert "Its image is for riscv64, but this engine runs" in said, said
    assert "./abacus compose build" in said, said
    assert "what passed the smoke check last runs again" in said, said


def test_a_wrong_broker_is_found_by_the_check_which_goes_back(compose):
    compose.run("up", "--no-build", ABACUS_KAFKA="nowhere:9092")
    said = compose.run("smoke", "--wait-s", "5", code=2)
    assert "could not tell: is Kafka reachable from both services? Their logs say" in said, said
    assert "nowhere:9092" in compose.run("logs", "adder")
    compose.run("back")
    assert "every sum is there exactly once" in compose.run("smoke")


def test_a_volume_that_cannot_be_written_is_named_with_the_way_out(compose):
    volume = f"{PROJECT}_of-root"
    docker("run", "--rm", "--user", "0", "--volume", f"{volume}:/data", PUBLIC["BASE_IMAGE"],
           "touch", "/data/something")
    try:
        image = inspect(compose.container("adder"), ".Image")
        done = subprocess.run(["docker", "run", "--rm", "--read-only", "--volume",
                               f"{volume}:/data", image, "--kafka-bootstrap-servers", "kafka"],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
    finally:
        docker("volume", "rm", volume)
    assert done.returncode == 1, done.stderr
    assert "open outbox /data/outbox.db: cannot make its lock file" in done.stderr
    assert "check that the directory exists and is writable" in done.stderr


def test_settings_that_are_missing_are_named(compose):
    done = subprocess.run(["docker", "compose", *FILES[2:], "config"], capture_output=True,
                          text=True, check=False, env=compose.environment)
    assert done.returncode != 0
    assert "use --env-file deploy/versions.env" in done.stderr


def test_a_taken_port_is_named_with_the_way_out(compose):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        said = compose.run("up", "--no-build", code=1, ABACUS_HTTP_PORT=taken)
    assert f"port {taken} of 127.0.0.1 is taken" in said
    assert "=NUMBER ./abacus compose up" in said, said


# --- observe ---
def metric(compose, expression):
    """The values that Prometheus has for it, none while it does not answer."""
    query = urllib.parse.urlencode({"query": expression})
    url = f"http://127.0.0.1:{compose.ports['ABACUS_PROMETHEUS_PORT']}/api/v1/query?{query}"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        return [float(row["value"][1]) for row in json.load(answer)["data"]["result"]]
    return []


def await_metric(compose, expression):
    wait_until(lambda: metric(compose, expression), f"Prometheus: {expression}", WAIT_S)


def test_metrics_traces_and_logs_arrive_where_they_are_looked_at(compose):
    environment = compose.environment | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_TRACES_SAMPLER": "always_on"}
    docker("compose", *FILES, "up", "--detach", "--no-build", "--wait", "adder", "totals",
           "collector", "prometheus", "loki", env=environment)
    compose.run("smoke")
    for job in ("abacus-adder", "abacus-totals"):
        await_metric(compose, f'up{{job="{job}"}} == 1')
    await_metric(compose, "sum(abacus_adds_total) > 1000")
    # A collector's version says whether its counters end in _total.
    await_metric(compose, '{__name__=~"otelcol_receiver_accepted_spans(_total)?"} > 1000')
    await_metric(compose, '{__name__=~"otelcol_exporter_sent_log_records(_total)?"} > 0')


def test_everything_comes_up_with_observe_and_ui(compose):
    for name in ("TEMPO_IMAGE", "GRAFANA_IMAGE", "KAFKA_UI_IMAGE"):
        there = subprocess.run(["docker", "image", "inspect", PUBLIC[name]], capture_output=True,
                               check=False).returncode == 0
        if not there and subprocess.run(["docker", "pull", "--quiet", PUBLIC[name]],
                                        capture_output=True, check=False).returncode != 0:
            pytest.skip(f"{PUBLIC[name]} cannot be had here")
    compose.run("up", "--no-build", "--observe", "--ui")
    await_metric(compose, "count(up == 1) == 6")
