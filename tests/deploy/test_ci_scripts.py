# SPDX-License-Identifier: Apache-2.0
"""The scripts of the workflows, as far as they can be tried without what they work on."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Says what it was asked for; `issue list` answers with $OPEN_ISSUE.
GH = """#!/bin/sh
echo "$1 $2 $3" | sed 's/ --repo$//' >>"$CALLS"
case "$1 $2" in
"issue list") echo "$OPEN_ISSUE" ;;
"issue create") cat >"$CALLS.body" ;;
esac
"""


# Shows what kubeconfig it was given; knows a current context, but no cluster.
KUBECTL = """#!/bin/sh
echo "$* $(stat -c %a "$KUBECONFIG") $(cat "$KUBECONFIG")" >>"$CALLS"
case "$*" in
"config current-context") cat "$CONTEXT" ;;
esac
"""


@pytest.fixture
def deploy(tmp_path):
    """deploy(variables) runs tools/ci/deploy.sh; (exit code, what it said, kubectl's calls)."""
    (tmp_path / "kubectl").write_text(KUBECTL, encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    (tmp_path / "context").write_text("somewhere\n", encoding="utf-8")
    calls = tmp_path / "calls"
    calls.touch()

    def run(**variables):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path),
                       "CALLS": str(calls), "CONTEXT": str(tmp_path / "context"),
                       "TMPDIR": str(tmp_path), **variables}
        done = subprocess.run([ROOT / "tools/ci/deploy.sh"], env=environment, text=True,
                              capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr, calls.read_text(encoding="utf-8")
    return run


def test_a_deployment_without_a_version_is_refused(deploy):
    code, said, calls = deploy(KUBECONFIG_DATA="x")
    assert code == 1 and "ABACUS_VERSION is empty" in said and not calls


def test_a_workflow_without_its_secret_is_told_which(deploy):
    code, said, calls = deploy(ABACUS_VERSION="1.2.3", GITHUB_ACTIONS="true")
    assert code == 1 and "the secret KUBECONFIG is empty" in said and not calls


def test_a_kubeconfig_without_a_context_is_refused(deploy, tmp_path):
    (tmp_path / "context").unlink()
    code, said, _ = deploy(ABACUS_VERSION="1.2.3", KUBECONFIG_DATA="x")
    assert code == 1 and "no current context" in said


def test_the_secret_kubeconfig_is_used_and_leaves_no_trace(deploy, tmp_path):
    code, said, calls = deploy(ABACUS_VERSION="1.2.3", KUBECONFIG_DATA="the secret")
    assert code == 1 and 'knows no context "somewhere"' in said
    assert "current-context 600 the secret\n" in calls
    left = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "calls"]
    assert not [file for file in left if "the secret" in file.read_text(encoding="utf-8")]


# --- images.sh ---
def images(*arguments, **variables):
    """(exit code, what it said), with no variables of GitHub but these."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    done = subprocess.run([ROOT / "tools/ci/images.sh", *arguments], check=False, text=True,
                          capture_output=True, env={**environment, **variables})
    return done.returncode, (done.stdout + done.stderr).strip()


def test_a_version_is_that_of_the_tag_else_the_commit():
    tag = {"GITHUB_REF": "refs/tags/v1.2.3"}
    assert images("version", **tag) == (0, "1.2.3")
    assert images("version", ABACUS_VERSION="7", **tag) == (0, "7")
    code, said = images("version", GITHUB_REF="refs/heads/main")
    assert code == 0 and re.fullmatch("sha-[0-9a-f]{12}", said)


@pytest.mark.parametrize("ref, moved", [
    ("refs/heads/main", ":main"), ("refs/tags/v1.2.3", ":latest"), ("refs/tags/v1.2.3-rc1", "")])
def test_only_a_final_version_becomes_the_latest(tmp_path, ref, moved):
    (tmp_path / "docker").write_text("#!/bin/sh\necho \"$5\"\n", encoding="utf-8")
    (tmp_path / "docker").chmod(0o755)
    code, said = images("release", GITHUB_REF=ref, PATH=f"{tmp_path}:{os.environ['PATH']}")
    tags = [line for line in said.splitlines() if line.startswith("ghcr.io/")]
    assert code == 0, said
    assert tags == [f"ghcr.io/abacus/abacus-{name}{moved}"
                    for name in ("adder", "totals", "cli") if moved]


def test_images_says_what_it_needs():
    assert images()[0] == 2
    assert images("nonsense")[0] == 2
    code, said = images("verify")
    assert code == 1 and "GITHUB_REPOSITORY is empty" in said


# --- issue.sh ---
@pytest.fixture
def keep_issue(tmp_path):
    """keep_issue(code, open_issue) runs tools/ci/issue.sh and gives gh's calls."""
    (tmp_path / "gh").write_text(GH, encoding="utf-8")
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "log").write_text("watch: WRONG: alert MissingEvents fires\n", encoding="utf-8")

    def keep(code, open_issue=""):
        calls = tmp_path / "calls"
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}",
                       "CALLS": str(calls), "OPEN_ISSUE": open_issue,
                       "GITHUB_REPOSITORY": "example/abacus", "RUN_URL": "https://example.org/1"}
        subprocess.run([ROOT / "tools/ci/issue.sh", str(code), tmp_path / "log"], check=True,
                       env=environment)
        return calls.read_text(encoding="utf-8").splitlines()
    return keep


