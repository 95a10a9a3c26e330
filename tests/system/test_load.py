# SPDX-License-Identifier: Apache-2.0
"""abacus-cli load when the adder goes away under it."""
from harness.process import CLI, PATIENCE_S, Process, pause, wait_until

LOAD_S = 3


def test_adds_that_were_due_while_the_adder_was_away_are_sent_when_it_is_back(system, tmp_path):
    """Also those for which no new add makes room, since the load's time is over."""
    load = Process("load", tmp_path, [
        CLI, "load", "--adder", system.adder.addresses["grpc"], "--connections", "2",
        "--in-flight", "16", "--rate", "300", "--duration-s", LOAD_S, "--request-ids",
        "--no-verify"]).start()
    wait_until(lambda: system.totals.total()[1] > 0, "the first adds to arrive")
    system.adder.pin_ports()
    system.adder.kill()
    pause(LOAD_S + 1)
    system.adder.start()
    try:
        assert load.wait(PATIENCE_S) == 0, load.log()
    finally:
        load.close()
    code, said = system.check()
    assert code == 0, said
