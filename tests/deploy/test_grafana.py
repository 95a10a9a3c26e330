# SPDX-License-Identifier: Apache-2.0
"""Boards and data sources, as far as they can be judged without Grafana.

That every query also returns something is shown by the test with a real Prometheus.
"""
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import metrics_table
from promql import selectors

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy/grafana"
GENERATE = GRAFANA / "generate.py"
BOARDS = [json.loads(path.read_text(encoding="utf-8"))
          for path in sorted((GRAFANA / "dashboards").glob("*.json"))]
DATASOURCES = (GRAFANA / "provisioning/datasources/abacus.yaml").read_text(encoding="utf-8")

# Grafana's names for units; a wrong one shows as plain text behind each number.
UNITS = {"none", "short", "locale", "percentunit", "s", "bytes", "ops", "reqps", "cps"}
GRID_COLUMNS = 24

# What a target always has, and what Prometheus makes itself. Rules keep job.
TARGET = {"job", "instance"}
FROM_PROMETHEUS = {
    "up": TARGET, "scrape_duration_seconds": TARGET, "scrape_samples_scraped": TARGET,
    "ALERTS": TARGET | {"alertname", "alertstate", "severity"},
    "target_info": TARGET | {"service_name", "service_version", "service_instance_id"},
}
# What k6 sends to Prometheus: its own, and those of load/lib/abacus.js. Labels are the scripts'.
K6_OF_ITSELF = {"k6_vus", "k6_vus_max"} | {
    f"k6_{name}_duration_{stat}"
    for name in ("grpc_req", "http_req") for stat in ("p50", "p95", "p99")}
K6_SUFFIX = {"Counter": "total", "Rate": "rate"}
# The help text of a metric lists the values of these.
ENUMERATED = {"stage", "outcome", "reason"}

for_each_board = pytest.mark.parametrize("board", BOARDS, ids=[b["uid"] for b in BOARDS])


def generate(*arguments):
    return subprocess.run([sys.executable, GENERATE, *arguments], capture_output=True, text=True,
                          check=False)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] not in ("row", "text")]


def queries():
    """Board, panel, PromQL with Grafana's variables replaced, legend."""
    for query in json.loads(generate("--queries").stdout):
        yield query["board"], query["panel"], query["query"]


def datasources():
    return {source["uid"]: source for source in yaml.safe_load(DATASOURCES)["datasources"]}


def k6_of_ours():
    text = (ROOT / "load/lib/abacus.js").read_text(encoding="utf-8")
    for kind, name in re.findall(r"new (Counter|Rate)\('(\w+)'\)", text):
        yield f"k6_{name}_{K6_SUFFIX[kind]}"


def known_series():
    """name: (labels, help) of all that a query may read."""
    known = {name: (series.labels | TARGET, series.help)
             for name, series in metrics_table.exposed().items()}
    known.update({name: (labels, "") for name, labels in FROM_PROMETHEUS.items()})
    known.update({name: ({"testid", "scenario"}, "") for name in K6_OF_ITSELF | set(k6_of_ours())})
    for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            known.update({rule["record"]: ({"job"}, "")
                          for rule in group["rules"] if "record" in rule})
    return known


# --- the boards themselves ---
def test_dashboards_are_fresh():
    done = generate("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_uids_titles_and_ids_are_unique():
    for key in ("uid", "title"):
        values = [board[key] for board in BOARDS]
        assert len(values) == len(set(values)), f"two boards have one {key}: {values}"
    for board in BOARDS:
        titles = {}
        for panel in board["panels"]:
            other = titles.setdefault(panel["id"], panel["title"])
            assert other == panel["title"] and list(titles.values()).count(other) == 1, (
                f"{board['uid']}: \"{other}\" and \"{panel['title']}\" have one id: "
                "give one of them another title")
        assert len(titles) == len(board["panels"]), f"{board['uid']}: two panels have one title"


@for_each_board
def test_panels_do_not_overlap(board):
    boxes = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for title, box in boxes:
        assert 0 <= box["x"] and 0 < box["w"] and box["x"] + box["w"] <= GRID_COLUMNS, title
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert (a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]), f"{one} covers {other}"


@for_each_board
def test_every_panel_says_what_to_look_for_and_what_is_normal(board):
    for panel in panels(board):
        look, _, normal = panel["description"].partition("\n\nNormal: ")
        assert look and normal, f"{panel['title']}: say what to look for and what is normal"
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit in UNITS, f"{panel['title']}: unit {unit}; known: {sorted(UNITS)}"
        assert panel["targets"], f"{panel['title']}: has no query"


@for_each_board
def test_links_lead_to_boards(board):
    there = {other["uid"] for other in BOARDS}
    for uid in re.findall(r"/d/([\w-]+)", json.dumps(board)):
        assert uid in there, f"a link leads to {uid}; there are {sorted(there)}"
    assert all(link["tags"] == ["abacus"] for link in board["links"]) and "abacus" in board["tags"]


@for_each_board
def test_variables_are_defined_and_used(board):
    text = json.dumps(board["panels"])
    used = set(re.findall(r"\$\{?(?!__)(\w+)", text))
    defined = {variable["name"] for variable in board["templating"]["list"]}
    assert used == defined, f"used {sorted(used)}, defined {sorted(defined)}"