@pytest.mark.parametrize("code", [1, 2])
def test_a_failed_check_opens_an_issue_that_says_what_was_seen(keep_issue, tmp_path, code):
    assert keep_issue(code) == ["issue list", "label create monitor", "issue create"]
    body = (tmp_path / "calls.body").read_text(encoding="utf-8")
    assert "alert MissingEvents fires" in body and "https://example.org/1" in body


def test_a_check_that_fails_again_opens_no_second_issue(keep_issue):
    assert keep_issue(1, open_issue="7") == ["issue list"]


def test_a_check_that_succeeds_closes_the_issue(keep_issue):
    assert keep_issue(0, open_issue="7") == ["issue list", "issue close 7"]


@pytest.mark.parametrize("arguments", [[], ["1"], ["1", "a", "b"]])
def test_an_issue_wants_a_code_and_a_log(arguments):
    done = subprocess.run([ROOT / "tools/ci/issue.sh", *arguments], check=False,
                          capture_output=True)
    assert done.returncode == 2


def test_a_check_that_succeeds_without_an_issue_does_nothing(keep_issue):
    assert keep_issue(0) == ["issue list"]


# --- deploy.sh: what the watch says decides; cluster, services and Prometheus are stand-ins ---
CLUSTER = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
"config current-context" | "config get-contexts --output name") echo here ;;
*view-last-applied*) echo "what ran before" ;;
*"get statefulsets --output"*) echo "adder totals" ;;
*"get pods --selector app.kubernetes.io/name=abacus-adder"*) echo adder-0 ;;
*port-forward*) echo "Forwarding from 127.0.0.1:1 -> 1"; exec sleep 60 ;;
*"apply -f -") cat >>"$CALLS" ;;
esac
"""
CLI = "#!/bin/sh\n[ \"$1\" != add ] || echo '2 + 3 = 5'\n"
RULES = {"groups": [{"rules": [{"name": "MissingEvents"}, {"name": "TotalDiverged"}]}]}


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Sees both services; one page fires if the path begins with /wrong."""

    def do_GET(self):  # pylint: disable=invalid-name
        page = {"labels": {"alertname": "MissingEvents", "severity": "page"}, "state": "firing",
                "activeAt": "2999-01-01T00:00:00.123456789Z"}
        data = {"result": []}
        if "/rules" in self.path:
            data = RULES
        elif "/alerts" in self.path:
            data = {"alerts": [page] if self.path.startswith("/wrong") else []}
        elif "query=up%7Bjob%3D%22" in self.path:
            data = {"result": [{"metric": {}, "value": [0, "1"]}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": data}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def prometheus():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def deploy_and_watch(tmp_path):
    """In a tree of links, so that .run is not that of the repository."""
    tree = tmp_path / "tree"
    tree.mkdir()
    shutil.copy(ROOT / "abacus", tree)  # which asks where it really is
    for name in ("deploy", "tools"):
        (tree / name).symlink_to(ROOT / name)
    for name, script in (("kubectl", CLUSTER), ("cli", CLI)):
        (tmp_path / name).write_text(script, encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    def run(url):
        variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"),
                     "ABACUS_CLI": str(tmp_path / "cli"), "ABACUS_VERSION": "1.2.3",
                     "PROMETHEUS_URL": url, "WATCH_S": "1"}
        done = subprocess.run([tree / "tools/ci/deploy.sh"], env={**os.environ, **variables},
                              text=True, capture_output=True, check=False, timeout=200)
        calls = (tmp_path / "calls").read_text(encoding="utf-8")
        return done.returncode, done.stdout + done.stderr, calls.count("what ran before")
    return run


def test_what_the_watch_is_content_with_stays(deploy_and_watch, prometheus):
    code, said, gone_back = deploy_and_watch(prometheus)
    assert (code, gone_back) == (0, 0) and "watch: all was well" in said, said


def test_what_the_watch_sees_wrong_is_rolled_back(deploy_and_watch, prometheus):
    code, said, gone_back = deploy_and_watch(prometheus + "/wrong")
    assert (code, gone_back) == (1, 2), said  # adder and totals
    assert "alert MissingEvents fires" in said
    assert "rolled back: what ran before runs again, and is checked" in said


def test_a_watch_that_cannot_see_rolls_nothing_back_and_fails(deploy_and_watch):
    code, said, gone_back = deploy_and_watch("http://127.0.0.1:1")
    assert (code, gone_back) == (1, 0) and "the watch could not tell" in said, said
