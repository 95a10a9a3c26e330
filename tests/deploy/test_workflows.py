# SPDX-License-Identifier: Apache-2.0
"""GitHub's workflows, and the YAML of everything that deploys."""
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
VENV = pathlib.Path(sys.executable).parent

for_each_workflow = pytest.mark.parametrize("path", WORKFLOWS,
                                            ids=[path.stem for path in WORKFLOWS])


def load(path):
    """YAML 1.1 reads the key `on` as true; nobody wants that."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)
    return workflow


def jobs(path):
    return load(path)["jobs"].items()


def run(*command):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what other programs judge ---
def test_yaml_is_written_as_agreed():
    run(VENV / "yamllint", "--strict", "--format", "parsable", ".yamllint", "deploy", ".github")


def test_zizmor_finds_no_way_in():
    run(VENV / "zizmor", "--offline", "--no-progress", "--persona=pedantic", "--quiet", ".github")


def test_actionlint_understands_every_workflow():
    run("tools/actionlint.sh", "build")
    run(run("tools/actionlint.sh", "path").strip(), *WORKFLOWS)


# --- what no other program knows ---
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
LOCAL = re.compile(r"uses: \./")


@for_each_workflow
def test_actions_are_pinned_by_commit_and_say_the_version(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "uses: " in line and not LOCAL.search(line):
            assert PINNED.search(line), f"{path.name}:{number}: write uses: NAME@COMMIT # vX.Y.Z"


def test_an_action_has_one_version_everywhere():
    used = {}
    for path in WORKFLOWS:
        for name, version in re.findall(r"uses: ([\w/-]+)@(\w+ # \S+)",
                                        path.read_text(encoding="utf-8")):
            used.setdefault(name, set()).add(version)
    assert all(len(versions) == 1 for versions in used.values()), used


@for_each_workflow
def test_nothing_is_allowed_but_what_a_job_asks_for(path):
    workflow = load(path)
    assert workflow["permissions"] == {}, f"{path.name}: permissions: {{}} at the top"
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, f"{path.name}, {name}: say which permissions it needs"


@for_each_workflow
def test_runs_end_and_do_not_pile_up(path):
    assert "concurrency" in load(path) or set(load(path)["on"]) == {"workflow_call"}
    for name, job in jobs(path):
        assert "timeout-minutes" in job or "uses" in job, f"{path.name}, {name}: give it a timeout"


def test_the_gate_waits_for_every_other_job_of_its_workflow():
    workflow = load(ROOT / ".github/workflows/ci.yml")
    assert set(workflow["jobs"]["gate"]["needs"]) == set(workflow["jobs"]) - {"gate"}


def abacus_commands():
    script = (ROOT / "abacus").read_text(encoding="utf-8")
    cases = re.findall(r"^([a-z |-]+)\)", script, re.MULTILINE)
    return {word for case in cases for word in case.split(" | ")}


@for_each_workflow
def test_steps_call_only_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    for command in re.findall(r"\./abacus ([\w-]+)", text):
        assert command in abacus_commands(), f"{path.name}: no command ./abacus {command}"
    for name in re.findall(r"(?<![\w/.~])((?:tools|deploy|\.ci)/[\w./-]*\w)", text):
        assert (ROOT / name).exists(), f"{path.name}: there is no {name}"


@for_each_workflow
def test_steps_are_short_enough_to_be_scripts_of_their_own_otherwise(path):
    for name, job in jobs(path):
        for step in job.get("steps", []):
            lines = step.get("run", "").strip().splitlines()
            assert len(lines) <= 6, f"{path.name}, {name}: move this to tools/ci/: {lines[0]} ..."
