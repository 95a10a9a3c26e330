# SPDX-License-Identifier: Apache-2.0
"""Every script of load/ for some seconds by `./abacus k6`; and none passes when it must not."""
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from concurrent import futures

import pytest

import liar
from harness.kafka import EmbeddedBroker
from harness.observe import Prometheus
from harness.process import ROOT, wait_until
from harness.services import System

RUN_S_MAX = 240
WELL, BROKEN, USAGE, UNKNOWN = 0, 1, 2, 2
# A machine may be slow: what is asked for here is that nothing goes wrong, not that it is fast.
SLOW = ["--set", "P95_MS=30000"]
SCRIPTS = sorted(path.stem for path in (ROOT / "load").glob("*.js"))
# With what a script is short, if its usual values are not; all get few users for two seconds.
SHORT = {
    "knee": ["--duration", "3s", "--set", "STEPS=3", "--set", "RATE=40"],
    "soak": ["--duration", "4s"],
    "spike": ["--duration", "3s", "--set", "RATE=20", "--users", "40"],
    "connections": ["--duration", "2s"],
    "chaos": ["--duration", "7s", "--set", "RATE=20", "--users", "200"],
}
NOWHERE = ["--adder", "127.0.0.1:1", "--adder-admin", "http://127.0.0.1:1",
           "--totals", "http://127.0.0.1:1", "--totals-admin", "http://127.0.0.1:1"]

