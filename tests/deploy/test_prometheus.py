# SPDX-License-Identifier: Apache-2.0
"""Prometheus' configuration, rules and alerts; the runbooks, as far as a program can judge them."""
import collections
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

import metrics_table
from promql import selectors

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RUNBOOKS = ROOT / "docs/runbooks"
OPERATING = (ROOT / "docs/operating.md").read_text(encoding="utf-8")

Alert = collections.namedtuple("Alert", "name rule file")


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules():
    """File and rule, of all rule files."""
    for path in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for group in load(path)["groups"]:
            yield from ((path, rule) for rule in group["rules"])


ALERTS = [Alert(rule["alert"], rule, path) for path, rule in rules() if "alert" in rule]
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
PAGES = sorted(set(RUNBOOKS.glob("*.md")) - {RUNBOOKS / "README.md"})

for_each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
for_each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])

# What Prometheus adds to each series of a target, or makes itself.
TARGET = {"job", "instance"}
FROM_PROMETHEUS = {"up": TARGET}
# The help text of a metric lists the values of these.
ENUMERATED = {"stage", "outcome", "reason", "kind", "client"}


def promtool(*arguments):
    assert shutil.which("promtool"), "install promtool (Debian: the package prometheus)"
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what promtool judges ---
def test_configuration_is_valid():
    said = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(TESTS)} rule files found" in said, "each rule file has a test file, and no more"


@pytest.mark.parametrize("path", TESTS, ids=[path.stem for path in TESTS])
def test_rules_do_what_their_tests_say(path):
    assert load(path)["rule_files"] == [f"../rules/{path.name}"]
    promtool("test", "rules", path)


# --- the configuration ---
def test_targets_are_the_admin_ports_and_can_be_replaced():
    for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        assert set(job) == {"job_name", "file_sd_configs"}, "targets belong into targets/"
    for program in ("adder", "totals"):
        config = (ROOT / f"src/{program}/config.c").read_text(encoding="utf-8")
        port = re.search(r'"admin-port".*?"(\d+)"', config).group(1)
        assert load(PROMETHEUS / f"targets/abacus-{program}.yml") == [
            {"targets": [f"127.0.0.1:{port}"]}]


def test_a_missing_alertmanager_is_no_error():
    for manager in load(PROMETHEUS / "prometheus.yml")["alerting"]["alertmanagers"]:
        assert set(manager) == {"file_sd_configs"}
    assert not list((PROMETHEUS / "targets").glob("alertmanager*"))


# --- alerts ---
def test_names_of_alerts_and_records_are_unique():
    names = [rule.get("alert") or rule["record"] for _, rule in rules()]
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)


@for_each_alert
def test_alert_says_what_is_wrong_and_where_to_read_on(alert):
    assert alert.rule["labels"].keys() == {"severity"}
    assert alert.rule["labels"]["severity"] in ("page", "ticket")
    told = alert.rule["annotations"]
    assert told.keys() == {"summary", "description", "runbook_url"}
    assert told["runbook_url"] == "{{ $externalLabels.runbooks }}/" + alert.name + ".md"
    assert "{{" in told["summary"], "the summary names which one, or the value"


@for_each_alert
def test_alert_gives_a_reason_for_its_wait(alert):
    text = alert.file.read_text(encoding="utf-8").split(f"- alert: {alert.name}\n")[1]
    assert re.search(r"^ *for: \w+ # \w", text.split("- alert:")[0], re.MULTILINE), (
        "write `for: TIME # why so long`")


@for_each_alert
def test_alert_is_tested_quiet_then_firing_then_over(alert):
    for group in load(PROMETHEUS / "tests" / alert.file.name)["tests"]:
        checks = [check for check in group.get("alert_rule_test", [])
                  if check["alertname"] == alert.name]
        fires = [bool(check.get("exp_alerts")) for check in checks]
        times = [seconds(check["eval_time"]) for check in checks]
        if fires == [False, True, False] and times == sorted(times):
            return
    pytest.fail("its test file has no group with the three phases, in this order")


def seconds(duration):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration))


@for_each_alert
def test_alert_has_a_page_and_a_row_and_is_in_the_index(alert):
    severity = alert.rule["labels"]["severity"]
    page = RUNBOOKS / f"{alert.name}.md"
    assert page.exists(), f"write {page.relative_to(ROOT)}"
    assert page.read_text(encoding="utf-8").startswith(
        f"# {alert.name}\n\nSeverity: {severity}. "), f"{page.name}: name, then its severity"
    assert f"[{alert.name}]({page.name})" in (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    row = rf"| {severity} | [{alert.name}](runbooks/{page.name}) |"
    assert row in OPERATING, "docs/operating.md, Alerts: its row is missing, or wrong"


def test_nothing_is_left_of_alerts_that_are_gone():
    names = {alert.name for alert in ALERTS}
    assert {page.stem for page in PAGES} <= names
    assert set(re.findall(r"\]\(runbooks/(\w+)\.md\)", OPERATING)) <= names
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) <= names


