# SPDX-License-Identifier: Apache-2.0
"""What a connection may not do, for how long, and how it ends; frame by frame.

HTTP/2's known attacks (RFC 9113 §10.5), our limits of memory and time, the graceful end.
"""
import contextlib
import struct
import threading
import time

import pytest

from harness.interop import ECHO, FLOOD, PARK, TELL, InteropServer
from harness.process import PATIENCE_S, pause, wait_until
from harness.raw_http2 import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS,
    NO_ERROR, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, RawConnection, frame, message)

pytestmark = pytest.mark.sanitized

WATCH = "/grpc.health.v1.Health/Watch"
MIB = 1024 * 1024
MAX_STREAMS, INITIAL_WINDOW = 3, 4


@pytest.fixture
def connect(tmp_path):
    """connect(settings…, **limits) starts a server and returns a raw connection to it."""
    with contextlib.ExitStack() as stack:
        def opener(preface=PREFACE, settings=b"", receive_buffer=None, **limits):
            server = InteropServer(tmp_path, **limits).start()
            stack.callback(server.close)
            raw = RawConnection(server.port, preface, settings, receive_buffer)
            stack.callback(raw.close)
            raw.server = server
            return raw
        yield opener


# --- streams ---
def test_a_stream_too_many_before_our_settings_are_known_is_refused(connect):
    raw = connect(streams_max=2)
    raw.acknowledge = False
    for stream in (1, 3, 5):
        raw.ask(stream, PARK)
    assert raw.answer(5).reset == REFUSED_STREAM
    raw.ask(7, TELL, message(b"x"))
    assert raw.answer(7).reset == REFUSED_STREAM


def test_a_stream_too_many_afterwards_ends_the_connection(connect):
    raw = connect(streams_max=2)
    raw.read_until(lambda f: f.kind == SETTINGS and not f.flags & ACK)
    for stream in (1, 3, 5):
        raw.ask(stream, PARK)
    raw.goaway(PROTOCOL_ERROR)
    assert raw.read_to_end()


def test_streams_that_were_reset_still_count_while_their_handlers_run(connect):
    raw = connect(streams_max=2)
    for stream in (1, 3):
        raw.ask(stream, PARK)
    raw.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)),
             frame(RST_STREAM, 0, 3, struct.pack(">I", CANCEL)))
    raw.ask(5, ECHO)
    assert raw.answer(5).reset == REFUSED_STREAM


def test_the_limit_of_streams_is_told(connect):
    raw = connect(streams_max=7)
    told = raw.read_until(lambda f: f.kind == SETTINGS and not f.flags & ACK).payload
    assert struct.pack(">HI", MAX_STREAMS, 7) in told


# --- attacks ---
def request(raw, stream, path=PARK):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, raw.block(path))


def rapid_reset(raw):
    for stream in range(1, 200, 2):
        yield request(raw, stream) + frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def made_you_reset(raw):
    """A window that overflows is the stream's error, so that the server resets it."""
    for stream in range(1, 200, 2):
        yield (frame(HEADERS, END_HEADERS, stream, raw.block(PARK))
               + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7fffffff)))


def pings(_raw):
    for i in range(5):
        yield frame(PING, 0, 0, struct.pack(">Q", i))


def settings(_raw):
    for _ in range(12000):
        yield frame(SETTINGS)


def window_updates(_raw):
    for _ in range(12000):
        yield frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))


def priorities(_raw):
    for _ in range(12000):
        yield frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1))


def empty_data(raw):
    yield frame(HEADERS, END_HEADERS, 1, raw.block(ECHO))
    for _ in range(12000):
        yield frame(DATA, 0, 1)


def padded_data(raw):
    yield frame(HEADERS, END_HEADERS, 1, raw.block(ECHO))
    for _ in range(12000):
        yield frame(DATA, 8, 1, b"\0")  # PADDED: a byte of length, no padding, no data


def continuations(raw):
    block = raw.block(ECHO)
    yield frame(HEADERS, 0, 1, block)
    for _ in range(100):
        yield frame(CONTINUATION, 0, 1)


def bad_block(_raw):
    yield frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff")


def data_on_idle_stream(_raw):
    yield frame(DATA, 0, 99, b"x")


def even_stream(raw):
    yield request(raw, 2)


def huge_frame(_raw):
    yield struct.pack(">I", 1 << 20)[1:] + struct.pack(">BBI", DATA, 0, 1) + bytes(1 << 20)


def window_overflow(_raw):
    yield frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff))


