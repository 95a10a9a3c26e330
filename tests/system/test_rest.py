# SPDX-License-Identifier: Apache-2.0
"""The REST service against its own description and the standards it names."""
import http.client
import json
import subprocess
import sys

import pytest
from openapi_spec_validator import validate

from harness.process import PATIENCE_S, wait_until
from harness.services import http as request


pytestmark = pytest.mark.sanitized


@pytest.fixture
def counted(system):
    with system.adder.client() as client:
        client.add(2, 3)
        client.add(-10, 1)
    system.totals.wait_for_total(-4, 2)
    return system


def test_description_is_valid_openapi(counted):
    validate(counted.totals.get("/openapi.json"))


def test_answers_are_as_described(counted, tmp_path):
    """schemathesis makes hundreds of requests from the description, good and bad ones."""
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", counted.totals.url + "/openapi.json",
         "--exclude-path", "/v1/total/stream",  # never ends, see the tests below
         "--max-examples", "40", "--no-color", "--seed", "1"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=4 * PATIENCE_S)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]


def test_integers_are_decimal_strings(counted):
    answer = counted.totals.get("/v1/total")
    assert answer["total"] == "-4" and answer["count"] == "2"


def test_sources_and_partitions_say_where_everything_is(counted):
    source = counted.adder.source()
    seen = counted.totals.source(source["source"])
    assert (seen["count"], seen["sum"], seen["highest"]) == ("2", "-4", "2")
    assert seen["missing"] == []
    alone = counted.totals.get("/v1/sources/" + source["source"])
    assert alone["source"] == source["source"] and alone["count"] == "2"
    partitions = {p["partition"]: p for p in counted.totals.get("/v1/partitions")["partitions"]}
    assert partitions[source["partition"]]["next_offset"] == "2"


# --- ETag (RFC 9110 §8.8.3, §13.1.2) ---
def test_unchanged_total_is_304_and_changed_is_200(counted):
    url = counted.totals.url + "/v1/total"
    status, headers, _ = request(url)
    tag = headers["ETag"]
    assert status == 200 and tag.strip("W/").startswith('"')
    for same in (tag, "*", f'"other", {tag}', "W/" + tag.removeprefix("W/")):
        status, headers, body = request(url, headers={"If-None-Match": same})
        assert (status, body, headers["ETag"]) == (304, b"", tag), same
    with counted.adder.client() as client:
        client.add(1, 0)
    counted.totals.wait_for_total(-3, 3)
    status, headers, body = request(url, headers={"If-None-Match": tag})
    assert status == 200 and headers["ETag"] != tag and json.loads(body)["total"] == "-3"


def test_tag_stays_over_a_restart(counted):
    tag = request(counted.totals.url + "/v1/total")[1]["ETag"]
    counted.totals.kill()
    counted.totals.start().wait_ready()
    assert request(counted.totals.url + "/v1/total", headers={"If-None-Match": tag})[0] == 304


# --- errors (RFC 9457) ---
@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/nothing", 404), ("GET", "/", 404), ("POST", "/v1/total", 405),
    ("DELETE", "/v1/sources", 405), ("GET", "/v1/sources/not-a-uuid", 404),
    ("GET", "/v1/sources/01234567-89ab-4cde-8f01-23456789abcd", 404)])
def test_errors_are_problem_json(counted, method, path, status):
    found, headers, body = request(counted.totals.url + path, method=method)
    assert found in (status, 400)
    assert headers["Content-Type"].startswith("application/problem+json")
    problem = json.loads(body)
    assert problem["status"] == found and problem["title"]
    if found == 405:
        assert "GET" in headers["Allow"]


def test_head_is_get_without_the_body(counted):
    got = request(counted.totals.url + "/v1/total")
    head = request(counted.totals.url + "/v1/total", method="HEAD")
    assert head[0] == 200 and head[2] == b""
    assert head[1]["Content-Length"] == got[1]["Content-Length"]


# --- the stream (WHATWG HTML §9.2) ---
class Stream:
    """A reader of Server-Sent Events."""

    def __init__(self, system, last_event_id=None):
        self.connection = http.client.HTTPConnection(
            system.totals.addresses["http"], timeout=PATIENCE_S)
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.connection.request("GET", "/v1/total/stream", headers=headers)
        self.answer = self.connection.getresponse()

    def event(self):
        """The next event as a dict of its fields; comments are skipped. None: the end."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if line == "":
                return None
            line = line.rstrip("\r\n")
            if line == "" and "data" in fields:
                return fields
            if line == "":
                fields = {}
            elif not line.startswith(":"):
                name, _, text = line.partition(":")
                fields[name] = text.removeprefix(" ")

    def close(self):
        self.connection.close()


def test_stream_begins_with_the_newest_state_and_follows_it(counted, opened):
    stream = opened(Stream(counted))
    assert stream.answer.status == 200
    assert stream.answer.getheader("Content-Type").startswith("text/event-stream")
    assert stream.answer.getheader("Cache-Control") == "no-store"
    first = stream.event()
    assert json.loads(first["data"])["total"] == "-4" and first["id"]
    with counted.adder.client() as client:
        client.add(4, 4)
    assert json.loads(stream.event()["data"])["total"] == "4"


def test_reconnect_gets_only_what_is_new(counted, opened):
    first = opened(Stream(counted)).event()
    again = opened(Stream(counted, last_event_id=first["id"]))
    with counted.adder.client() as client:
        client.add(6, 0)
    assert json.loads(again.event()["data"])["total"] == "2"
    late = opened(Stream(counted, last_event_id=first["id"]))
    assert json.loads(late.event()["data"])["total"] == "2"


def test_many_streams_all_see_the_end_state_and_end_on_stop(counted, opened):
    streams = [opened(Stream(counted)) for _ in range(20)]
    with counted.adder.client() as client:
        for _ in range(10):
            client.add(1, 0)
    for stream in streams:
        wait_until(lambda s=stream: json.loads(s.event()["data"])["count"] == "12", "the last add")
    assert counted.totals.stop() == 0
    assert all(stream.event() is None for stream in streams)
