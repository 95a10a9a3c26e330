# SPDX-License-Identifier: Apache-2.0
"""As much of PromQL as the tests need: which series a query reads, and by which labels.

Not a parser that refuses what is wrong (promtool does that), but exact about what is right.
"""
import dataclasses
import re

TOKEN = re.compile(r"""\s+ | (?P<string>"(?:\\.|[^"\\])*") | (?P<name>[A-Za-z_:][\w:]*)
                     | (?P<number>\d[\w.]*) | (?P<sign>=~|!~|!=|==|>=|<=|[^\s\w])""", re.VERBOSE)
LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
OPERATORS = {"or", "and", "unless", "bool", "offset"}


@dataclasses.dataclass
class Selector:
    metric: str
    matchers: list  # (label, operator, value)
    grouped_by: set  # labels of the aggregations around it: each must be one of its own


def tokens(expr):
    place, found = 0, []
    while place < len(expr):
        match = TOKEN.match(expr, place)
        assert match, f"cannot read the query from here on: {expr[place:]}"
        place = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match.group(match.lastgroup)))
    return found


def selectors(expr):
    return list(read(tokens(expr), frozenset()))


def read(rest, grouped_by):
    """`sum by (a) (x)`: x is grouped by a. Durations in [] and label lists are stepped over."""
    place, pending = 0, set()
    while place < len(rest):
        kind, text = rest[place]
        following = rest[place + 1][1] if place + 1 < len(rest) else ""
        if kind == "name" and text in LABEL_LISTS:
            end = closing(rest, place + 1)
            labels = {word for kind, word in rest[place + 1:end] if kind == "name"}
            pending = labels if text == "by" else set()
            place = end
        elif text in ("(", "["):
            end = closing(rest, place)
            if text == "(":
                yield from read(rest[place + 1:end], grouped_by | pending)
            pending, place = set(), end
        elif kind == "name" and text not in OPERATORS and following != "(" \
                and following not in LABEL_LISTS:
            end = closing(rest, place + 1) if following == "{" else place
            yield Selector(text, list(matchers(rest[place + 2:end])), set(grouped_by))
            place = end
        place += 1


def closing(rest, place):
    """Where the bracket that opens at `place` closes."""
    depth = 0
    for index in range(place, len(rest)):
        depth += rest[index][1] in ("(", "[", "{")
        depth -= rest[index][1] in (")", "]", "}")
        if depth == 0:
            return index
    raise AssertionError("a bracket is not closed")


def matchers(inside):
    for place in range(0, len(inside), 4):  # label, operator, "value", comma
        yield inside[place][1], inside[place + 1][1], inside[place + 2][1][1:-1]
