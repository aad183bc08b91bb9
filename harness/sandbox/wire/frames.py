"""The wire format between the harness and a solver process: framed messages over one socket pair.

A frame is a 24-byte header, JSON meta of at most 64 KiB and a payload of raw little-endian
arrays (`harness.sandbox.wire.arrays`). Lengths are checked before anything is allocated, every frame
has a deadline from its first to its last byte, the receiver lists the frame types that it accepts
in its state, and sequence numbers increase by one. Only `readv` and `writev` transfer bytes:
`recvmsg` could receive file descriptors.

Both sides import this module, and the sandboxed process does so before it has dropped its
privileges: standard library only.
"""

import json
import os
import select
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

__all__ = [
    "FRAME_S",
    "META_MAX_BYTES",
    "PAYLOAD_MAX_BYTES",
    "Channel",
    "ErrorKind",
    "Frame",
    "FrameDeadlineError",
    "FrameError",
    "FrameType",
    "PeerClosedError",
    "decode_meta",
    "encode_meta",
]

META_MAX_BYTES = 64 * 1024
PAYLOAD_MAX_BYTES = 256 * 1024 * 1024
"""The client rejects a larger query before sending it; split the query."""
FRAME_S = 60.0
"""Time limit from a frame's first byte to its last, in either direction."""

_HEADER = struct.Struct("<4sBBHIIQ")  # magic, type, flags, reserved, seq, meta_len, payload_len
_MAGIC = b"GFA1"
_INT_DIGITS = 19
_MAX_PARTS = 64
"""Views written by one system call; the kernel accepts at most 1024."""


class FrameType(IntEnum):
    """The type of a frame; a receiver accepts only the types of its state."""

    # harness -> solver process
    CONFIG = 1
    SOLVE = 2
    PREDICT = 3
    REPLY = 4
    REFUSED = 5
    BATCH = 6
    # solver process -> harness
    HELLO = 16
    FAULT = 17
    LOADED = 18
    QUERY = 19
    PLACE = 20
    WORDING = 21
    CHECKPOINT = 22
    SOLUTION = 23
    PREDICTION = 24
    ERROR = 25
    READY = 26


class ErrorKind:
    """The cause in an ERROR or REFUSED frame. Plain strings, because the child has no pydantic."""

    EXCEPTION = "exception"
    MEMORY = "memory"
    BUDGET = "budget"
    INVALID = "invalid"
    SOLUTION = "solution"
    LOAD = "load"
    EXIT = "exit"


class FrameError(Exception):
    """The peer violated the wire format."""


class FrameDeadlineError(FrameError):
    """The peer exceeded the time limit of one frame, or of its first byte where there is one."""


