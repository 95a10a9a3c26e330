# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand: frames as they are, also those that no library would send (RFC 9113)."""
import dataclasses
import socket
import struct

import hpack

from .process import PATIENCE_S

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
ACK, END_STREAM, END_HEADERS = 1, 1, 4

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = \
    0, 1, 2, 7, 8, 11

TCP_ESTABLISHED = b"\1"

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclasses.dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes
    fields: dict = None  # of HEADERS

    @property
    def error(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack(">I", self.payload[4 if self.kind == GOAWAY else 0:][:4])[0]

    @property
    def last_stream(self):
        """Of GOAWAY."""
        return struct.unpack(">I", self.payload[:4])[0]

    @property
    def debug(self):
        """Of GOAWAY."""
        return self.payload[8:].decode()


@dataclasses.dataclass
class Answer:
    """All that a stream brought."""
    fields: dict
    data: bytes = b""
    trailers: dict = None
    reset: int = None  # the error of a RST_STREAM

    @property
    def status(self):
        return int((self.trailers or self.fields).get("grpc-status", -1))

    @property
    def text(self):
        return (self.trailers or self.fields).get("grpc-message", "")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def message(body=b"", compressed=0):
    """gRPC's prefix and the bytes."""
    return struct.pack(">BI", compressed, len(body)) + body


def data_frames(stream, body, end=True):
    parts = [body[i:i + 16384] for i in range(0, len(body), 16384)] or [b""]
    flags = [0] * (len(parts) - 1) + [END_STREAM if end else 0]
    return [frame(DATA, flag, stream, part) for flag, part in zip(flags, parts)]


class RawConnection:
    """Acknowledges SETTINGS and PING by itself unless told not to."""

    def __init__(self, port, preface=PREFACE, settings=b"", receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.authority = f"127.0.0.1:{port}"
        self.unread, self.seen = b"", []
        self.acknowledge = True
        if preface:
            self.socket.sendall(preface + frame(SETTINGS, payload=settings))

    def close(self):
        self.socket.close()

    @property
    def established(self):
        """Neither side has closed, as TCP sees it: unread bytes need not be read to know."""
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == TCP_ESTABLISHED

    # --- out ---
    def send(self, *frames):
        """False: the server has hung up."""
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:
            return False
        return True

    def block(self, path, **changes):
        """The header block of a good request, changed: None drops a field, a list repeats it."""
        fields = {":method": "POST", ":scheme": "http", ":path": path,
                  ":authority": self.authority, "te": "trailers",
                  "content-type": "application/grpc"}
        for name, value in changes.items():
            fields[":method" if name == "method" else name.replace("_", "-")] = value
        pairs = [(name, value) for name, given in fields.items() if given is not None
                 for value in (given if isinstance(given, list) else [given])]
        return self.encoder.encode(pairs)

    def ask(self, stream, path, body=message(), more=b"", **changes):
        """A whole request; body None ends it with the headers. more: frames that follow at once.

        All in one write: a server with short deadlines must not wait for a slow test's rest.
        """
        end = END_STREAM if body is None else 0
        head = frame(HEADERS, END_HEADERS | end, stream, self.block(path, **changes))
        self.send(head, *([] if body is None else data_frames(stream, body)), more)

    def send_data(self, stream, body, end=True):
        self.send(*data_frames(stream, body, end))

    # --- in ---
    def _fill(self, length):
        while len(self.unread) < length:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError
            self.unread += got

    def read(self):
        """The next frame; None: the server has hung up."""
        try:
            self._fill(9)
            length = int.from_bytes(self.unread[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", self.unread[3:9])
            self._fill(9 + length)
        except (EOFError, ConnectionError):
            return None
        got = Frame(kind, flags, stream & 0x7fffffff, self.unread[9:9 + length])
        self.unread = self.unread[9 + length:]
        if kind == HEADERS:  # always, or the decoder's table would not follow
            got.fields = dict(self.decoder.decode(got.payload))
        self.seen.append(got)
        if self.acknowledge and kind in (SETTINGS, PING) and not flags & ACK:
            self.send(frame(kind, ACK, 0, got.payload if kind == PING else b""))
        return got

    def read_until(self, wanted):
        """The first frame for which wanted(frame) is true; none is a failed test."""
        while got := self.read():
            if wanted(got):
                return got
        raise AssertionError(f"the server hung up; at last it sent {self.seen[-5:]}")

    def goaway(self, error=None):
        return self.read_until(lambda f: f.kind == GOAWAY and error in (None, f.error))

    def read_to_end(self):
        """True: the server hung up. Long silence fails the test."""
        while self.read():
            continue
        return True

    def answer(self, stream):
        """Reads until the stream is over."""
        answer = Answer({})
        while got := self.read():
            if got.stream != stream:
                continue
            if got.kind == HEADERS and answer.fields:
                answer.trailers = got.fields
            elif got.kind == HEADERS:
                answer.fields = got.fields
            elif got.kind == DATA:
                answer.data += got.payload
            elif got.kind == RST_STREAM:
                answer.reset = got.error
            if got.kind == RST_STREAM or got.kind != WINDOW_UPDATE and got.flags & END_STREAM:
                return answer
        raise AssertionError(f"the server hung up within stream {stream}: {self.seen[-5:]}")
