# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile, the compose file and the smoke check, as far as they can be judged unbuilt."""
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy/images/Dockerfile"
COMPOSE_TEXT = (ROOT / "deploy/compose/compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE_TEXT)["services"]
OURS = {"adder", "totals", "cli"}
CANNOT_ASK = {"cli", "k6", "collector", "tempo"}  # no services, or their images hold nothing to
SMOKE = ROOT / "deploy/smoke/smoke.sh"

for_each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def versions():
    lines = (ROOT / "deploy/versions.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


# --- images ---
def test_hadolint_has_nothing_to_say():
    hadolint = pathlib.Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_image_has_a_version():
    for name, image in versions().items():
        assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", image), name
        assert not image.endswith(":latest"), f"{name}: name a version"


def test_the_dockerfile_builds_on_the_base_of_versions_env():
    assert f"ARG BASE_IMAGE={versions()['BASE_IMAGE']}\n" in DOCKERFILE.read_text(encoding="utf-8")


def test_the_shell_for_maintenance_is_that_base_too():
    pod = yaml.safe_load((ROOT / "deploy/k8s/maintenance.yaml").read_text(encoding="utf-8"))
    assert [row["image"] for row in pod["spec"]["containers"]] == [versions()["BASE_IMAGE"]]


def test_images_run_as_a_user_by_number():
    assert "USER 10001:10001\n" in DOCKERFILE.read_text(encoding="utf-8")


# --- compose ---
@for_each_service
def test_a_service_cannot_become_more_than_it_is(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged") and not service.get("network_mode")
    assert "docker.sock" not in str(service.get("volumes"))


@for_each_service
def test_a_service_has_limits(name):
    service = SERVICES[name]
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@for_each_service
def test_a_service_has_a_health_check_if_its_image_can_ask(name):
    if name in CANNOT_ASK:
        # Not even a disabled one: with that, `docker compose up --wait` fails.
        assert "healthcheck" not in SERVICES[name]
        return
    check = SERVICES[name]["healthcheck"]
    assert {"test", "interval", "timeout", "retries", "start_period"} <= check.keys()
    assert check["test"][0] == "CMD", "no shell: CMD, not CMD-SHELL"


@for_each_service
def test_an_image_comes_from_versions_env_or_is_ours(name):
    image = SERVICES[name]["image"]
    if name in OURS:
        assert image.endswith(f"abacus-{name}:${{ABACUS_VERSION:-dev}}")
        assert SERVICES[name]["build"]["target"] == name
    else:
        variable = re.match(r"\$\{(\w+):\?", image).group(1)
        assert variable in versions(), f"add {variable} to deploy/versions.env"


@for_each_service
def test_a_port_is_for_this_machine_only_and_its_number_can_be_set(name):
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{ABACUS_\w+_PORT:-\d+\}:\d+", port), port


@for_each_service
def test_a_service_waits_for_others_to_be_healthy(name):
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert wait["condition"] == "service_healthy"
        assert "healthcheck" in SERVICES[other]


@for_each_service
def test_mounted_files_exist_and_are_read_only(name):
    for volume in SERVICES[name].get("volumes", []):
        if volume.startswith("."):
            source, _, mode = volume.split(":")
            assert mode == "ro", volume
            assert (ROOT / "deploy/compose" / source).exists(), volume


def test_a_stop_is_given_more_time_than_the_service_takes():
    for name in ("adder", "totals"):
        grace_ms = SERVICES[name]["environment"]["ABACUS_SHUTDOWN_GRACE_MS"]
        assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) * 1000 > grace_ms


def test_prometheus_reads_what_compose_starts():
    for path in sorted((ROOT / "deploy/compose/targets").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            for target in group["targets"]:
                assert target.split(":")[0] in SERVICES, f"{path.name}: {target}"


# --- smoke ---
@pytest.mark.parametrize("arguments, says", [
    (["--nope"], 'unknown option "--nope"'),
    (["--adder"], "--adder needs a value"),
    (["--adds", "0"], '--adds: "0" is no number'),
    (["--wait-s", "soon"], '--wait-s: "soon" is no number'),
    (["--cli", "/does/not/exist"], '"/does/not/exist" does not run'),
])
def test_smoke_cannot_tell_when_it_is_called_wrongly(arguments, says):
    done = subprocess.run([SMOKE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize("rollback, says", [
    ("touch well", "went back: what ran before runs again, and is checked"),
    ("true", "went back, but what ran before does not work either"),
    ("false", "that failed too: what runs now does not work"),
])
def test_smoke_goes_back_when_the_check_fails_and_says_what_runs_then(tmp_path, rollback, says):
    cli = tmp_path / "cli"
    cli.write_text("#!/bin/sh\ncase $1 in\nprobe) test -e well ;;\nadd) echo 2 + 3 = 5 ;;\nesac\n")
    cli.chmod(0o755)
    done = subprocess.run([SMOKE, "--cli", cli, "--wait-s", "1", "--rollback", rollback],
                          capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr


def test_shellcheck_has_nothing_to_say():
    done = subprocess.run(["shellcheck", SMOKE, ROOT / "deploy/images/collect.sh"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