# --- metrics ---
def known_series():
    """name: (labels, help) of all that a query may read. A record keeps at most its sources'."""
    known = {name: (series.labels | TARGET, series.help)
             for name, series in metrics_table.exposed().items()}
    known.update({name: (labels, "") for name, labels in FROM_PROMETHEUS.items()})
    records = [rule for _, rule in rules() if "record" in rule]
    known.update({rule["record"]: (TARGET, "") for rule in records})
    for rule in records:
        read = [known[s.metric][0] for s in selectors(rule["expr"]) if s.metric in known]
        known[rule["record"]] = (set().union(*read), "")
    return known


def check_query(query, where, known):
    for selector in selectors(query):
        assert selector.metric in known, (
            f"{where}: {selector.metric} is not in metrics_table.h, nor a recording rule")
        labels, text = known[selector.metric]
        asked = {label for label, _, _ in selector.matchers} | selector.grouped_by
        assert asked <= labels, f"{where}: {selector.metric} has no label {sorted(asked - labels)}"
        for label, operator, value in selector.matchers:
            if label in ENUMERATED and text and operator in ("=", "=~"):
                unknown = [word for word in value.split("|") if word not in text]
                assert not unknown, f"{where}: {selector.metric} has no {label} {unknown}"


def test_rules_read_only_what_is_exposed():
    known = known_series()
    for path, rule in rules():
        check_query(rule["expr"], f"{path.name}, {rule.get('alert') or rule['record']}", known)


def test_tests_feed_only_what_is_exposed():
    known = known_series()
    for path in TESTS:
        for group in load(path)["tests"]:
            for series in group["input_series"]:
                check_query(series["series"], f"tests/{path.name}, {group['name']}", known)


# --- runbooks ---
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
DEAD_LETTER_HEADERS = {"abacus_reason", "abacus_topic", "abacus_partition", "abacus_offset"}


def blocks(page, language):
    """The lines of the page's blocks in that language."""
    return [line for found, block in BLOCK.findall(page.read_text(encoding="utf-8"))
            if found == language for line in block.splitlines()]


def queries(page):
    """Those in blocks, one a line, and those of our names in running text."""
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", page.read_text(encoding="utf-8")))
    return blocks(page, "promql") + [span for span in spans if re.search(r"\babacus[:_]\w", span)
                                     and span not in DEAD_LETTER_HEADERS]


@for_each_page
def test_page_answers_the_six_questions_shortly(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "What it means", "What a user notices", "Look", "Why, most likely first", "Do",
        "It is over when"]
    assert len(text.splitlines()) <= 50, "say it shorter: somebody is in a hurry"
    assert blocks(page, "promql"), "give the queries to look at"


@for_each_page
def test_page_asks_only_for_what_is_exposed(page, tmp_path):
    known = known_series()
    for query in queries(page):
        check_query(query, page.name, known)
    records = [{"record": f"query:{number}", "expr": query}
               for number, query in enumerate(queries(page))]
    (tmp_path / "queries.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "page", "rules": records}]}))
    promtool("check", "rules", tmp_path / "queries.yml")


def sources(pattern):
    found = sorted((ROOT / "src").rglob(pattern))
    return "".join(path.read_text(encoding="utf-8") for path in found)


def test_pages_name_only_endpoints_that_are_there():
    routes = {(method, path.replace("{source}", "SOURCE"))
              for method, path in re.findall(r'\{"(GET|POST)", "(/[^"]*)"', sources("*.c"))}
    asked = r"(curl [^\n`]*?)\$(?:ADDER|TOTALS_ADMIN|TOTALS)(/[\w/.-]*)"
    for page in PAGES:
        for command, path in re.findall(asked, page.read_text(encoding="utf-8")):
            method = "POST" if "-X POST" in command else "GET"
            assert (method, path) in routes, f"{page.name}: there is no {method} {path}"


def test_pages_name_only_options_and_variables_that_are_there():
    code = sources("*.c")
    others = {"bootstrap-server", "topic", "from-beginning", "property", "describe", "members",
              "group", "max-depth"}  # of Kafka's own tools and du
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for option in re.findall(r"--([a-z][a-z-]+)", text):
            assert f'"{option}"' in code or option in others, f"{page.name}: no option --{option}"
        for variable in re.findall(r"\bOTEL_[A-Z_]+", text):
            assert variable in code, f"{page.name}: nobody reads {variable}"


def is_there(path):
    """A file of the project, or a program that meson.build makes of its folder."""
    build = (ROOT / path).parent / "meson.build"
    return (ROOT / path).exists() or (
        build.exists() and f"'{pathlib.Path(path).name}'" in build.read_text(encoding="utf-8"))


def test_pages_name_only_files_and_commands_that_are_there():
    script = (ROOT / "abacus").read_text(encoding="utf-8")
    cases = re.findall(r"^([a-z |-]+)\)", script, re.MULTILINE)
    commands = {word for case in cases for word in case.split(" | ")}
    for page in [*PAGES, RUNBOOKS / "README.md", PROMETHEUS / "README.md"]:
        text = page.read_text(encoding="utf-8")
        for command in re.findall(r"\./abacus (\w+)", text):
            assert command in commands, f"{page.name}: no command ./abacus {command}"
        for path in re.findall(r"\b(?:build/)?((?:src|deploy|docs|tests|tools)/[\w./-]*\w)", text):
            assert is_there(path), f"{page.name}: there is no {path}"


def test_pages_quote_the_dead_letters_headers_as_they_are():
    code = sources("dead_letters.h")
    assert all(f'"{header}"' in code for header in DEAD_LETTER_HEADERS)
