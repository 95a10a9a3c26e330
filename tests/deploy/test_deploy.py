# SPDX-License-Identifier: Apache-2.0
"""What ./abacus deploy says before it changes anything. A real cluster: tests/cluster."""
import os
import pathlib
import shutil
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


def test_help_names_every_component(deploy):
    code, said = deploy("--help")
    assert code == 0
    for folder in (ROOT / "deploy/k8s/components").iterdir():
        assert folder.name in said
