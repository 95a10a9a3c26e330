# SPDX-License-Identifier: Apache-2.0
"""The words in which boards are written. render.py makes Grafana's JSON of what they return.

A panel has a title, what to look for, what is normal, a unit, and queries in plain PromQL. Where it
stands follows from its place in the row; only what differs from the usual is said.
"""
import dataclasses

# What the end-to-end test may expect of a query on a system that has just started and has a little
# load: something; nothing as long as nothing has gone wrong; or nothing unless k6 makes that load
# and sends its figures.
DATA, AFTER_ERROR, WITH_K6 = "data", "after-error", "with-k6"


@dataclasses.dataclass
class Query:
    expr: str
    legend: str = ""
    expect: str = DATA


@dataclasses.dataclass
class Panel:
    kind: str  # Grafana's name of the visualization
    title: str
    look: str
    normal: str
    unit: str
    queries: list
    limits: list = dataclasses.field(default_factory=list)  # (from this value on, colour)
    opens: str = ""  # the board that a click leads to
    stack: bool = False
    log_scale: bool = False
    signed: bool = False  # may be below 0
    show_limits: bool = False  # draw them as lines
    show_names: bool = False  # a stat: the series' name instead of its value
    words: dict = dataclasses.field(default_factory=dict)  # value: (text, colour)
    columns: list = dataclasses.field(default_factory=list)  # of a table, one a query
    text: str = ""


@dataclasses.dataclass
class Column:
    name: str
    expr: str
    limits: list = dataclasses.field(default_factory=list)
    expect: str = DATA


@dataclasses.dataclass
class Row:
    title: str
    panels: tuple


@dataclasses.dataclass
class Board:
    name: str  # of the file; the uid is abacus-NAME
    title: str
    about: str
    variables: tuple
    rows: tuple

    @property
    def uid(self):
        return f"abacus-{self.name}"


def query(expr, legend="", expect=DATA):
    return Query(" ".join(expr.split()), legend, expect)


def stat(title, look, normal, unit, *queries, **more):
    """One number."""
    return Panel("stat", title, look, normal, unit, list(queries), **more)


def graph(title, look, normal, unit, *queries, **more):
    """Lines over time."""
    return Panel("timeseries", title, look, normal, unit, list(queries), **more)


def heatmap(title, look, normal, unit, expr):
    """How many observations fell into each bucket, as colour; dots are exemplars (traces)."""
    return Panel("heatmap", title, look, normal, unit, [query(expr, "{{le}}")])


def timeline(title, look, normal, words, *queries):
    """Which state held when."""
    return Panel("state-timeline", title, look, normal, "none", list(queries), words=words)


def table(title, look, normal, unit, *columns):
    """One row for each combination of labels; one column a query."""
    queries = [query(column.expr, expect=column.expect) for column in columns]
    return Panel("table", title, look, normal, unit, queries, columns=list(columns))


def text(title, markdown):
    return Panel("text", title, "", "", "", [], text=markdown)


def row(title, *panels):
    return Row(title, panels)


def board(name, title, about, *rows, variables=()):
    return Board(name, title, about, tuple(variables), rows)


# --- limits: the colour from a value on ---
def above(orange, red):
    """Too much is bad."""
    return [(None, "green"), (orange, "orange"), (red, "red")]


def below(orange, red):
    """Too little is bad."""
    return [(None, "red"), (red, "orange"), (orange, "green")]


ONLY_ZERO = [(None, "red"), (0, "green"), (1e-9, "red")]

YES_NO = {0: ("no", "red"), 1: ("yes", "green")}