@for_each_board
def test_data_sources_are_provisioned(board):
    choice = board["templating"]["list"][0]
    assert datasources()[choice["current"]["value"]]["type"] == choice["query"]
    asked = [part["datasource"] for panel in panels(board) for part in [panel, *panel["targets"]]]
    asked += [mark["datasource"] for mark in board["annotations"]["list"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in asked)


# --- the queries ---
def test_queries_read_only_what_is_exposed():
    known = known_series()
    for board, panel, query in queries():
        for selector in selectors(query):
            where = f"{board}, {panel}: {selector.metric}"
            assert selector.metric in known, f"{where} is not in metrics_table.h, nor a rule"
            labels, text = known[selector.metric]
            asked = {label for label, _, _ in selector.matchers} | selector.grouped_by
            assert asked <= labels, f"{where} has no label {sorted(asked - labels)}"
            for label, _, value in selector.matchers:
                for word in value.split("|") if label in ENUMERATED else ():
                    assert word in text, f"{where}: no {label} \"{word}\", see its help text"


def test_legends_name_labels_that_are_left():
    known = known_series()
    for board in BOARDS:
        for panel in panels(board):
            for target in panel["targets"]:
                left = set().union(*(known[s.metric][0] for s in selectors(target["expr"])))
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    assert label in left, f"{board['uid']}, {panel['title']}: no label {label}"


def test_names_that_others_expose_too_are_limited_to_our_services():
    ours = ("abacus", "up", "scrape_", "ALERTS", "k6_")
    for board, panel, query in queries():
        for selector in selectors(query):
            limited = {label for label, _, _ in selector.matchers} & {"job", "rpc_method"}
            assert selector.metric.startswith(ours) or limited, (
                f"{board}, {panel}: add job=~\"abacus-.+\" to {selector.metric}")


def test_queries_are_valid_promql(tmp_path):
    assert shutil.which("promtool"), "install promtool (Debian: prometheus)"
    marks = [("marks", mark["name"], mark["target"]["expr"])
             for mark in BOARDS[0]["annotations"]["list"]]
    rules = [{"record": f"query:{number}", "expr": query, "labels": {"where": f"{board}, {panel}"}}
             for number, (board, panel, query) in enumerate([*queries(), *marks])]
    assert not any("$" in rule["expr"] for rule in rules), "a variable was not replaced"
    path = tmp_path / "queries.json"  # JSON is YAML, too
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_list_of_queries_is_complete():
    listed = [(board, panel) for board, panel, _ in queries()]
    drawn = [(board["uid"], panel["title"])
             for board in BOARDS for panel in panels(board) for _ in panel["targets"]]
    assert sorted(listed) == sorted(drawn)
    expected = {query["expect"] for query in json.loads(generate("--queries").stdout)}
    assert expected == {"data", "after-error", "with-k6"}


# --- data sources ---
def test_data_sources_refer_to_each_other():
    for uid in re.findall(r"datasourceUid: (\S+)", DATASOURCES):
        assert uid in datasources(), f"there is no data source {uid}"


def test_every_variable_of_the_provisioning_has_a_default():
    wanted = set(re.findall(r"(?<!\$)\$([A-Z_]+)", DATASOURCES))
    defaults = (GRAFANA / "defaults.env").read_text(encoding="utf-8")
    assert wanted and wanted <= set(re.findall(r"^(\w+)=\S", defaults, re.MULTILINE))


def test_grafana_knows_how_often_prometheus_scrapes():
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert (datasources()["abacus-prometheus"]["jsonData"]["timeInterval"]
            == prometheus["global"]["scrape_interval"])


def test_trace_id_has_one_spelling():
    exemplar = (ROOT / "src/telemetry/metrics_text.c").read_text(encoding="utf-8")
    log = (ROOT / "src/base/log.h").read_text(encoding="utf-8")
    assert '{trace_id=\\"' in exemplar and "trace_id" in log
    links = datasources()["abacus-prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert {link["name"] for link in links} == {"trace_id"}
    for field in datasources()["abacus-loki"]["jsonData"]["derivedFields"]:
        assert "trace_id" in field["matcherRegex"], field
    # Grafana's own words apart.
    ours = re.sub(r"exemplarTraceIdDestinations|__trace\.traceId", "", DATASOURCES)
    for text in [ours] + [json.dumps(board) for board in BOARDS]:
        other = re.search(r"trace[-.]?id", text, re.IGNORECASE)
        assert not other, f"write trace_id, not {other.group()}"


# --- documents ---
def test_every_board_is_in_the_operators_page():
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    for board in BOARDS:
        assert f"`{board['uid']}`" in page, f"docs/operating.md, Dashboards: add {board['uid']}"


# --- the reader of PromQL that the tests above rest on ---
def test_selectors_are_found_with_their_matchers_and_groups():
    found = selectors('a{x="1,}", y=~"2"} or sum by (le, k) (rate(b_bucket[5m])) / on () '
                      'group_left () (max(c == 1) > bool 0) and on (k) 2 * d:e offset 5m')
    assert [(s.metric, s.matchers, s.grouped_by) for s in found] == [
        ("a", [("x", "=", "1,}"), ("y", "=~", "2")], set()), ("b_bucket", [], {"le", "k"}),
        ("c", [], set()), ("d:e", [], set())]


def test_the_table_of_metrics_is_read_as_it_is_exposed():
    exposed = metrics_table.exposed()
    assert exposed["abacus_adds_total"].labels == {"outcome"}
    assert "le" in exposed["abacus_stage_latency_seconds_bucket"].labels
    assert "le" not in exposed["abacus_stage_latency_seconds_count"].labels
    assert "rpc_system_name" in exposed["rpc_server_call_duration_seconds_sum"].labels
    assert "abacus_ready" in exposed and "abacus_ready_total" not in exposed
