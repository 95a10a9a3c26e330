#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a compiler does not: layout, sizes, banned calls, who may include whom.

Run it as `./abacus test tidy` or `tools/tidy.py [--build DIR]`. Each finding is one line
`file:line: what to do`; exit code 1 if there is any. A rule is one generator below that is
given a source file and yields (line, advice); RULES at the end lists them.
"""
import argparse
import ast
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys

import metrics_doc

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE_COLUMNS = 100
FUNCTION_LINES = 70
FILE_LINES = 500

# Who may include whose headers; a folder may always include its own. Arrows point down only:
# adder and totals share nothing but the event, and the command line is a client of both.
MAY_INCLUDE = {
    "base": set(),
    "store": {"base", "telemetry"},
    "grpc": {"base"},
    "telemetry": {"base"},
    "kafka": {"base"},
    "event": {"base", "telemetry"},
    "adder": {"base", "store", "grpc", "telemetry", "kafka", "event"},
    "totals": {"base", "store", "grpc", "telemetry", "kafka", "event"},
    "cli": {"base", "grpc", "telemetry", "kafka", "event"},
}

BANNED_IN_C = {
    "strcpy": "the size is not checked: use snprintf or struct bytes",
    "strcat": "the size is not checked: use struct bytes",
    "sprintf": "the size is not checked: use snprintf or bytes_printf",
    "vsprintf": "the size is not checked: use vsnprintf",
    "gets": "the size is not checked: use fgets",
    "atoi": "mistakes pass as 0: use int64_parse",
    "atol": "mistakes pass as 0: use int64_parse",
    "system": "a shell gets in between: use posix_spawn",
    "sleep": "wait for the event itself: poll, mailbox_wait, stop_wait",
    "usleep": "wait for the event itself: poll, mailbox_wait, stop_wait",
    "nanosleep": "wait for the event itself: poll, mailbox_wait, stop_wait",
}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


class Source:
    """One file of the project: its text, and for C the code without comments and strings."""

    def __init__(self, path):
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        first = self.lines[0] if self.lines else ""
        self.is_c = path.suffix in (".c", ".h")
        # A list of macro calls, which gets its meaning from who includes it.
        self.is_list = path.suffix == ".h" and "Included several times" in self.text
        self.is_python = path.suffix == ".py" or (first.startswith("#!") and "python" in first)
        self.is_shell = path.suffix == ".sh" or bool(re.match(r"#!.*\b(ba|da)?sh\b", first))
        self.is_meson = path.name in ("meson.build", "meson_options.txt")
        self.is_go = path.suffix == ".go"
        self.is_code = (self.is_c or self.is_python or self.is_shell or self.is_meson
                        or self.is_go)
        self.code_lines = blank_out(self.text).splitlines() if self.is_c else self.lines


C_NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank_out(text):
    """C without comments, strings and characters, every line where it was."""
    return C_NOT_CODE.sub(lambda found: "\n" * found.group().count("\n") or " ", text)


def first_line_names_the_licence(source):
    wants = source.is_code or source.path.suffix == ".proto"
    if wants and not any("SPDX-License-Identifier: Apache-2.0" in line
                         for line in source.lines[:2]):
        yield 1, "begin the file with the line SPDX-License-Identifier: Apache-2.0, as a comment"


def lines_are_short(source):
    if not source.is_code and source.path.suffix != ".proto":
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_COLUMNS:
            yield number, f"break the line: {len(line)} columns, at most {LINE_COLUMNS}"


def files_are_short(source):
    if source.is_code and len(source.lines) > FILE_LINES:
        yield 1, (f"split the file by ideas: {len(source.lines)} lines, at most {FILE_LINES}")


def nothing_is_unfinished(source):
    for number, line in enumerate(source.lines, 1):
        if UNFINISHED.search(line):
            yield number, "finish it now or open an issue: no such notes in the code"


def c_functions(source):
    """(name, first line, last line): with this layout a body's braces stand alone in column 1."""
    start = name = None
    for number, line in enumerate(source.code_lines, 1):
        found = re.match(r"[a-z_].*?(\w+)\(", line)
        if found:
            name = found.group(1)
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            yield name, start, number
            start = None


def python_functions(source):
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


SHELL_FUNCTION = re.compile(r"(?:function )?([\w-]+)\s*\(\)\s*\{?\s*$")
GO_FUNCTION = re.compile(r"func (?:\([^)]*\) )?(\w+)\(")


def functions_by_braces(source):
    """Of shell and Go: both close a function with a brace alone in column 1."""
    head = SHELL_FUNCTION if source.is_shell else GO_FUNCTION
    start = name = None
    for number, line in enumerate(source.lines, 1):
        found = head.match(line)
        if found:
            start, name = number, found.group(1)
        elif line == "}" and start is not None:
            yield name, start, number
            start = None


def functions_are_short(source):
    find = (c_functions if source.is_c else python_functions if source.is_python
            else functions_by_braces if source.is_shell or source.is_go else None)
    for name, first, last in find(source) if find else ():
        if last - first + 1 > FUNCTION_LINES:
            yield first, (f"split {name}: {last - first + 1} lines, at most {FUNCTION_LINES}")