class PeerClosedError(FrameError):
    """The peer closed the channel; `mid_frame` is True if a frame was unfinished."""

    def __init__(self, message: str, *, mid_frame: bool) -> None:
        """Store whether a frame was unfinished."""
        super().__init__(message)
        self.mid_frame = mid_frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        type: its type.
        seq: number of the request; a reply has its request's.
        meta: the JSON object, keys not yet checked. Do not change it: consecutive frames with the same
            bytes share one object.
        payload: raw bytes, writable, so that arrays over it are writable too.
    """

    type: FrameType
    seq: int
    meta: dict[str, Any]
    payload: bytearray


def _refuse_constant(name: str) -> NoReturn:
    msg = f"meta contains {name}, which is not JSON"
    raise FrameError(msg)


def _bounded_int(digits: str) -> int:
    if len(digits) > _INT_DIGITS:
        msg = f"meta contains an integer of {len(digits)} digits, expected at most {_INT_DIGITS}"
        raise FrameError(msg)
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "meta contains a duplicate key"
        raise FrameError(msg)
    return found


# Created once: `json.dumps` and `json.loads` would create new ones for every frame.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_bounded_int).decode


def encode_meta(meta: dict[str, Any]) -> bytes:
    """Return the meta's bytes.

    Raises:
        FrameError: it is longer than `META_MAX_BYTES`, or not JSON.
    """
    try:
        data = _encode(meta).encode()
    except (TypeError, ValueError) as error:
        msg = f"meta is not JSON: {error}"
        raise FrameError(msg) from error
    if len(data) > META_MAX_BYTES:
        msg = f"meta has {len(data)} bytes, expected at most {META_MAX_BYTES}"
        raise FrameError(msg)
    return data


def decode_meta(data: bytes | bytearray) -> dict[str, Any]:
    """Parse strict JSON: one object, no duplicate key, no NaN, no huge integer, valid UTF-8.

    Raises:
        FrameError: the data is anything else.
    """
    try:
        meta = _decode(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        msg = f"meta is not strict JSON: {error}"
        raise FrameError(msg) from error
    except RecursionError as error:
        msg = "meta is nested too deeply"
        raise FrameError(msg) from error
    if not isinstance(meta, dict):
        msg = f"meta is a JSON {type(meta).__name__}, expected an object"
        raise FrameError(msg)
    return meta


class Channel:
    """One end of the socket pair. Not thread-safe: callers with several threads need a lock."""

    def __init__(self, fd: int, *, inbound_bytes: int | None = None) -> None:
        """Use an open descriptor.

        Args:
            fd: blocking or not, which must not change later; the caller closes it.
            inbound_bytes: limit on all bytes received over the channel's life; None: unlimited.
        """
        self.fd = fd
        self.received_bytes = 0
        self._inbound_bytes = inbound_bytes
        self._last_meta: tuple[bytes | None, dict[str, Any]] = (None, {})
        self._is_blocking = os.get_blocking(fd)
        self._poller = select.poll()

    def send(
        self,
        kind: FrameType,
        seq: int,
        meta: dict[str, Any],
        payload: Sequence[memoryview] = (),
        *,
        frame_s: float | None = None,
    ) -> None:
        """Write one frame.

        Args:
            kind: the frame's type.
            seq: the request's number.
            meta: JSON object, at most 64 KiB encoded.
            payload: contiguous byte views, written in order.
            frame_s: time limit in seconds for a peer that does not read; None: wait forever.

        Raises:
            FrameError: the frame is too large, or its meta is not JSON.
            FrameDeadlineError: the peer did not read in time.
            PeerClosedError: the peer closed the channel.
        """
        body = encode_meta(meta)
        size = sum([part.nbytes for part in payload])
        if size > PAYLOAD_MAX_BYTES:
            msg = f"payload has {size} bytes, expected at most {PAYLOAD_MAX_BYTES}"
            raise FrameError(msg)
        header = _HEADER.pack(_MAGIC, kind, 0, 0, seq, len(body), size)
        parts = [memoryview(header + body), *[part for part in payload if part.nbytes]]
        deadline = None if frame_s is None else time.monotonic() + frame_s
        while parts:
            try:
                written = os.writev(self.fd, parts[:_MAX_PARTS])
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline, "did not read a frame")
                continue
            except (BrokenPipeError, ConnectionResetError) as error:
                msg = "the peer closed the channel while a frame was sent"
                raise PeerClosedError(msg, mid_frame=True) from error
            parts = _after(parts, written)

    def receive(
        self,
        allowed: frozenset[FrameType],
        *,
        idle_s: float | None = None,
        frame_s: float | None = None,
        expect_seq: int | None = None,
    ) -> Frame:
        """Read one frame.

        Args:
            allowed: the types accepted in the caller's state.
            idle_s: seconds until the first byte; None: wait forever.
            frame_s: seconds from the first byte to the last; None: wait forever.
            expect_seq: the only sequence number accepted; None: any.

        Raises:
            FrameDeadlineError: a time limit was exceeded.
            PeerClosedError: end of file.
            FrameError: bad magic, type, sequence, length, budget or meta.
        """
        header = bytearray(_HEADER.size)
        parts = [memoryview(header)]
        idle = None if idle_s is None else time.monotonic() + idle_s
        parts = _after(parts, self._read_some(parts, idle, mid_frame=False))
        deadline = None if frame_s is None else time.monotonic() + frame_s
        self._read_all(parts, deadline)
        magic, kind, flags, reserved, seq, meta_len, payload_len = _HEADER.unpack(header)
        if magic != _MAGIC or flags or reserved:
            msg = "bad frame header"
            raise FrameError(msg)
        if kind not in allowed:
            msg = f"frame type {kind} is not accepted in this state"
            raise FrameError(msg)
        if expect_seq is not None and seq != expect_seq:
            msg = f"frame has sequence number {seq}, expected {expect_seq}"
            raise FrameError(msg)
        self._check_lengths(meta_len, payload_len)
        meta, payload = bytearray(meta_len), bytearray(payload_len)
        self._read_all([memoryview(part) for part in (meta, payload) if part], deadline)
        return Frame(FrameType(kind), seq, self._decode(bytes(meta)), payload)

    def has_input(self) -> bool:
        """Return whether a read would not block (data, or end of file)."""
        self._poller.register(self.fd, select.POLLIN)
        return bool(self._poller.poll(0))

    def _decode(self, data: bytes) -> dict[str, Any]:
        """Parse a frame's meta; reuse the last one if its bytes are the same, as for most queries."""
        if data != self._last_meta[0]:
            self._last_meta = (data, decode_meta(data))
        return self._last_meta[1]

    def _check_lengths(self, meta_len: int, payload_len: int) -> None:
        """Check the announced lengths before anything is allocated."""
        if meta_len > META_MAX_BYTES:
            msg = f"frame announces {meta_len} bytes of meta, expected at most {META_MAX_BYTES}"
            raise FrameError(msg)
        if payload_len > PAYLOAD_MAX_BYTES:
            msg = f"frame announces {payload_len} bytes of payload, expected at most {PAYLOAD_MAX_BYTES}"
            raise FrameError(msg)
        self.received_bytes += _HEADER.size + meta_len + payload_len
        if self._inbound_bytes is not None and self.received_bytes > self._inbound_bytes:
            msg = f"too much data: got more than {self._inbound_bytes} bytes, the limit of one attempt"
            raise FrameError(msg)

    def _read_all(self, parts: list[memoryview], deadline: float | None) -> None:
        while parts:
            parts = _after(parts, self._read_some(parts, deadline, mid_frame=True))
            # Checked after every read: a peer that sends slowly must not extend its deadline.
            if parts and deadline is not None and time.monotonic() > deadline:
                msg = "the peer did not finish a frame in time"
                raise FrameDeadlineError(msg)

    def _read_some(self, parts: list[memoryview], deadline: float | None, *, mid_frame: bool) -> int:
        """Read at least one byte into the parts; wait only if there is none yet."""
        waiting_for = "did not finish a frame" if mid_frame else "sent nothing"
        while True:
            if self._is_blocking and deadline is not None:
                self._wait(select.POLLIN, deadline, waiting_for)
            try:
                count = os.readv(self.fd, parts)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline, waiting_for)
                continue
            except ConnectionResetError:
                count = 0
            if count == 0:
                msg = "the peer closed the channel"
                raise PeerClosedError(msg, mid_frame=mid_frame)
            return count

    def _wait(self, event: int, deadline: float | None, what: str) -> None:
        self._poller.register(self.fd, event)
        left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not self._poller.poll(left_ms):
            msg = f"the peer {what} in time"
            raise FrameDeadlineError(msg)


def _after(parts: list[memoryview], count: int) -> list[memoryview]:
    """Return the views that remain after their first `count` bytes were transferred."""
    left = list(parts)
    while count and left:
        taken = min(count, left[0].nbytes)
        count -= taken
        left[0] = left[0][taken:]
        if not left[0].nbytes:
            left.pop(0)
    return left