ATTACKS = {  # the error and the words of the GOAWAY; None: nghttp2 chooses
    rapid_reset: (ENHANCE_YOUR_CALM, "too_many_resets"),
    made_you_reset: (ENHANCE_YOUR_CALM, "too_many_resets"),
    pings: (ENHANCE_YOUR_CALM, "too_many_pings"),
    settings: (ENHANCE_YOUR_CALM, "too_many_frames"),
    window_updates: (ENHANCE_YOUR_CALM, "too_many_frames"),
    priorities: (ENHANCE_YOUR_CALM, "too_many_frames"),
    empty_data: (ENHANCE_YOUR_CALM, "too_many_frames"),
    padded_data: (ENHANCE_YOUR_CALM, "too_many_frames"),
    continuations: None,
    bad_block: None,
    data_on_idle_stream: None,
    even_stream: None,
    huge_frame: None,
    window_overflow: None,
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_ends_the_connection_and_nothing_else(connect, attack):
    raw = connect(resets_burst_max=20, resets_per_s=1)
    for frames in attack(raw):
        if not raw.send(frames):
            break
    expected = ATTACKS[attack]
    if expected is not None:
        end = raw.goaway()
        assert (end.error, end.debug) == expected
    assert raw.read_to_end()
    with contextlib.closing(RawConnection(raw.server.port)) as other:
        other.ask(1, ECHO, message(b"x"))
        assert other.answer(1).data == message(b"x")


def test_resets_within_the_budget_are_forgiven(connect):
    raw = connect(resets_burst_max=200, resets_per_s=1000)
    raw.send(*rapid_reset(raw))
    raw.ask(201, ECHO, message(b"x"))
    assert raw.answer(201).data == message(b"x")


def test_deadlines_are_not_the_clients_resets(connect):
    raw = connect(resets_burst_max=20, resets_per_s=1)
    for stream in range(1, 81, 2):
        raw.ask(stream, PARK, grpc_timeout="1n")
        assert raw.answer(stream).reset == CANCEL
    raw.ask(81, ECHO, message(b"x"))
    assert raw.answer(81).data == message(b"x")


def test_data_in_tiny_frames_is_no_flood(connect):
    raw = connect()
    body = message(bytes(12000))
    raw.send(frame(HEADERS, END_HEADERS, 1, raw.block(ECHO)))
    raw.send(*[frame(DATA, 0, 1, body[i:i + 1]) for i in range(len(body))])
    raw.send(frame(DATA, END_STREAM, 1))
    assert raw.answer(1).data == body


def test_pings_among_calls_are_forgiven(connect):
    raw = connect()
    for i in range(10):
        raw.send(frame(PING, 0, 0, struct.pack(">Q", i)))
        raw.ask(2 * i + 1, ECHO, message(b"x"))
        assert raw.answer(2 * i + 1).data == message(b"x")


def test_what_is_not_http2_is_hung_up_on(connect):
    raw = connect(preface=None)
    raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw.read_to_end()


# --- requests that are begun and not finished ---
def begun(raw, stream, size):
    """A request of which all is there but the last byte."""
    raw.send(frame(HEADERS, END_HEADERS, stream, raw.block(ECHO)))
    raw.send_data(stream, message(bytes(size))[:-1], end=False)


def test_requests_in_the_making_are_bounded_together(connect):
    raw = connect(message_bytes_max=65536)  # so much sixteen times: 17 of these
    for i in range(20):
        begun(raw, 2 * i + 1, 60000)
    refused = raw.answer(2 * 17 + 1)
    assert (refused.status, refused.text) == (8, "too many large requests at once")
    raw.send_data(1, b"x")
    assert raw.answer(1).status == 0, "those before it go on"


def test_requests_that_are_given_up_no_longer_count(connect):
    raw = connect(message_bytes_max=65536)
    for i in range(40):
        begun(raw, 2 * i + 1, 60000)
        raw.send(frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", CANCEL)))
    raw.ask(99, ECHO, message(bytes(60000)))
    assert raw.answer(99).status == 0


# --- clients that do not read ---
def memory_kib(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_a_stream_that_is_not_read_is_ended_at_the_limit(connect):
    raw = connect(unsent_bytes_max=MIB)
    raw.ask(1, FLOOD)  # 64 MiB; our windows stay at 64 KiB
    assert raw.answer(1).reset == ENHANCE_YOUR_CALM
    raw.ask(3, ECHO, message(b"x"))
    raw.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MIB)))
    assert raw.answer(3).data == message(b"x")


