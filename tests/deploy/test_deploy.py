# SPDX-License-Identifier: Apache-2.0
"""What ./abacus deploy says before it changes anything. A real cluster: tests/cluster."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A kubectl that knows two clusters. One is not there.
KUBECTL = """#!/bin/sh
case "$*" in
"config get-contexts --output name") printf 'here\\naway\\n' ;;
*"--context away version"*) exit 1 ;;
esac
"""
KIND = "#!/bin/sh\n[ \"$1 $2\" != 'get clusters' ] || echo abacus\n"
NO_IMAGE = "#!/bin/sh\nexit 1\n"


@pytest.fixture(name="deploy")
def deploy_with_stand_ins(tmp_path):
    """deploy(arguments) gives exit code and words; the programs it calls are stand-ins."""
    text = KUBECTL.replace("here\\n", "here\\nkind-abacus\\n")
    for name, script in (("kubectl", text), ("kind", KIND), ("docker", NO_IMAGE)):
        (tmp_path / name).write_text(script, encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    def deploy(*arguments, path=f"{tmp_path}:{os.environ['PATH']}"):
        done = subprocess.run([ROOT / "abacus", "deploy", *arguments], capture_output=True,
                              text=True, check=False, env=os.environ | {"PATH": path})
        return done.returncode, done.stdout + done.stderr
    return deploy


@pytest.mark.parametrize("arguments, says", [
    ([], "which cluster? kind, minikube or a context"),
    (["kind", "minikube"], "one cluster at a time"),
    (["kind", "--nope"], 'unknown option "--nope"'),
    (["kind", "--tag"], "--tag needs a value"),
    (["kind", "--wait-s", "soon"], "--wait-s wants seconds"),
    (["kind", "--watch-s", "5m"], "--watch-s wants seconds"),
    (["kind", "--overlay", "moon"], 'no overlay "moon" in deploy/k8s/overlays'),
    (["kind", "--with", "tls,moon"], 'no component "moon"; there are hpa loadtest'),
    (["here"], "production needs --tag VERSION"),
])
def test_wrong_arguments_are_named(deploy, arguments, says):
    code, said = deploy(*arguments)
    assert code == 2 and says in said


@pytest.mark.parametrize("arguments, says", [
    (["moon", "--tag", "1"], 'kubectl knows no context "moon": see kubectl config get-contexts'),
    (["away", "--tag", "1"], 'the cluster of context "away" does not answer: is it running?'),
    (["kind", "--no-build"], "there is no image abacus-adder:dev here"),
])
def test_what_is_not_there_is_named(deploy, arguments, says):
    code, said = deploy(*arguments)
    assert code == 1 and says in said


def test_a_program_that_is_missing_is_named_with_its_home(deploy):
    path = "/usr/bin:/bin"
    if shutil.which("kubectl", path=path):
        pytest.skip("kubectl is beside the shell's own programs: cannot be left out")
    code, said = deploy("here", "--tag", "1", path=path)
    assert code == 1 and "deploy needs kubectl: see https://kubernetes.io" in said


def test_a_port_that_kind_wants_and_another_has_is_named(deploy, tmp_path):
    (tmp_path / "kind").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")  # there is none yet
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else has it: as well
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        code, said = deploy("kind")
    assert code == 1 and " is taken by another program" in said
    assert "deploy/k8s/overlays/kind/kind.yaml" in said


def test_logs_without_a_loki_are_remarked_upon(deploy):
    assert "the Loki of observability" in deploy("moon", "--tag", "1", "--with", "logs")[1]
    assert "Loki" not in deploy("moon", "--tag", "1", "--with", "logs,observability")[1]


# --- the parts of it, with stand-ins for what they ask ---
def part(tmp_path, command, **programs):
    """What a command says that has read tools/deploy.sh."""
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    setup = f"set -euo pipefail; source {ROOT}/tools/deploy.sh; deploy_context=here"
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", f"{setup}; {command}"], capture_output=True, text=True,
                          check=False, env=os.environ | {"PATH": path})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("overlay, digest, pinned", [
    ("production", "sha256:" + "0a" * 32, 'digest: "sha256:' + "0a" * 32 + '"'),
    ("production", "", 'newTag: "1.2.3"'),
    ("kind", "sha256:" + "0a" * 32, 'newTag: "1.2.3"'),
])
def test_production_goes_by_what_the_tag_means_now(tmp_path, overlay, digest, pinned):
    command = f"deploy_overlay={overlay}; deploy_tags[adder]=1.2.3; image_pin adder"
    docker = f'echo "Name: $4"; [ -z "{digest}" ] || echo "Digest:    {digest}"'
    assert part(tmp_path, command, docker=docker) == pinned


def test_a_registry_is_written_in_small_letters(tmp_path):
    command = "deploy_overlay=production ABACUS_REGISTRY=ghcr.io/Some-One; image_of totals"
    assert part(tmp_path, command) == "ghcr.io/some-one/abacus-totals"


def test_an_image_of_another_architecture_is_named(tmp_path):
    kubectl = """case "$*" in
*logs*) echo 'exec /usr/bin/abacus-adder: exec format error' ;;
*nodeName*) echo node-1 ;;
*"get node node-1"*) echo arm64 ;;
esac"""
    said = part(tmp_path, "deploy_explain_image pod/adder-0", kubectl=kubectl)
    assert "pod/adder-0: its image is for another architecture" in said
    assert "(node-1: arm64)" in said
    assert part(tmp_path, "deploy_explain_image pod/adder-0", kubectl="echo well") == ""


def test_help_names_every_component(deploy):
    code, said = deploy("--help")
    assert code == 0
    for folder in (ROOT / "deploy/k8s/components").iterdir():
        assert folder.name in said