pytestmark = pytest.mark.timeout(RUN_S_MAX)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Runs without the system of the others; they mostly wait, so they do it beside the others."""
    subprocess.run([ROOT / "abacus", "build"], check=True)  # else each of them would, at once
    runs = {"chaos": (k6, "chaos", *short("chaos")),
            "chaos too short": (k6, "chaos", *short("chaos"), "--duration", "1s"),
            "nowhere": (k6, "mix", *NOWHERE, *short("mix")),
            "totals killed": (mix_while_totals_die,)}
    with futures.ThreadPoolExecutor(len(runs)) as pool:
        yield {name: pool.submit(run, tmp_path_factory.mktemp("beside"), *words)
               for name, (run, *words) in runs.items()}


@pytest.fixture(scope="module")
def system(tmp_path_factory, beside):  # pylint: disable=unused-argument
    folder = tmp_path_factory.mktemp("system")
    with contextlib.closing(EmbeddedBroker(folder)) as broker:
        broker.start()
        with contextlib.closing(System(folder, broker)) as one:
            yield one.start()


def k6(folder, name, *options):
    done = subprocess.run([ROOT / "abacus", "k6", name, "--out", folder, *options], check=False,
                          capture_output=True, text=True, timeout=RUN_S_MAX)
    return done.returncode, done.stdout + done.stderr


def urls(system):
    return {"adder": system.adder.addresses["grpc"], "adder-admin": system.adder.admin,
            "totals": system.totals.url, "totals-admin": system.totals.admin}


def addresses(system, instead=()):
    return [word for name, url in {**urls(system), **dict(instead)}.items()
            for word in (f"--{name}", url)]


def short(name):
    return ["--users", "4", *SLOW, *SHORT.get(name, ["--duration", "2s"])]


# --- every script ---
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "chaos"])
def test_script_runs_and_keeps_its_thresholds(name, system, tmp_path):
    code, said = k6(tmp_path, name, *addresses(system), *short(name))
    assert code == WELL, said
    assert "nothing lost, nothing counted twice" in said, said
    assert summary(tmp_path)["script"] == name


def summary(folder):
    return json.loads((pathlib.Path(folder) / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def mixed(system, tmp_path_factory):
    """A run of mix: its folder, what was said, and the Prometheus that it wrote to."""
    folder = tmp_path_factory.mktemp("mix")
    with contextlib.closing(Prometheus(folder)) as prometheus:
        prometheus.start()
        prometheus.target("abacus-adder", system.adder.addresses["admin"])
        prometheus.target("abacus-totals", system.totals.addresses["admin"])
        code, said = k6(folder, "mix", *addresses(system), "--users", "4", *SLOW,
                        "--duration", "8s", "--prometheus", prometheus.url)
        assert code == WELL, said
        yield folder, said, prometheus


def test_every_panel_of_the_board_has_data_while_k6_runs(mixed):
    """k6 writes to a real Prometheus, which reads the services: the board joins both."""
    asked = subprocess.run([sys.executable, ROOT / "deploy/grafana/generate.py", "--queries"],
                           check=True, capture_output=True, text=True)
    wanted = {query["query"] for query in json.loads(asked.stdout)
              if query["board"] == "abacus-loadtest" and query["expect"] != "after-error"}
    assert any("k6_" in query for query in wanted)
    prometheus = mixed[2]
    empty = {query for query in wanted if not prometheus.query(query)}
    assert not empty, empty


def test_a_run_leaves_its_results_and_one_table(mixed):
    folder, said, _ = mixed
    for row in ("users ", "requests a second", "errors", "wrong, refused",
                "an add: p50 / p95 / p99", "waiting for the disk: p50 / p95 / p99",
                "waiting for the disk, peak", "A to B: p50 / p95 / p99",
                "outbox backlog, peak", "consumer lag, peak",
                "adder: CPU, memory at most", "totals: CPU, memory at most"):
        assert row in said, f"no row \"{row}\" in: {said}"
    for name in ("report.html", "report.md", "summary.md", "summary.json", "watch.json"):
        assert (folder / name).stat().st_size > 0, name
    adds = summary(folder)["metrics"]["adds"]["values"]["count"]
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert f"| adds, reads | {adds:,}" in report and "? " not in report, report


def test_a_run_becomes_a_table_and_two_plots(mixed, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs/load.md", docs)
    subprocess.run([ROOT / "load/plot.py", mixed[0], "--docs", docs], check=True)
    page = (docs / "load.md").read_text(encoding="utf-8")
    assert "`./abacus k6 mix --out" in page and "| users | 4 |" in page, page
    for name in ("rate", "latency"):
        assert f"(load/{name}.svg)" in page
        drawn = xml.etree.ElementTree.parse(docs / f"load/{name}.svg").getroot()
        lines = drawn.findall("{http://www.w3.org/2000/svg}polyline")
        assert len(lines) == 3 and all(line.get("points") for line in lines), name


def test_services_that_are_killed_cost_no_sum(beside):
    code, said = beside["chaos"].result()
    assert code == WELL, said
    assert "adder is killed" in said and "totals is killed" in said, said


def test_chaos_that_kills_nobody_proves_nothing(beside):
    code, said = beside["chaos too short"].result()
    assert code == UNKNOWN and "nobody was killed" in said, said


# --- what must not pass ---
@pytest.mark.parametrize("script, plant, broken", [
    ("mix", liar.wrong_sum, "adds_wrong count==0"),
    ("mix", liar.failing_call, "adds_failed rate==0"),
    ("once", liar.added_twice, "checks rate==1"),
    ("once", liar.answer_of_another, "answers_differing count==0"),
], ids=lambda value: getattr(value, "__name__", None))
def test_an_adder_that_lies_breaks_the_run(script, plant, broken, system, tmp_path):
    with contextlib.closing(liar.Liar(system.adder.addresses["grpc"], plant)) as adder:
        where = addresses(system, {"adder": adder.address})
        code, said = k6(tmp_path, script, *where, *short(script))
    assert code == BROKEN, said
    assert broken in said and "BROKEN" in said, said


@pytest.mark.parametrize("script, of, plant, broken", [
    ("mix", "totals", liar.no_total, "reads_failed rate==0"),
    ("soak", "totals-admin", liar.growing_memory, "memory_grown_kb{service:totals} value<2048"),
], ids=lambda value: getattr(value, "__name__", None))
def test_what_lies_by_http_breaks_the_run(script, of, plant, broken, system, tmp_path):
    with contextlib.closing(liar.HttpLiar(urls(system)[of], plant)) as other:
        code, said = k6(tmp_path, script, *addresses(system, {of: other.url}), *short(script))
    assert code == BROKEN, said
    assert broken in said, said


def test_a_sum_that_is_not_counted_breaks_the_run_though_no_user_saw_it(system, tmp_path):
    with contextlib.closing(liar.HttpLiar(system.adder.admin, liar.more_in_the_sum)) as other:
        code, said = k6(tmp_path, "grpc", *addresses(system, {"adder-admin": other.url}),
                        *short("grpc"))
    assert code == BROKEN, said
    assert "every threshold kept" in said and "WRONG: sums were lost" in said, said


def test_memory_that_nobody_tells_breaks_a_soak(system, tmp_path):
    code, said = k6(tmp_path, "soak", *addresses(system, {"totals-admin": "http://127.0.0.1:1"}),
                    *short("soak"), "--duration", "1s")
    assert code == BROKEN, said
    assert "memory_watched count==2" in said, said


def mix_while_totals_die(folder):
    with contextlib.closing(EmbeddedBroker(folder)) as broker, \
            contextlib.closing(System(folder, broker.start())) as own, \
            futures.ThreadPoolExecutor(1) as pool:
        own.start()
        run = pool.submit(k6, folder, "mix", *addresses(own), *short("mix"), "--duration", "4s")
        wait_until(lambda: own.totals.total()[1] > 0, "the first add")
        own.totals.kill()
        return run.result()


def test_a_service_that_dies_for_good_breaks_the_run(beside):
    code, said = beside["totals killed"].result()
    assert code == BROKEN, said
    assert "reads_failed rate==0" in said, said


def test_a_system_that_is_not_there_breaks_the_run(beside):
    code, said = beside["nowhere"].result()
    assert code == BROKEN, said


# --- usage ---
@pytest.mark.parametrize("arguments", [
    ["unheard-of"], ["mix", "--users", "0"], ["mix", "--users", "many"], ["mix", "--users"],
    ["mix", "--duration", "long"], ["mix", "--unknown"], ["mix", "--set", "no-pair"],
    ["mix", "--observe", "--adder", "127.0.0.1:1"],
], ids=" ".join)
def test_wrong_usage_is_named(arguments, tmp_path):
    code, said = k6(tmp_path, *arguments)
    assert code == USAGE and "abacus: k6: " in said, said


def test_the_list_names_every_script():
    code = subprocess.run([ROOT / "abacus", "k6", "list"], capture_output=True, text=True,
                          check=True)
    for name in SCRIPTS:
        assert f"\n  {name} " in code.stdout, f"{name} is not in: {code.stdout}"


def test_the_config_map_of_a_cluster_holds_every_file():
    text = (ROOT / "load/kustomization.yaml").read_text(encoding="utf-8")
    for path in (ROOT / "load").glob("*.js"):
        assert f"- {path.name}\n" in text, f"load/kustomization.yaml lacks {path.name}"
    for path in (ROOT / "load/lib").glob("*.js"):
        assert f"- lib-{path.name}=lib/{path.name}\n" in text, f"lacks lib/{path.name}"
        assert f"{{key: lib-{path.name}, path: lib/{path.name}}}" in text, f"comment: {path.name}"
