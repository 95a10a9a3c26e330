# SPDX-License-Identifier: Apache-2.0
"""A seeded monkey at the frames: whatever it sends, the server lives and answers the next caller.

ABACUS_MONKEY_SEED repeats a run, ABACUS_MONKEY_S makes it longer.
"""
import contextlib
import gzip
import os
import random
import select
import struct
import time

import pytest

from harness.interop import ECHO, FLOOD, PARK, TELL, InteropServer
from harness.raw_http2 import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, RawConnection, frame, message)

pytestmark = pytest.mark.sanitized

PATHS = [ECHO, ECHO, PARK, TELL, FLOOD, "/no/such", "/grpc.health.v1.Health/Watch",
         "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List",
         "/grpc.testing.TestService/FullDuplexCall", "/grpc.testing.TestService/UnaryCall",
         "/grpc.testing.TestService/StreamingOutputCall",
         "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]
BODIES = [b"", message(), message(b"x"), message() * 3, message(b"x" * 5000), message(b"x", 2),
          message(gzip.compress(bytes(100000)), 1), message(b"\x3a\x01*"), message(b"serving"),
          message(b"not_serving"), message(b"\xff"), message(bytes(60000))[:-1], b"\0\0\0"]
FIELDS = [{}, {}, {}, {"grpc_timeout": "1m"}, {"grpc_timeout": "1n"}, {"grpc_timeout": "5S"},
          {"grpc_encoding": "gzip"}, {"grpc_encoding": "br"}, {"method": "GET"}, {"x_bin": "Zg,?"},
          {"x": "y" * 9000}, {"x_grpc_test_echo_initial": "v"}, {"te": None}]


class Monkey:
    """One connection; each step sends something."""

    def __init__(self, chance, port):
        self.chance = chance
        window = chance.choice([0, 1, 100, 65535, 1 << 20])
        self.raw = RawConnection(port, settings=struct.pack(">HI", 4, window))
        self.raw.acknowledge = chance.random() < 0.9
        self.next_stream, self.open = 1, []

    def begin(self):
        end = END_STREAM if self.chance.random() < 0.3 else 0
        block = self.raw.block(self.chance.choice(PATHS), **self.chance.choice(FIELDS))
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        if not end:
            self.open.append(stream)
        if self.chance.random() < 0.1:
            cut = self.chance.randrange(len(block))
            return (frame(HEADERS, end, stream, block[:cut])
                    + frame(CONTINUATION, END_HEADERS, 0 + stream, block[cut:]))
        return frame(HEADERS, END_HEADERS | end, stream, block)

    def some(self):
        return self.chance.choice(self.open) if self.open else 1

    def data(self):
        stream, body = self.some(), self.chance.choice(BODIES)
        cut = self.chance.randrange(len(body) + 1)
        end = self.chance.random() < 0.5
        if end and stream in self.open:
            self.open.remove(stream)
        parts = [body[:cut], body[cut:]]
        pieces = [part[i:i + 16384] for part in parts for i in range(0, len(part) or 1, 16384)]
        flags = [0] * (len(pieces) - 1) + [END_STREAM if end else 0]
        return b"".join(frame(DATA, flag, stream, piece)
                        for flag, piece in zip(flags, pieces))

    def reset(self):
        stream = self.some()
        if stream in self.open:
            self.open.remove(stream)
        return frame(RST_STREAM, 0, stream, struct.pack(">I", self.chance.randrange(14)))

    def window(self):
        step = self.chance.choice([1, 100, 1 << 20])
        return frame(WINDOW_UPDATE, 0, self.chance.choice([0, self.some()]),
                     struct.pack(">I", step))

    def other(self):
        return self.chance.choice([
            frame(PING, 0, 0, b"12345678"), frame(PING, 1, 0, b"draining"),
            frame(SETTINGS, 0, 0, struct.pack(">HI", 4, self.chance.choice([0, 10, 1 << 20]))),
            frame(SETTINGS, 1), frame(PRIORITY, 0, self.some(), struct.pack(">IB", 0, 1)),
            frame(GOAWAY, 0, 0, bytes(8)), frame(self.chance.randrange(256), 0, 0, b"?" * 9),
            frame(HEADERS, END_HEADERS | END_STREAM, self.some(),
                  self.raw.encoder.encode([("x", "y")])),
            self.chance.randbytes(self.chance.randrange(40))])

    def step(self):
        """False: this connection is over."""
        kinds = [self.begin] * 6 + [self.data] * 10 + [self.reset] * 2 + [self.window] * 2
        if self.chance.random() < 0.02:
            kinds = [self.other]
        if not self.raw.send(b"".join(self.chance.choice(kinds)()
                                      for _ in range(self.chance.randrange(1, 8)))):
            return False
        while select.select([self.raw.socket], [], [], 0)[0]:
            if self.raw.read() is None:
                return False
        return self.chance.random() > 0.005  # or it leaves


def test_nothing_a_client_sends_hurts_the_server(tmp_path):
    seed = int(os.environ.get("ABACUS_MONKEY_SEED", random.SystemRandom().randrange(1 << 32)))
    until_s = time.monotonic() + float(os.environ.get("ABACUS_MONKEY_S", 5))
    print("ABACUS_MONKEY_SEED", seed)
    chance = random.Random(seed)
    limits = {"streams_max": 20, "message_bytes_max": 65536, "unsent_bytes_max": 100000,
              "request_timeout_ms": 200, "stall_timeout_ms": 300, "age_max_ms": 3000,
              "keepalive_ms": 500, "keepalive_timeout_ms": 100, "resets_burst_max": 100}
    server = InteropServer(tmp_path, **limits).start()
    monkeys, steps = [], 0
    while time.monotonic() < until_s:
        while len(monkeys) < 8:
            monkeys.append(Monkey(chance, server.port))
        monkey = chance.choice(monkeys)
        steps += 1
        if not monkey.step():
            monkey.raw.close()
            monkeys.remove(monkey)
    with contextlib.closing(RawConnection(server.port)) as raw:
        raw.ask(1, ECHO, message(b"x"))
        assert raw.answer(1).data == message(b"x"), f"after {steps} steps"
    server.close()
