# SPDX-License-Identifier: Apache-2.0
"""src/telemetry/metrics_table.h, as Prometheus sees it: series names and their labels."""
import ast
import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "src/telemetry/metrics_table.h"

ONE_TEXT = r'"(?:\\.|[^"\\])*"'
TEXT = rf"({ONE_TEXT}(?:\s*{ONE_TEXT})*)"  # C puts neighbours together
ROW = re.compile(r"^METRIC\(\s*(?P<id>\w+),(?P<kind>\w+),(?P<who>\w+),(?P<name>TEXT),\w+,"
                 r"(?P<constant>TEXT),(?P<labels>TEXT),\w+,(?P<help>TEXT)\)$"
                 .replace("TEXT", TEXT).replace(",", r",\s*"), re.MULTILINE)
SUFFIXES = {"COUNTER": ["_total"], "GAUGE": [""], "HISTOGRAM": ["_bucket", "_sum", "_count"]}


@dataclasses.dataclass
class Series:
    labels: set
    help: str


def exposed():
    """name: Series, for every name that a scrape may show."""
    code = TABLE.read_text(encoding="utf-8")
    rows = list(ROW.finditer(code))
    assert len(rows) == len(re.findall(r"^METRIC\(", code, re.MULTILINE)), (
        "metrics_table.h has rows of another shape: adapt tests/deploy/metrics_table.py")
    return {text(row["name"]) + suffix: Series(labels_of(row, suffix), text(row["help"]))
            for row in rows for suffix in SUFFIXES[row["kind"]]}


def labels_of(row, suffix):
    constant = re.findall(r"(\w+)=", text(row["constant"]))
    return {*text(row["labels"]).split(), *constant, *(["le"] if suffix == "_bucket" else [])}


def text(literals):
    """What C makes of string literals beside each other."""
    return "".join(ast.literal_eval(one) for one in re.findall(ONE_TEXT, literals))
