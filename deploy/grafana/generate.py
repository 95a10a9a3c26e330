#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes dashboards/*.json from boards/*.py.

  generate.py            write them
  generate.py --check    exit 1 and say which are stale
  generate.py --queries  every query as JSON, variables replaced: board, panel, query, expect
                         (expect: "data"; "after-error": absent until something went wrong;
                         "with-k6": absent unless k6 sends its figures)
"""
import argparse
import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
DASHBOARDS = HERE / "dashboards"
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import render  # noqa: E402  its folder had to be named first


def boards():
    names = sorted(path.stem for path in (HERE / "boards").glob("*.py"))
    return [importlib.import_module(f"boards.{name}").BOARD for name in names]


def files():
    """Path and content of every dashboard, as they should be."""
    return {DASHBOARDS / f"{board.name}.json":
            json.dumps(render.dashboard(board), indent=2, ensure_ascii=False) + "\n"
            for board in boards()}


def stale(wanted):
    for path, content in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            yield path
    yield from set(DASHBOARDS.glob("*.json")) - set(wanted)


def write(wanted):
    DASHBOARDS.mkdir(exist_ok=True)
    for path in list(stale(wanted)):
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(HERE))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true")
    what.add_argument("--queries", action="store_true")
    asked = parser.parse_args()
    if asked.queries:
        found = [query for board in boards() for query in render.queries(board)]
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    wanted = files()
    if not asked.check:
        write(wanted)
        return 0
    old = sorted(path.name for path in stale(wanted))
    if old:
        print(f"stale: {', '.join(old)}: run deploy/grafana/generate.py")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
