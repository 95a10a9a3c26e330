# SPDX-License-Identifier: Apache-2.0
"""Each situation that gRPC's documents name, and its answer, on raw frames.

PROTOCOL-HTTP2, statuscodes and compression; where they are silent, what grpc-go answers.
"""
import contextlib
import gzip
import struct

import pytest

from harness.interop import ECHO, PARK, InteropServer
from harness.raw_http2 import (
    CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR,
    RST_STREAM, RawConnection, frame, message)

pytestmark = pytest.mark.sanitized

WATCH = "/grpc.health.v1.Health/Watch"
FULL_DUPLEX = "/grpc.testing.TestService/FullDuplexCall"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    server = InteropServer(tmp_path_factory.mktemp("frames")).start()
    yield server
    assert server.stop() == 0
    server.assert_clean()


@pytest.fixture
def raw(standing):
    """A connection to a server with default limits that lives as long as the module."""
    with contextlib.closing(RawConnection(standing.port)) as connection:
        yield connection


def bomb():
    return gzip.compress(bytes(5 * MIB))


OK, UNKNOWN_METHOD = (200, 0), (200, 12)
SITUATIONS = {
    # what: (path, body, fields changed, (HTTP status, grpc-status) or the error of a RST_STREAM)
    "a good call": (ECHO, message(b"x"), {}, OK),
    "no te": (ECHO, message(), {"te": None}, OK),
    "content-type +proto": (ECHO, message(), {"content_type": "application/grpc+proto"}, OK),
    "content-type ;parameter": (ECHO, message(), {"content_type": "application/grpc;a=b"}, OK),
    "content-type of grpc-web": (ECHO, message(), {"content_type": "application/grpc-web"},
                                 (415, 3)),
    "content-type of a page": (ECHO, message(), {"content_type": "text/html"}, (415, 3)),
    "no content-type": (ECHO, message(), {"content_type": None}, (415, 3)),
    "GET": (ECHO, None, {"method": "GET"}, (405, 13)),
    "PUT": (ECHO, message(), {"method": "PUT"}, (405, 13)),
    "timeout of nine digits": (ECHO, message(), {"grpc_timeout": "100000000m"}, (400, 13)),
    "timeout without unit": (ECHO, message(), {"grpc_timeout": "5"}, (400, 13)),
    "negative timeout": (ECHO, message(), {"grpc_timeout": "-1S"}, (400, 13)),
    "longest timeout": (ECHO, message(), {"grpc_timeout": "99999999H"}, OK),
    "timeout of zero": (ECHO, message(), {"grpc_timeout": "0S"}, (200, 4)),
    "timeout of a nanosecond": (PARK, message(), {"grpc_timeout": "1n"}, CANCEL),
    "timeout while it runs": (PARK, message(), {"grpc_timeout": "50m"}, CANCEL),
    "-bin is not base64": (ECHO, message(), {"x_bin": "?"}, (400, 13)),
    "-bin padded": (ECHO, message(), {"x_bin": "Zg=="}, OK),
    "two hosts": (ECHO, message(), {"host": ["a", "b"]}, PROTOCOL_ERROR),
    "connection field": (ECHO, message(), {"connection": "keep-alive"}, PROTOCOL_ERROR),
    "another te": (ECHO, message(), {"te": "gzip"}, PROTOCOL_ERROR),
    "name in upper case": (ECHO, message(), {"X": "y"}, PROTOCOL_ERROR),
    "unknown service": ("/no.Such/Echo", message(), {}, UNKNOWN_METHOD),
    "unknown method": ("/abacus.test.Steered/echo", message(), {}, UNKNOWN_METHOD),
    "path with a slash more": (ECHO + "/", message(), {}, UNKNOWN_METHOD),
    "path of one part": ("/", message(), {}, UNKNOWN_METHOD),
    "unknown encoding": (ECHO, message(), {"grpc_encoding": "snappy"}, (200, 12)),
    "gzip": (ECHO, message(gzip.compress(b"x"), 1), {"grpc_encoding": "gzip"}, OK),
    "gzip, but not this one": (ECHO, message(b"x"), {"grpc_encoding": "gzip"}, OK),
    "compressed without encoding": (ECHO, message(gzip.compress(b"x"), 1), {}, (200, 13)),
    "compressed by identity": (ECHO, message(b"x", 1), {"grpc_encoding": "identity"}, (200, 13)),
    "not gzip": (ECHO, message(b"x", 1), {"grpc_encoding": "gzip"}, (200, 13)),
    "gzip cut short": (ECHO, message(gzip.compress(b"x" * 99)[:-4], 1), {"grpc_encoding": "gzip"},
                       (200, 13)),
    "gzip bomb": (ECHO, message(bomb(), 1), {"grpc_encoding": "gzip"}, (200, 8)),
    "flag that is none": (ECHO, message(b"x", 2), {}, (200, 13)),
    "prefix above the limit": (ECHO, struct.pack(">BI", 0, 4 * MIB + 1), {}, (200, 8)),
    "largest prefix": (ECHO, b"\0\xff\xff\xff\xff", {}, (200, 8)),
    "no message": (ECHO, b"", {}, (200, 13)),
    "headers alone": (ECHO, None, {}, (200, 13)),
    "two messages": (ECHO, message() + message(), {}, (200, 13)),
    "prefix cut short": (ECHO, b"\0\0\0", {}, (200, 13)),
    "message cut short": (ECHO, message(b"hello")[:-1], {}, (200, 13)),
    "a second message cut short": (ECHO, message(b"a") + b"\0\0", {}, (200, 13)),
    "stream of no message": (WATCH, b"", {}, (200, 13)),
    "stream of two messages": (WATCH, message() + message(), {}, (200, 13)),
    "either stream, empty": (FULL_DUPLEX, b"", {}, OK),
    "either stream, headers alone": (FULL_DUPLEX, None, {}, OK),
    "not the message it takes": (WATCH, message(b"\xff\xff"), {}, (200, 13)),
    "header list above 8 KiB": (ECHO, message(), {"x": "y" * 9000}, INTERNAL_ERROR),
    "129 fields": (ECHO, message(), {f"x{i}": "" for i in range(129)}, INTERNAL_ERROR),
}


