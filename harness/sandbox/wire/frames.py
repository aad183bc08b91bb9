"""The wire between the harness and a solver process: framed messages over one socket pair.

A frame is a 24-byte header, JSON meta of at most 64 KiB and a payload of raw little-endian
arrays (`harness.sandbox.wire.arrays`). Lengths are checked before anything is allocated, every frame
has a deadline from its first to its last byte, the receiver names the frame types that it
accepts in its state, and sequence numbers rise by one. Bytes move by `readv`/`writev` only:
`recvmsg` could be handed file descriptors.

Shared by both sides, so standard library only; the sandboxed process needs it before it has
given up its privileges.
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
"""A larger query must be split; the client says so before it sends."""
FRAME_S = 60.0
"""Longest time from a frame's first byte to its last, in either direction."""

_HEADER = struct.Struct("<4sBBHIIQ")  # magic, type, flags, reserved, seq, meta_len, payload_len
_MAGIC = b"GFA1"
_INT_DIGITS = 19
_MAX_PARTS = 64
"""Views written by one system call; the kernel takes 1024 at most."""


class FrameType(IntEnum):
    """What a frame is; a receiver accepts only the types of its state."""

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
    """What an ERROR or REFUSED frame says went wrong. Plain strings: the child has no pydantic."""

    EXCEPTION = "exception"
    MEMORY = "memory"
    BUDGET = "budget"
    INVALID = "invalid"
    SOLUTION = "solution"
    LOAD = "load"
    EXIT = "exit"


class FrameError(Exception):
    """The peer broke the wire format."""


class FrameDeadlineError(FrameError):
    """The peer took too long over one frame, or over the first byte where a limit was set."""


class PeerClosedError(FrameError):
    """The peer is gone. `mid_frame` tells whether it left a frame unfinished."""

    def __init__(self, message: str, *, mid_frame: bool) -> None:
        """Keep whether a frame was cut short."""
        super().__init__(message)
        self.mid_frame = mid_frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        type: what it is.
        seq: number of the request; a reply carries its request's.
        meta: the JSON object, keys not yet checked; not to be changed: the same object stands for the same
            bytes in the frame before.
        payload: raw bytes, writable, so that arrays over it are.
    """

    type: FrameType
    seq: int
    meta: dict[str, Any]
    payload: bytearray


def _refuse_constant(name: str) -> NoReturn:
    msg = f"meta holds {name}, which is not JSON"
    raise FrameError(msg)


def _bounded_int(digits: str) -> int:
    if len(digits) > _INT_DIGITS:
        msg = f"meta holds an integer of {len(digits)} digits, at most {_INT_DIGITS}"
        raise FrameError(msg)
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "meta holds a key twice"
        raise FrameError(msg)
    return found


# Made once: `json.dumps` and `json.loads` would make new ones for every frame.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_bounded_int
).decode


def encode_meta(meta: dict[str, Any]) -> bytes:
    """Return the meta's bytes.

    Raises:
        FrameError: longer than `META_MAX_BYTES`, or not JSON.
    """
    try:
        data = _encode(meta).encode()
    except (TypeError, ValueError) as error:
        msg = f"meta is not JSON: {error}"
        raise FrameError(msg) from error
    if len(data) > META_MAX_BYTES:
        msg = f"meta has {len(data)} bytes, at most {META_MAX_BYTES}"
        raise FrameError(msg)
    return data


def decode_meta(data: bytes | bytearray) -> dict[str, Any]:
    """Parse strict JSON: one object, no duplicate key, no NaN, no huge integer, valid UTF-8.

    Raises:
        FrameError: anything else.
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
    """One end of the socket pair. Not thread-safe: the caller holds a lock where it must."""

    def __init__(self, fd: int, *, inbound_bytes: int | None = None) -> None:
        """Take over an open descriptor.

        Args:
            fd: blocking or not, which must not change; the caller closes it.
            inbound_bytes: budget over the channel's life for what is received; None: unlimited.
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
            payload: contiguous byte views, written one after the other.
            frame_s: seconds until a peer that does not read is given up; None: wait for ever.

        Raises:
            FrameError: too large, or not JSON.
            FrameDeadlineError: the peer did not read in time.
            PeerClosedError: the peer is gone.
        """
        body = encode_meta(meta)
        size = sum([part.nbytes for part in payload])
        if size > PAYLOAD_MAX_BYTES:
            msg = f"payload has {size} bytes, at most {PAYLOAD_MAX_BYTES}"
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
            allowed: the types that the caller's state accepts.
            idle_s: seconds until the first byte; None: wait for ever.
            frame_s: seconds from the first byte to the last; None: wait for ever.
            expect_seq: the only sequence number accepted; None: any.

        Raises:
            FrameDeadlineError: one of the two limits passed.
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
        """Say whether there is something to be read, the peer's end included, without waiting."""
        self._poller.register(self.fd, select.POLLIN)
        return bool(self._poller.poll(0))

    def _decode(self, data: bytes) -> dict[str, Any]:
        """Parse a frame's meta, or return the last one's if it has the same bytes: most queries repeat it."""
        if data != self._last_meta[0]:
            self._last_meta = (data, decode_meta(data))
        return self._last_meta[1]

    def _check_lengths(self, meta_len: int, payload_len: int) -> None:
        """Before allocating anything."""
        if meta_len > META_MAX_BYTES:
            msg = f"frame announces {meta_len} bytes of meta, at most {META_MAX_BYTES}"
            raise FrameError(msg)
        if payload_len > PAYLOAD_MAX_BYTES:
            msg = f"frame announces {payload_len} bytes of payload, at most {PAYLOAD_MAX_BYTES}"
            raise FrameError(msg)
        self.received_bytes += _HEADER.size + meta_len + payload_len
        if self._inbound_bytes is not None and self.received_bytes > self._inbound_bytes:
            msg = f"more than the {self._inbound_bytes} bytes that one attempt may send"
            raise FrameError(msg)

    def _read_all(self, parts: list[memoryview], deadline: float | None) -> None:
        while parts:
            parts = _after(parts, self._read_some(parts, deadline, mid_frame=True))
            # Looked at even while there is always another byte: a slow peer must not renew its time.
            if parts and deadline is not None and time.monotonic() > deadline:
                msg = "the peer did not finish a frame in time"
                raise FrameDeadlineError(msg)

    def _read_some(self, parts: list[memoryview], deadline: float | None, *, mid_frame: bool) -> int:
        """Read at least one byte into the parts; waits only where nothing is there yet."""
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
    """Return the views that are left when their first `count` bytes have moved."""
    left = list(parts)
    while count and left:
        taken = min(count, left[0].nbytes)
        count -= taken
        left[0] = left[0][taken:]
        if not left[0].nbytes:
            left.pop(0)
    return left
