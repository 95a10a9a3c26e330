# SPDX-License-Identifier: Apache-2.0
"""The log of a running service: one JSON object a line, and its level changes without a restart."""
import json

import pytest

from harness.process import wait_until
from harness.services import System, http, http_json

pytestmark = pytest.mark.sanitized


@pytest.fixture
def talkative(tmp_path, shared_kafka, opened):
    """Each sum makes debug lines in both services: librdkafka's on its way through."""
    options = {"kafka_property": ["debug=msg,fetch"]}
    return opened(System(tmp_path, shared_kafka, adder_options=options, totals_options=options))


def entries(text):
    return [json.loads(line) for line in text.splitlines()]


def debug_lines_of_one_add(system):
    """How many lines at level debug {"adder": .., "totals": ..} wrote while a sum went through."""
    services = (system.adder, system.totals)
    # What is being written just now is not a whole line yet: lines end at the last line end.
    before = {service.name: service.log().rfind("\n") + 1 for service in services}
    count = system.totals.total()[1] + 1
    with system.adder.client() as client:
        client.add(1, 1)
    system.totals.wait_for_total(2 * count, count)
    new = {service.name: service.log()[before[service.name]:].rpartition("\n")[0]
           for service in services}
    return {name: sum(entry["level"] == "debug" for entry in entries(text))
            for name, text in new.items()}


def set_level(service, level):
    status, _, body = http(f"{service.admin}/log-level?level={level}", method="POST")
    assert (status, json.loads(body)) == (200, {"level": level})
    assert http_json(service.admin + "/log-level") == {"level": level}


def test_debug_lines_come_and_go_with_the_level_of_a_running_service(talkative):
    system = talkative.start()
    assert debug_lines_of_one_add(system) == {"adder": 0, "totals": 0}
    for service, other in ((system.adder, "totals"), (system.totals, "adder")):
        set_level(service, "debug")
        service.wait_for_log("log level is now debug")
        lines = debug_lines_of_one_add(system)
        assert lines[service.name] > 0 and lines[other] == 0, lines
        set_level(service, "info")
        service.wait_for_log("log level is now info")
        # A thread that was about to write when the level changed may still do so.
        wait_until(lambda: not any(debug_lines_of_one_add(system).values()),
                   f"{service.name} to say no more at level debug")


@pytest.mark.parametrize("query", ["", "?level=", "?level=loud", "?level=INFO"])
def test_word_that_is_no_level_is_refused_and_the_words_are_told(system, query):
    for service in (system.adder, system.totals):
        status, headers, body = http(f"{service.admin}/log-level{query}", method="POST")
        assert status == 400 and headers["content-type"] == "application/problem+json"
        assert "debug, info, warn, error" in json.loads(body)["detail"]
        assert http_json(service.admin + "/log-level") == {"level": "info"}


def test_every_line_of_a_service_is_one_json_object(system):
    assert debug_lines_of_one_add(system) == {"adder": 0, "totals": 0}
    for service in (system.adder, system.totals):
        service.stop()
        lines = entries(service.log())
        assert lines, f"{service.name} said nothing"
        for line in lines:
            first = list(line)[:4]
            assert first == ["time", "level", "service", "module"], line
            assert line["service"] == "abacus-" + service.name and line["message"]