@pytest.mark.parametrize("what", SITUATIONS)
def test_situation(raw, what):
    path, body, changes, expected = SITUATIONS[what]
    raw.ask(1, path, body, **changes)
    answer = raw.answer(1)
    if isinstance(expected, int):
        assert answer.reset == expected, answer
    else:
        assert (int(answer.fields.get(":status", 0)), answer.status) == expected, answer
        assert answer.fields["content-type"] == "application/grpc"
        assert (answer.text == "") == (answer.status == 0), "a refusal has words"
    raw.ask(3, ECHO, message(b"still here"))
    assert raw.answer(3).data == message(b"still here"), "the connection goes on"


def test_an_unknown_encoding_is_told_which_are_known(raw):
    for stream in (1, 3):
        raw.ask(stream, ECHO, grpc_encoding="br")
        assert raw.answer(stream).fields["grpc-accept-encoding"] == "identity,gzip"


def test_an_early_refusal_ends_the_rest_of_the_request(raw):
    raw.send(frame(HEADERS, END_HEADERS, 1, raw.block("/no/such")))
    assert raw.answer(1).status == 12
    end = raw.read_until(lambda f: f.kind == RST_STREAM)
    assert (end.stream, end.error) == (1, NO_ERROR)


def test_trailers_of_a_request_are_ignored(raw):
    raw.ask(1, ECHO, None)  # stream 1 only fills the encoder's table
    raw.answer(1)
    raw.send(frame(HEADERS, END_HEADERS, 3, raw.block(ECHO)), frame(DATA, 0, 3, message(b"x")),
             frame(HEADERS, END_HEADERS | END_STREAM, 3, raw.encoder.encode([("x", "y")])))
    assert raw.answer(3).data == message(b"x")


def test_a_message_in_tiny_pieces_is_whole(raw):
    body = message(b"piecemeal")
    raw.send(frame(HEADERS, END_HEADERS, 1, raw.block(ECHO)))
    for i in range(len(body)):
        raw.send_data(1, body[i:i + 1], end=i == len(body) - 1)
    assert raw.answer(1).data == body


def test_frames_of_unknown_types_are_ignored(raw):
    raw.send(*[frame(0x77, 0xff, 0, b"?")] * 100)
    raw.ask(1, ECHO, message(b"x"))
    assert raw.answer(1).data == message(b"x")


def test_a_client_that_leaves_within_anything_does_no_harm(standing):
    raw = RawConnection(standing.port)
    block = raw.block(ECHO)
    whole = frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, message(b"x" * 50))
    raw.close()
    for cut in range(0, len(whole), 3):
        raw = RawConnection(standing.port)
        raw.send(whole[:cut])
        raw.close()
    with contextlib.closing(RawConnection(standing.port)) as raw:
        raw.ask(1, ECHO, message(b"x"))
        assert raw.answer(1).data == message(b"x")
