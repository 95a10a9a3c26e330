#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/metrics.md from src/telemetry/metrics_table.h: `./abacus docs`.

Others read the table through table() below: a section's title and its metrics, in order.
"""
import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/telemetry/metrics_table.h"
PAGE = ROOT / "docs/metrics.md"

HEAD = """\
# Metrics

Made from `src/telemetry/metrics_table.h` by `./abacus docs`; change the table, not this page.

Each service serves them on its admin port under `/metrics`: as OpenMetrics 1.0 to who asks for it
(with exemplars, which lead from a latency to a trace), else as Prometheus text 0.0.4. A counter is
listed under the name that its samples have. Names that do not begin with `abacus_` are those of
OpenTelemetry's semantic conventions 1.44. A label in braces has always the same value; one without
a value is left out. A metric has at most 200 series, a label value at most 128 bytes; what would go
beyond counts in `abacus_metrics_dropped_series_total`. With `OTEL_SDK_DISABLED=true` only the rows
remain that are read when a scrape asks. `target_info` carries who the process is.
"""

Metric = collections.namedtuple("Metric", "kind who name unit constant labels buckets help")


def arguments(text):
    """The arguments of a METRIC(…) row; neighbouring strings are one."""
    found = [""]
    for string, word, comma in re.findall(r'"((?:\\.|[^"\\])*)"|(\w+)|(,)', text):
        if comma:
            found.append("")
        else:
            found[-1] += word or re.sub(r"\\(.)", r"\1", string)
    return found


def table():
    """[(title of the section, [Metric, …]), …]"""
    sections = []
    rows = re.compile(r"^// --- ([^\n]*) ---$|^METRIC\((.*?)\)$", re.MULTILINE | re.DOTALL)
    for title, row in rows.findall(TABLE.read_text(encoding="utf-8")):
        if title:
            sections.append((title, []))
        else:
            sections[-1][1].append(Metric(*arguments(row)[1:]))
    return sections


def sample_name(metric):
    return metric.name + ("_total" if metric.kind == "COUNTER" else "")


def row_of(metric):
    labels = [f"`{label}`" for label in metric.labels.split()]
    if metric.constant:
        labels.insert(0, f"`{{{metric.constant}}}`")
    unit = {"SECONDS": "seconds", "BYTES": "bytes", "NONE": ""}[metric.unit]
    who = {"BOTH": "both"}.get(metric.who, metric.who.lower())
    cells = [f"`{sample_name(metric)}`", metric.kind.lower(), unit, who, " ".join(labels),
             metric.help]
    return "| " + " | ".join(cells) + " |"


def page():
    lines = [HEAD]
    for title, metrics in table():
        title = title.capitalize() if title.islower() else title
        lines += [f"## {title}", "",
                  "| name | type | unit | who | labels | what |", "|---|---|---|---|---|---|"]
        lines += [row_of(metric) for metric in metrics]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
