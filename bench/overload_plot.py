#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what `./abacus bench overload` found: bench/overload_plot.py .run/overload.json OUT.svg

One row a case: adds a second, then milliseconds, both over what was offered."""
import json
import sys

WIDTH, HEIGHT = 300, 170           # of a panel
LEFT, TOP, GAP = 62, 34, 84        # around and between panels
COLOURS = {"answered": "#2166ac", "refused": "#b2182b", "p50": "#67a9cf", "p99": "#2166ac",
           "refused, p99": "#b2182b"}
STYLE = ("text{font:11px sans-serif;fill:#333} .title{font-weight:bold} .axis{stroke:#888}"
         " .grid{stroke:#ddd} .line{fill:none;stroke-width:2}")


def round_up(value):
    """The next number whose quarters are short."""
    step = 10 ** (len(str(int(value))) - 1)
    return next(step * n for n in (1, 2, 3, 4, 6, 8, 10) if step * n >= value)


def short(value):
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"


class Panel:
    """Lines over the offered rate, in a corner of the picture."""

    def __init__(self, x, y, x_max, y_max):
        self.x, self.y, self.x_max, self.y_max = x, y, x_max, y_max
        self.parts = []

    def at(self, x, y):
        return (self.x + WIDTH * x / self.x_max, self.y + HEIGHT * (1 - y / self.y_max))

    def text(self, x, y, words, anchor="middle", kind=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'class="{kind}">{words}</text>')

    def stroke(self, kind, *ends):
        (x1, y1), (x2, y2) = ends
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}"/>')

    def frame(self, title, y_unit):
        for i in range(5):
            y = self.y_max * i / 4
            self.stroke("grid" if i else "axis", self.at(0, y), self.at(self.x_max, y))
            left, height = self.at(0, y)
            self.text(left - 6, height + 4, short(y), "end")
        for times in range(4):
            left, bottom = self.at(times * self.x_max / 3, 0)
            self.text(left, bottom + 15, f"{times} ×")
        self.text(self.x + WIDTH / 2, self.y - 12, f"{title}, {y_unit}", kind="title")
        self.text(self.x + WIDTH / 2, self.y + HEIGHT + 30, "offered, in capacities")

    def line(self, name, points):
        path = " ".join("{:.1f},{:.1f}".format(*self.at(x, min(y, self.y_max)))
                        for x, y in points)
        self.parts.append(f'<polyline class="line" stroke="{COLOURS[name]}" points="{path}"/>')
        x, y = self.at(*points[-1])
        self.parts.append(f'<text x="{x + 4:.1f}" y="{y + 4:.1f}" style="fill:{COLOURS[name]}">'
                          f"{name}</text>")


def panels(case, y):
    steps, x_max = case["steps"], case["steps"][-1]["offered"]
    rates = Panel(LEFT, y, x_max, round_up(max(max(s["answered"], s["refused"]) for s in steps)))
    rates.frame(case["name"], "adds/s")
    for name in ("answered", "refused"):
        rates.line(name, [(s["offered"], s[name]) for s in steps])
    waits = Panel(LEFT + WIDTH + GAP + 40, y, x_max,
                  round_up(max(s["latency_ms"]["p99"] for s in steps)))
    waits.frame("answered after", "ms")
    for name in ("p50", "p99"):
        waits.line(name, [(s["offered"], s["latency_ms"][name]) for s in steps])
    refused = [(s["offered"], s["refusal_ms"]["p99"]) for s in steps if s["refused"] > 0]
    if refused:
        waits.line("refused, p99", refused)
    return rates.parts + waits.parts


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    parts = [part for i, case in enumerate(cases)
             for part in panels(case, TOP + i * (HEIGHT + GAP))]
    size = (LEFT + 2 * WIDTH + GAP + 120, TOP + len(cases) * (HEIGHT + GAP) - 30)
    with open(target, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}">\n'.format(*size))
        file.write(f"<style>{STYLE}</style>\n")
        file.write('<rect width="100%" height="100%" fill="white"/>\n')
        file.write("\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    main()
