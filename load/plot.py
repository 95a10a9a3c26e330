#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts a run into docs/load.md: its table, and two plots as docs/load/{rate,latency}.svg.

  ./abacus k6 mix --users 1200 --duration 60s
  load/plot.py .run/load/mix
"""
import argparse
import json
import math
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from k6_watch import column, observed, quantile  # noqa: E402  its folder had to be named first

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 64, 34, 36
COLOURS = ["#1f6fb4", "#d9760b", "#7a7a7a"]
WINDOW = 4  # samples that one point of a plot sums up: 2 s
MEASURED = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)


# --- what is drawn ---
def rate(points):
    """[(seconds, growth a second)…] of a counter, over WINDOW samples."""
    pairs = zip(points[::WINDOW], points[WINDOW::WINDOW])
    return [(late[0], max(0.0, (late[1] - early[1]) / (late[0] - early[0])))
            for early, late in pairs]


def latencies(samples, share):
    """[(seconds, ms)…] of A to B, over WINDOW samples."""
    found = []
    for start in range(0, len(samples) - WINDOW, WINDOW):
        window = samples[start:start + WINDOW + 1]
        value = quantile(share, observed(window, "totals", "delivery"))
        if value is not None:
            found.append((window[-1]["t_s"], 1000 * value))
    return found


# --- axes: a value's place on the paper ---
def nice(limit):
    """The next of 1, 2, 5, 10, 20 … that is not below."""
    power = 10 ** math.floor(math.log10(max(limit, 1e-9)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= limit)


class Linear:
    def __init__(self, top):
        self.top = nice(top)
        self.ticks = [self.top * part / 4 for part in range(5)]

    def share(self, value):
        return value / self.top


class Logarithmic:
    """From 1 to the decade above."""
    def __init__(self, top):
        self.decades = max(1, math.ceil(math.log10(max(top, 2))))
        self.ticks = [10 ** power for power in range(self.decades + 1)]

    def share(self, value):
        return math.log10(max(value, 1)) / self.decades


# --- SVG ---
class Plot:
    def __init__(self, title, seconds):
        self.seconds = seconds
        self.parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(LEFT, 18, title, "start", "bold")
        for second in range(0, int(seconds) + 1, max(1, round(nice(seconds / 6)))):
            self.text(self.x(second), HEIGHT - 18, f"{second} s")

    def x(self, second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    @staticmethod
    def y(share):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def text(self, x, y, text, anchor="middle", weight="normal", colour="#333"):
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}">{text}</text>')

    def axis(self, scale, colour="#333", right=False):
        for tick in scale.ticks:
            y = self.y(scale.share(tick))
            x, anchor = (WIDTH - RIGHT + 6, "start") if right else (LEFT - 6, "end")
            self.text(x, y + 4, f"{tick:,.0f}", anchor, colour=colour)
            if not right:
                self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')

    def line(self, points, scale, colour):
        path = " ".join(f"{self.x(second):.1f},{self.y(scale.share(value)):.1f}"
                        for second, value in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                          'stroke-width="1.8"/>')

    def legend(self, *names):
        x = WIDTH - RIGHT
        for name, colour in reversed(names):
            self.text(x, 18, name, "end", colour=colour)
            x -= 7 * len(name) + 12

    def save(self, path):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                        'font-family="sans-serif" font-size="12">\n' + "\n".join(self.parts)
                        + "\n</svg>\n", encoding="utf-8")


def draw_rate(samples, path):
    users = column(samples, "adder", "connections")
    lines = [rate(column(samples, "adder", "appended")), rate(column(samples, "totals", "applied"))]
    left = Linear(max(value for line in lines for _, value in line))
    right = Linear(max(value for _, value in users))
    plot = Plot("Events a second", samples[-1]["t_s"])
    plot.axis(left)
    plot.axis(right, COLOURS[2], right=True)
    plot.line(users, right, COLOURS[2])
    for points, colour in zip(lines, COLOURS):
        plot.line(points, left, colour)
    plot.legend(("acknowledged", COLOURS[0]), ("counted", COLOURS[1]), ("users", COLOURS[2]))
    plot.save(path)


def draw_latency(samples, path):
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    lines = [latencies(samples, share) for share in shares.values()]
    scale = Logarithmic(max(value for line in lines for _, value in line))
    plot = Plot("From an add to its place in the total, ms", samples[-1]["t_s"])
    plot.axis(scale)
    for points, colour in zip(lines, COLOURS):
        plot.line(points, scale, colour)
    plot.legend(*zip(shares, COLOURS))
    plot.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, help="the folder of a run")
    parser.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs")
    options = parser.parse_args()
    samples = json.loads((options.run / "watch.json").read_text(encoding="utf-8"))
    draw_rate(samples, options.docs / "load/rate.svg")
    draw_latency(samples, options.docs / "load/latency.svg")
    page = options.docs / "load.md"
    command = (options.run / "command").read_text(encoding="utf-8").strip()
    table = f"`{command}`\n\n{(options.run / 'report.md').read_text(encoding='utf-8')}"
    text, found = MEASURED.subn(lambda match: match.group(1) + table + match.group(2),
                                page.read_text(encoding="utf-8"))
    if found != 1:
        sys.exit(f"{page} has no lines <!-- measured --> and <!-- end -->")
    page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
