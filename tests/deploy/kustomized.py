# SPDX-License-Identifier: Apache-2.0
"""What kustomize makes of an overlay with components, as a cluster would get it."""
import functools
import itertools
import os
import pathlib
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy/k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
COMPONENTS = sorted(path.name for path in (K8S / "components").iterdir() if path.is_dir())
# tls is for the Kafka of one node; in production Strimzi has its own.
NOT_TOGETHER = {("production", "tls")}


def may_be_together(overlay, components):
    return not any((overlay, component) in NOT_TOGETHER for component in components)


def some_combinations():
    """Each overlay by itself, with each component, and with all that go together."""
    for overlay in OVERLAYS:
        fitting = [name for name in COMPONENTS if may_be_together(overlay, [name])]
        yield from ((overlay, chosen) for chosen in
                    [(), *((name,) for name in fitting), tuple(fitting)])


def all_combinations():
    for overlay in OVERLAYS:
        for count in range(len(COMPONENTS) + 1):
            for chosen in itertools.combinations(COMPONENTS, count):
                if may_be_together(overlay, chosen):
                    yield overlay, chosen


def name_of(combination):
    overlay, components = combination
    return "+".join([overlay, *components])


def kubecheck(*arguments):
    return subprocess.run([ROOT / "tools/kubecheck.sh", *arguments], capture_output=True, text=True,
                          check=False)


@functools.cache
def why_not():
    """Why nothing can be rendered here; empty if it can."""
    done = kubecheck("build")
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def must_render():
    """Here somebody relies on it, and nobody reads what was left out."""
    return bool(os.environ.get("CI") or os.environ.get("GITHUB_ACTIONS"))


@functools.cache
def program(name):
    return kubecheck(name).stdout.strip()


@functools.cache
def rendered(overlay, components):
    with tempfile.TemporaryDirectory(dir=K8S) as folder: # kustomize knows only relative paths
        text = f"resources: [../overlays/{overlay}]\ncomponents:\n"
        text += "".join(f"  - ../components/{name}\n" for name in components)
        (pathlib.Path(folder) / "kustomization.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run([program("kustomize"), "build", folder], capture_output=True,
                              text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def objects(overlay, components):
    return list(yaml.load_all(rendered(overlay, components), Loader=yaml.CSafeLoader))
