#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The crash campaign: things die at random under load, and no sum may be lost or counted twice.

One adder, one totals and one real Kafka run while careful clients add without end. Each round picks
one of the three and kills it (SIGKILL), freezes it for a while (SIGSTOP, SIGCONT) or stops it
(SIGTERM), and starts it again. Then the clients pause, and `abacus-cli check` must say 0 and the
total must be what was answered. The seed decides who, what and when; the machine's timing adds its
own chance, so a seed repeats the choices, not the exact moments.

Run it as `./abacus test crash [--rounds N] [--seed S]`. Exit code 1: something was lost or doubled.
"""
import argparse
import collections
import pathlib
import random
import shutil
import sys
import tempfile
import time

from harness.kafka import Kafka
from harness.load import Load
from harness.process import ROOT, pause, wait_until
from harness.services import System

DRAIN_MAX_S = 60


class Campaign:
    """The system, the load on it, and what was done so far."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.kafka = Kafka(folder)
        self.system = System(folder, self.kafka)
        self.victims = {"adder": self.system.adder, "totals": self.system.totals,
                        "kafka": self.kafka}
        self.actions = {"kill": self.kill, "freeze": self.freeze, "stop": self.stop}
        self.done = collections.Counter()

    def start(self):
        self.kafka.start()
        self.system.start()
        self.system.adder.pin_ports()
        self.system.totals.pin_ports()

    # --- what happens to a victim; afterwards it runs again ---
    def kill(self, victim):
        victim.kill()
        pause(self.chance.uniform(0, 0.3))
        victim.start()

    def freeze(self, victim):
        process = getattr(victim, "process", victim)
        process.pause()
        pause(self.chance.uniform(0.01, 1.0))
        process.resume()

    def stop(self, victim):
        victim.stop()
        victim.start()

    def round(self, load):
        """(what was done, what is wrong: empty if all is well)."""
        name = self.chance.choice(list(self.victims))
        action = self.chance.choice(list(self.actions))
        load.answered(50)
        pause(self.chance.uniform(0, 0.5))
        self.actions[action](self.victims[name])
        self.done[action] += 1
        load.answered(50)
        load.hold()
        try:
            return f"{action} {name}", self.verdict(load)
        finally:
            load.go_on()

    def verdict(self, load):
        code, said = self.system.check(DRAIN_MAX_S)
        if code != 0:
            return f"check says {code}: {said.strip()}"
        if self.system.totals.total() != (load.sum, load.count):
            return f"answered: {load.count} adds, sum {load.sum}; " \
                   f"total: {self.system.totals.total()}"
        return ""

    def close(self):
        for part in (self.system, self.kafka):
            part.close()


def run(campaign, rounds):
    """Prints a line a round; the number of bad rounds."""
    bad = 0
    with Load(campaign.system.adder, threads=8) as load:
        for number in range(1, rounds + 1):
            started = time.monotonic()
            what, wrong = campaign.round(load)
            bad += bool(wrong)
            print(f"round {number:4}  {what:14} {load.count:9} adds  "
                  f"{time.monotonic() - started:5.1f} s  {wrong or 'all there once'}", flush=True)
            if wrong:
                break
    wait_until(lambda: campaign.system.totals.total()[1] >= load.count or bad, "the last adds", 60)
    total = campaign.system.totals.total()[1]
    print(f"{number} rounds: {campaign.done['kill']} kills, {campaign.done['freeze']} freezes, "
          f"{campaign.done['stop']} stops; {load.count} adds answered, "
          f"{sum(load.failures.values())} attempts tried again; {max(load.count - total, 0)} lost, "
          f"{max(total - load.count, 0)} doubled")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    (ROOT / ".run").mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(dir=ROOT / ".run", prefix="crash-"))
    campaign = Campaign(folder, options.seed)
    bad = 1
    try:
        campaign.start()
        bad = run(campaign, options.rounds)
    finally:
        campaign.close()
        if bad:
            print(f"logs and databases: {folder}")
        else:
            shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