def test_an_answer_that_gets_no_window_is_cancelled_alone(connect):
    raw = connect(settings=struct.pack(">HI", INITIAL_WINDOW, 0), stall_timeout_ms=300)
    raw.ask(1, ECHO, message(b"x"))
    assert raw.answer(1).reset == CANCEL
    raw.ask(3, ECHO, message(b"x"), frame(WINDOW_UPDATE, 0, 3, struct.pack(">I", 100)))
    assert raw.answer(3).data == message(b"x")


def test_a_connection_that_is_not_read_takes_bounded_memory_and_is_closed(connect):
    wide = struct.pack(">HI", INITIAL_WINDOW, 0x7fffffff)
    raw = connect(settings=wide, receive_buffer=4096, unsent_bytes_max=MIB, stall_timeout_ms=1500)
    raw.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff - 65535)))
    before_kib = memory_kib(raw.server)
    raw.socket.settimeout(1)
    body = message(bytes(60000))
    sent, most_kib = 0, 0
    with contextlib.suppress(TimeoutError):  # it stops reading
        for stream in range(1, 2000, 2):
            if not raw.send(frame(HEADERS, END_HEADERS, stream, raw.block(ECHO))):
                break
            raw.socket.sendall(b"".join(
                frame(DATA, END_STREAM if i + 16384 >= len(body) else 0, stream,
                      body[i:i + 16384]) for i in range(0, len(body), 16384)))
            sent += len(body)
            most_kib = max(most_kib, memory_kib(raw.server))
    assert sent < 20 * MIB, "the server should have stopped reading"
    assert most_kib - before_kib < 40 * 1024
    raw.socket.settimeout(PATIENCE_S)
    wait_until(lambda: not raw.established, "the server to close the connection")
    assert raw.read_to_end()


def test_a_client_that_reads_late_gets_every_answer(connect):
    count, body = 200, message(bytes(100_000))
    raw = connect(settings=struct.pack(">HI", INITIAL_WINDOW, 0x7fffffff), receive_buffer=4096,
                  unsent_bytes_max=MIB // 4)
    raw.read_until(lambda f: f.kind == SETTINGS and f.flags & ACK)
    raw.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff - 65535)))
    blocks = [frame(HEADERS, END_HEADERS, 2 * i + 1, raw.block(ECHO)) for i in range(count)]
    parts = [body[i:i + 16384] for i in range(0, len(body), 16384)]
    begun = []

    def send_all():
        for i, block in enumerate(blocks):
            begun.append(i)
            raw.send(block, *[frame(DATA, END_STREAM if part is parts[-1] else 0, 2 * i + 1, part)
                              for part in parts])
    raw.acknowledge = False  # only one thread may send
    sender = threading.Thread(target=send_all)
    sender.start()

    def stuck():
        before = len(begun)
        pause(0.3)
        return len(begun) == before
    wait_until(stuck, "the server to stop reading")
    assert len(begun) < count
    got = 0
    while got < count * len(body):
        answer = raw.read()
        got += len(answer.payload) if answer.kind == DATA else 0
    sender.join()


# --- time ---
@pytest.mark.parametrize("said", [b"", PREFACE[:10], PREFACE])
def test_no_handshake_in_time_is_hung_up_on(connect, said):
    server = connect(handshake_timeout_ms=300).server
    began_s = time.monotonic()
    with contextlib.closing(RawConnection(server.port, preface=None)) as raw:
        raw.acknowledge = False
        if said:
            raw.send(said)
        assert raw.read_to_end()
    assert 0.2 < time.monotonic() - began_s < 9  # 10 is what it is without the limit


def test_a_header_block_without_end_closes_the_connection(connect):
    raw = connect(request_timeout_ms=300)
    raw.send(frame(HEADERS, 0, 1, raw.block(ECHO)))
    assert raw.read_to_end()


def test_a_request_without_end_is_cancelled_alone(connect):
    raw = connect(request_timeout_ms=300)
    raw.send(frame(HEADERS, END_HEADERS, 1, raw.block(ECHO)), frame(DATA, 0, 1, b"\0\0"))
    assert raw.answer(1).reset == CANCEL
    raw.ask(3, ECHO, message(b"x"))
    assert raw.answer(3).data == message(b"x")


def test_a_handler_may_take_longer_than_a_request(connect):
    raw = connect(request_timeout_ms=200)
    raw.ask(1, PARK)
    raw.send(frame(HEADERS, END_HEADERS, 3, raw.block(ECHO)))
    assert raw.answer(3).reset == CANCEL
    raw.ask(5, TELL, message(b"release"))
    assert raw.answer(1).status == 0


