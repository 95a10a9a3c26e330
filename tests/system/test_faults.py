# SPDX-License-Identifier: Apache-2.0
"""The process dies, or the operation fails, exactly at each step of an add's way, under load.

Needs a build with the fault seams (src/base/fault.h), which `./abacus test system` makes.
"""
import os
import pathlib
import re

import pytest

from harness.load import Load
from harness.process import BUILD, ROOT, wait_until
from harness.services import System

FAULTS_BUILD = pathlib.Path(os.environ.get("ABACUS_FAULTS_BUILD", BUILD.parent / "build-faults"))
STEPS = re.findall(r"^ *X\((\w+)\)", (ROOT / "src/base/fault.h").read_text(), re.MULTILINE)
ADDER_STEPS = ("outbox_", "add_", "relay_")

pytestmark = pytest.mark.skipif(not (FAULTS_BUILD / "build.ninja").exists(),
                                reason="no build with -Dfaults=true")


@pytest.fixture
def plan(tmp_path, shared_kafka, opened):
    """plan(step, count, action): a running system, and the process in which it will happen."""
    def make(step, count, action):
        system = opened(System(tmp_path, shared_kafka))
        victim = system.adder if step.startswith(ADDER_STEPS) else system.totals
        victim.command[0] = str(FAULTS_BUILD / victim.program)
        victim.environment["ABACUS_FAULT"] = f"{step}:{count}:{action}"
        system.adder.start()
        system.adder.pin_ports()
        system.totals.start()
        return system, victim
    return make


def provoke(system, step):
    if step == "dead_letter":
        system.kafka.produce(system.topic, b"k", b"not an event", [])


def assert_all_arrived(system, load):
    system.totals.wait_for_total(load.sum, load.count, 60)
    code, said = system.check()
    assert code == 0, said


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_nothing_is_lost_or_doubled(plan, step, count):
    count = 1 if step == "dead_letter" else count
    system, victim = plan(step, count, "kill")
    with Load(system.adder) as load:
        provoke(system, step)
        wait_until(lambda: not victim.running, f"{victim.name} to die at {step}")
        assert victim.popen.returncode == -9
        victim.killed = True
        victim.environment["ABACUS_FAULT"] = ""
        victim.start()
        load.answered(100)
    assert_all_arrived(system, load)


@pytest.mark.parametrize("step", STEPS)
def test_failed_at_a_step_it_recovers_and_nothing_is_lost_or_doubled(plan, step):
    system, victim = plan(step, 1 if step == "dead_letter" else 2, "fail")
    with Load(system.adder) as load:
        provoke(system, step)
        load.answered(200)
    assert_all_arrived(system, load)
    assert victim.running
