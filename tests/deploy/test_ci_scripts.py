# SPDX-License-Identifier: Apache-2.0
"""The scripts of the workflows, as far as they can be tried without what they work on."""
import os
import pathlib
import subprocess

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


def test_a_check_that_succeeds_without_an_issue_does_nothing(keep_issue):
    assert keep_issue(0) == ["issue list"]