def test_a_silent_peer_is_asked_and_then_closed(connect):
    raw = connect(keepalive_ms=200, keepalive_timeout_ms=2000)
    raw.read_until(lambda f: f.kind == PING)
    raw.read_until(lambda f: f.kind == PING)  # the first was answered
    raw.acknowledge = False
    assert raw.read_to_end()


@pytest.mark.parametrize("limit, reason", [("idle_max_ms", "max_idle"), ("age_max_ms", "max_age")])
def test_an_idle_or_old_connection_ends_in_two_steps(connect, limit, reason):
    raw = connect(**{limit: 1000})
    raw.ask(1, ECHO)
    assert raw.read_to_end()
    assert [f for f in raw.seen if f.stream == 1], "the call was answered"
    first, last = [f for f in raw.seen if f.kind == GOAWAY]
    assert (first.error, first.last_stream) == (NO_ERROR, 0x7fffffff)
    assert (last.error, last.last_stream, last.debug) == (NO_ERROR, 1, reason)


# --- the graceful end ---
LONG_GRACE_MS = 1000 * PATIENCE_S  # so that no slow test is cut


def test_stop_in_two_steps_takes_calls_until_the_last_word(connect):
    raw = connect(grace_ms=LONG_GRACE_MS)
    raw.ask(1, PARK)
    raw.ask(3, ECHO)
    raw.answer(3)  # so the first has begun
    raw.acknowledge = False
    raw.server.terminate()
    assert raw.goaway(NO_ERROR).last_stream == 0x7fffffff
    ping = raw.read_until(lambda f: f.kind == PING)
    raw.ask(5, ECHO, message(b"on its way"))
    assert raw.answer(5).data == message(b"on its way")
    raw.ask(7, TELL, message(b"release"))
    assert raw.answer(1).status == 0
    raw.send(frame(PING, ACK, 0, ping.payload))
    end = raw.goaway(NO_ERROR)
    assert (end.last_stream, end.debug) == (7, "shutdown")
    raw.ask(9, ECHO)  # too late, and the client knows it: never answered
    assert raw.read_to_end()
    assert not [f for f in raw.seen if f.stream == 9]


def test_stop_answers_what_runs_and_ends_with_success(connect):
    raw = connect(grace_ms=LONG_GRACE_MS)
    raw.ask(1, PARK)
    raw.ask(3, ECHO)
    raw.answer(3)
    raw.acknowledge = False
    raw.server.terminate()
    raw.goaway(NO_ERROR)
    ping = raw.read_until(lambda f: f.kind == PING)
    raw.ask(5, TELL, message(b"release"))
    assert raw.answer(1).status == 0
    raw.send(frame(PING, ACK, 0, ping.payload))
    raw.goaway(NO_ERROR)
    assert raw.read_to_end()
    assert raw.server.wait() == 0


def test_stop_does_not_wait_for_streams_that_have_no_end(connect):
    raw = connect(grace_ms=LONG_GRACE_MS)
    raw.ask(1, WATCH)
    raw.read_until(lambda f: f.kind == DATA)
    raw.send(frame(HEADERS, END_HEADERS, 3, raw.block(WATCH)))  # its message comes late
    raw.ask(5, ECHO)
    raw.answer(5)
    raw.server.terminate()
    assert raw.goaway(NO_ERROR).last_stream == 0x7fffffff
    raw.goaway(NO_ERROR)
    raw.send_data(3, message())
    assert raw.answer(3).status == 14
    assert raw.read_to_end()
    assert raw.server.wait() == 0, "no call was cut"


def test_stop_cuts_what_does_not_end(connect):
    raw = connect()
    raw.ask(1, PARK)
    raw.ask(3, ECHO)
    raw.answer(3)
    raw.server.terminate()
    assert raw.read_to_end()
    assert raw.server.wait() == 1


def test_connections_above_the_limit_are_closed_until_one_leaves(connect):
    first = connect(connections_max=1)
    first.ask(1, ECHO)
    first.answer(1)
    with contextlib.closing(RawConnection(first.server.port)) as second:
        assert second.read_to_end()
    first.close()

    def served():
        with contextlib.closing(RawConnection(first.server.port)) as third:
            third.ask(1, ECHO, message(b"x"))
            return third.read() is not None
    wait_until(served, "room for a connection")
