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
def linter(program, folder):
    """The command that judges the workflows of a folder."""
    if program == "actionlint":
        run("tools/actionlint.sh", "build")
        return [run("tools/actionlint.sh", "path").strip(), *sorted(folder.glob("*.yml"))]
    if program == "zizmor":
        return [VENV / "zizmor", "--offline", "--no-progress", "--persona=pedantic", "--quiet",
                "--config", ROOT / ".github/zizmor.yml", folder]
    return [VENV / "yamllint", "--strict", "--format", "parsable",
            "--config-file", ROOT / ".yamllint", folder]


@pytest.mark.parametrize("program", ["actionlint", "zizmor", "yamllint"])
def test_workflows_please(program):
    run(*linter(program, ROOT / ".github/workflows"))


def test_yaml_is_written_as_agreed():
    run(VENV / "yamllint", "--strict", "--format", "parsable", ".yamllint", "deploy", ".github")


# --- what no other program knows ---
CALLED = ["e2e", "images", "publish"]  # by ci, and only by it
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
    """Who is called is in the group of who calls."""
    assert ("concurrency" in load(path)) == (path.stem not in CALLED)
    for name, job in jobs(path):
        assert "timeout-minutes" in job or "uses" in job, f"{path.name}, {name}: give it a timeout"


def ci_jobs():
    return load(ROOT / ".github/workflows/ci.yml")["jobs"]


def test_one_gate_waits_for_all_that_is_checked_and_all_else_waits_for_it():
    gated = {"gate"}
    for _ in ci_jobs():
        gated |= {name for name, job in ci_jobs().items() if gated & set(job.get("needs", []))}
    assert set(ci_jobs()["gate"]["needs"]) == set(ci_jobs()) - gated
    assert {"images", "e2e"} <= set(ci_jobs()["gate"]["needs"])
    assert gated == {"gate", "publish", "deploy"}
    assert ci_jobs()["gate"]["if"] == "always()", "a job that was skipped must not pass for green"


@pytest.mark.parametrize("results, passes", [
    ("success success success", True), ("success failure success", False),
    ("success cancelled", False), ("skipped success", False)])
def test_the_gate_is_green_only_if_every_job_succeeded(results, passes):
    step, = ci_jobs()["gate"]["steps"]
    done = subprocess.run(["bash", "-e", "-c", step["run"]], env={"RESULTS": results},
                          capture_output=True, check=False)
    assert (done.returncode == 0) == passes


def test_a_pull_request_publishes_nothing():
    assert ci_jobs()["publish"]["if"] == "github.event_name == 'push'"
    for path in WORKFLOWS:
        for name, job in jobs(path):
            writes = {scope for scope, right in job["permissions"].items() if right == "write"}
            assert not writes or path.stem in ("publish", "monitor") or \
                (path.stem, name) in {("ci", "publish"), ("ci", "deploy")}, f"{path.name}, {name}"


def test_called_workflows_are_called_by_ci_alone():
    called = {job["uses"] for job in ci_jobs().values() if "uses" in job}
    assert called == {f"./.github/workflows/{name}.yml" for name in CALLED}
    for name in CALLED:
        assert set(load(ROOT / f".github/workflows/{name}.yml")["on"]) == {"workflow_call"}


def test_a_deployment_waits_for_its_environment_and_checks_who_made_the_images():
    job, = load(ROOT / ".github/workflows/deploy.yml")["jobs"].values()
    steps = [step.get("run") for step in job["steps"]]
    assert job["environment"] == "production"
    assert steps.index("tools/ci/images.sh verify") < steps.index("tools/ci/deploy.sh")


# --- the linters see: each is shown a fault that it must find ---
@pytest.mark.parametrize("program, right, wrong", [
    ("actionlint", "needs: [push]", "needs: [nobody]"),
    ("zizmor", "run: tools/ci/images.sh sign", "run: echo ${{ github.event.head_commit.message }}"),
    ("zizmor", "permissions: {}", "permissions: write-all"),
    ("yamllint", "jobs:", "jobs: "),
])
def test_a_planted_fault_is_found(tmp_path, program, right, wrong):
    text = (ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8")
    assert right in text
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "publish.yml").write_text(text.replace(right, wrong), encoding="utf-8")
    done = subprocess.run([str(word) for word in linter(program, folder)], capture_output=True,
                          text=True, check=False)
    assert done.returncode != 0, done.stdout


@pytest.mark.parametrize("program, fault", [
    ("shellcheck", "#!/bin/bash\nrm -rf $1/*\n"),
    ("hadolint", "FROM debian:latest\nRUN cd /tmp\n"),
])
def test_a_planted_fault_in_a_script_or_dockerfile_is_found(tmp_path, program, fault):
    (tmp_path / "file").write_text(fault, encoding="utf-8")
    command = program if program == "shellcheck" else VENV / program
    done = subprocess.run([command, tmp_path / "file"], capture_output=True, check=False)
    assert done.returncode != 0, done.stdout


def test_every_script_of_the_workflows_pleases_shellcheck():
    run("shellcheck", "--external-sources", *sorted((ROOT / "tools/ci").glob("*.sh")),
        *sorted((ROOT / "deploy").rglob("*.sh")))


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