def calls_are_safe(source):
    if source.is_c:
        call = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_IN_C) + r")\s*\(")
        for number, line in enumerate(source.code_lines, 1):
            for found in call.finditer(line):
                yield number, f"do not call {found.group(1)}: {BANNED_IN_C[found.group(1)]}"
    if source.is_python and source.name.startswith("tests/"):
        for number, line in enumerate(source.lines, 1):
            if re.search(r"\btime\.sleep\(|^from time import .*\bsleep\b", line):
                yield number, "wait for the event itself (wait_until), do not sleep"


def includes_point_down(source):
    """Also: a .c file includes its own header first, which proves that it stands alone."""
    parts = pathlib.PurePosixPath(source.name).parts
    if not source.is_c or parts[0] != "src" or len(parts) < 3:
        return
    folder = parts[1]
    includes = [(number, found.group(1)) for number, line in enumerate(source.lines, 1)
                if (found := re.match(r'#include "([^"]+)"', line))]
    for number, name in includes:
        target = name.split("/")[0]
        if target in MAY_INCLUDE and target != folder and target not in MAY_INCLUDE[folder]:
            yield number, f"src/{folder} must not use src/{target}: move what both need down"
    own = "/".join(parts[1:]).removesuffix(".c") + ".h"
    if source.path.suffix == ".c" and (ROOT / "src" / own).exists():
        if not includes or includes[0][1] != own:
            yield (includes[0][0] if includes else 1), f'include "{own}" first'


def headers_are_guarded(source):
    if source.path.suffix != ".h" or source.is_list:
        return
    guard = [line.split()[1] for line in source.lines if line.startswith("#ifndef ")][:1]
    if not guard or f"#define {guard[0]}" not in source.text:
        yield 1, "guard the header against a second inclusion with #ifndef and #define"


RULES = [first_line_names_the_licence, lines_are_short, files_are_short, nothing_is_unfinished,
         functions_are_short, calls_are_safe, includes_point_down, headers_are_guarded]


# --- what other programs check: each returns findings as finished lines ---
def run(*command):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def formatted(sources):
    names = [source.name for source in sources if source.is_c]
    if shutil.which("clang-format") is None:
        return ["clang-format: install it (apt-get install clang-format)"]
    _, output = run("clang-format", "--dry-run", "--Werror", *names)
    places = re.findall(r"^([^:\n]+:\d+):\d+: error", output, re.MULTILINE)
    return [f"{place}: run clang-format -i on the file" for place in dict.fromkeys(places)]


def go_is_formatted(sources):
    names = [source.name for source in sources if source.is_go]
    if shutil.which("gofmt") is None:
        return ["gofmt: install it (apt-get install golang-go)"]
    return [f"{name}:1: run gofmt -w on the file" for name in run("gofmt", "-l", *names)[1].split()]


def shell_is_sound(sources):
    names = [source.name for source in sources if source.is_shell]
    if not names:
        return []
    if shutil.which("shellcheck") is None:
        return ["shellcheck: install it (apt-get install shellcheck)"]
    _, output = run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR",
                    "--format=gcc", *names)
    return [re.sub(r"^([^:]+:\d+):\d+:", r"\1:", line) for line in output.splitlines()]


def headers_stand_alone(sources, build):
    """Compiles each header as if it were a program."""
    packages = ["libnghttp2", "libmicrohttpd", "rdkafka", "jansson", "libprotobuf-c"]
    flags = run("pkg-config", "--cflags", *packages)[1].split()
    command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
               "-I.", "-Isrc", "-Itests/unit", f"-I{build}/src", f"-I{build}/proto", *flags]

    def compile_one(source):
        # As an include of an empty file, so that there is no "#pragma once in main file" and such.
        code, output = run(*command, "-include", source.name, "-x", "c", "/dev/null")
        first = next((line for line in output.splitlines() if "error" in line), "")
        return f"{source.name}:1: include what the header needs ({first.strip()})" if code else None

    headers = [source for source in sources if source.path.suffix == ".h" and not source.is_list]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [line for line in pool.map(compile_one, headers) if line]


def pages_are_fresh():
    name = metrics_doc.PAGE.relative_to(ROOT).as_posix()
    made = metrics_doc.page()
    kept = metrics_doc.PAGE.read_text(encoding="utf-8") if metrics_doc.PAGE.exists() else ""
    return [] if kept == made else [f"{name}:1: run ./abacus docs: its table has changed"]


def project_sources():
    """Everything git tracks or would track."""
    _, output = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(output.split("\0")) - {""}):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            try:
                yield Source(path)
            except UnicodeDecodeError:
                pass  # not text: corpora, archives


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder with generated headers")
    build = pathlib.Path(parser.parse_args().build).absolute()
    sources = [s for s in project_sources() if not s.name.startswith("tests/fuzz/corpus/")]
    findings = [f"{source.name}:{line}: {advice}"
                for source in sources for rule in RULES for line, advice in rule(source)]
    findings += formatted(sources) + go_is_formatted(sources) + shell_is_sound(sources)
    findings += headers_stand_alone(sources, build) + pages_are_fresh()
    print("\n".join(findings) if findings else f"tidy: {len(sources)} files, nothing to do")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
