import os
import socket
import struct
import threading
import time

import numpy as np
import pytest

from harness.sandbox.wire.arrays import DTYPES, decode_arrays, encode_arrays
from harness.sandbox.wire.frames import (
    META_MAX_BYTES,
    PAYLOAD_MAX_BYTES,
    Channel,
    FrameDeadlineError,
    FrameError,
    FrameType,
    PeerClosedError,
    decode_meta,
    encode_meta,
)

QUERY = frozenset({FrameType.QUERY})


@pytest.fixture
def pair():
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def header(magic=b"GFA1", kind=19, flags=0, reserved=0, seq=1, meta_len=2, payload_len=0):
    return struct.pack("<4sBBHIIQ", magic, kind, flags, reserved, seq, meta_len, payload_len)


def test_frame_large_payload_round_trips(pair):
    a, b = (Channel(end.fileno()) for end in pair)
    arrays = {"x": np.arange(300_000, dtype=np.float32), "y": np.zeros((2, 0), np.int64)}
    specs, payload = encode_arrays(arrays)
    sender = threading.Thread(target=a.send, args=(FrameType.QUERY, 7, {"arrays": specs, "t": "ü"}, payload))
    sender.start()
    frame = b.receive(QUERY, frame_s=10, expect_seq=7)
    sender.join()
    decoded = decode_arrays(frame.meta["arrays"], frame.payload)
    assert frame.meta["t"] == "ü"
    np.testing.assert_array_equal(decoded["x"], arrays["x"])
    assert decoded["y"].shape == (2, 0)
    assert decoded["x"].flags.writeable
    assert b.received_bytes == 24 + len(encode_meta(frame.meta)) + len(frame.payload)


@pytest.mark.parametrize("blocking", [True, False])
def test_frame_that_drips_for_ever_meets_its_deadline(pair, blocking):
    pair[1].setblocking(blocking)
    receiver, over = Channel(pair[1].fileno()), threading.Event()
    pair[0].sendall(header(meta_len=60_000))

    def drip():
        while not over.wait(0.002):
            pair[0].send(b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(FrameDeadlineError, match="did not finish"):
            receiver.receive(QUERY, frame_s=0.2)
    finally:
        over.set()
        dripping.join()


def test_frame_that_always_has_a_byte_ready_meets_its_deadline(pair, monkeypatch):
    pair[1].setblocking(False)
    pair[0].sendall(header(meta_len=60_000) + b" " * 50_000)
    real = os.readv
    monkeypatch.setattr(os, "readv", lambda fd, parts: (time.sleep(0.01), real(fd, [parts[0][:1]]))[1])
    with pytest.raises(FrameDeadlineError, match="did not finish"):
        Channel(pair[1].fileno()).receive(QUERY, frame_s=0.5)


def test_frame_repeated_meta_is_parsed_once_and_another_anew(pair):
    a, b = (Channel(end.fileno()) for end in pair)
    for meta in ({"n": 1}, {"n": 1}, {"n": 2}):
        a.send(FrameType.QUERY, 1, meta)
    one, same, other = (b.receive(QUERY).meta for _ in range(3))
    assert same is one
    assert (one, other) == ({"n": 1}, {"n": 2})


def test_frame_without_meta_is_refused_even_as_the_first(pair):
    pair[0].sendall(header(meta_len=0))
    with pytest.raises(FrameError, match="not strict JSON"):
        Channel(pair[1].fileno()).receive(QUERY)


def test_frame_header_has_24_bytes(pair):
    Channel(pair[0].fileno()).send(FrameType.QUERY, 1, {})
    assert len(pair[1].recv(100)) == 24 + len(b"{}")


@pytest.mark.parametrize(
    "data",
    [
        header(magic=b"EVIL") + b"{}",
        header(kind=4) + b"{}",
        header(kind=250) + b"{}",
        header(flags=1) + b"{}",
        header(reserved=1) + b"{}",
        header(seq=2) + b"{}",
        header(meta_len=META_MAX_BYTES + 1),
        header(payload_len=PAYLOAD_MAX_BYTES + 1),
        header(payload_len=1 << 63),
        header(payload_len=2000),
        header() + b"[]",
    ],
)
def test_frame_malformed_is_refused_without_allocating(pair, data):
    pair[0].sendall(data)
    channel = Channel(pair[1].fileno(), inbound_bytes=1000)
    with pytest.raises(FrameError):
        channel.receive(QUERY, frame_s=5, expect_seq=1)


def test_frame_inbound_budget_counts_all_frames(pair):
    sender, channel = Channel(pair[0].fileno()), Channel(pair[1].fileno(), inbound_bytes=60)
    for seq in range(3):
        sender.send(FrameType.QUERY, seq, {})
    channel.receive(QUERY)
    channel.receive(QUERY)
    with pytest.raises(FrameError, match="60 bytes"):
        channel.receive(QUERY)


def test_frame_peer_gone_tells_where(pair):
    channel = Channel(pair[1].fileno())
    pair[0].sendall(header()[:5])
    pair[0].shutdown(socket.SHUT_RDWR)
    with pytest.raises(PeerClosedError) as caught:
        channel.receive(QUERY)
    assert caught.value.mid_frame
    with pytest.raises(PeerClosedError) as caught:
        channel.receive(QUERY)
    assert not caught.value.mid_frame


def test_frame_slow_sender_meets_deadline(pair):
    pair[0].sendall(header())
    with pytest.raises(FrameDeadlineError, match="did not finish"):
        Channel(pair[1].fileno()).receive(QUERY, frame_s=0.05)


def test_frame_silent_sender_meets_idle_limit(pair):
    with pytest.raises(FrameDeadlineError, match="sent nothing"):
        Channel(pair[1].fileno()).receive(QUERY, idle_s=0.05)


def test_frame_peer_that_does_not_read_meets_deadline(pair):
    pair[0].setblocking(False)
    big = [memoryview(bytes(4 << 20))]
    with pytest.raises(FrameDeadlineError, match="did not read"):
        Channel(pair[0].fileno()).send(FrameType.REPLY, 1, {}, big, frame_s=0.05)


def test_frame_too_large_to_send_is_refused_before_a_byte(pair):
    channel = Channel(pair[0].fileno())
    with pytest.raises(FrameError, match="meta has"):
        channel.send(FrameType.REPLY, 1, {"x": "y" * META_MAX_BYTES})
    with pytest.raises(FrameError, match="payload has"):
        channel.send(FrameType.REPLY, 1, {}, [memoryview(bytearray(PAYLOAD_MAX_BYTES)), memoryview(b"x")])
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        os.read(pair[1].fileno(), 1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b'{"a":1,"a":1}',
        b'{"x":{"a":1,"a":2}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":' + b"9" * 20 + b"}",
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 60000 + b"]" * 60000 + b"}",
        b"{} {}",
    ],
)
def test_meta_not_strict_json_is_refused(text):
    with pytest.raises(FrameError):
        decode_meta(text)


def test_meta_nan_is_not_sent():
    with pytest.raises(FrameError):
        encode_meta({"a": float("nan")})


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_every_type_round_trips(dtype):
    arrays = {"a": np.ones((3, 5), dtype), "b": np.array(1, dtype), "c": np.ones((4, 6), dtype)[:, ::2].T}
    specs, parts = encode_arrays(arrays)
    decoded = decode_arrays(specs, bytearray(b"".join(parts)))
    for name, array in arrays.items():
        np.testing.assert_array_equal(decoded[name], array)
        assert decoded[name].dtype == array.dtype


def test_arrays_big_endian_becomes_little():
    specs, parts = encode_arrays({"a": np.array([1.5, 2], ">f8")})
    assert specs[0]["dtype"] == "<f8"
    assert b"".join(parts) == np.array([1.5, 2], "<f8").tobytes()


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([1j]), np.zeros((1,) * 9)])
def test_arrays_unlisted_kind_is_refused(array):
    with pytest.raises(FrameError, match="'a'"):
        encode_arrays({"a": array})


@pytest.mark.parametrize(
    ("specs", "size"),
    [
        ([{"name": "a", "dtype": "<f4", "shape": [2]}], 16),
        ([{"name": "a", "dtype": "<f4", "shape": [4]}], 8),
        ([{"name": "a", "dtype": "<f4", "shape": [-2]}], 8),
        ([{"name": "a", "dtype": "<f4", "shape": [True, 2]}], 8),
        ([{"name": "a", "dtype": "<f4", "shape": [2.0]}], 8),
        ([{"name": "a", "dtype": "|O", "shape": [1]}], 8),
        ([{"name": "a", "dtype": "<f4", "shape": [0, 2**28, 2**28, 2**28]}], 0),
        ([{"name": "a", "dtype": "<f4", "shape": [2**28, 2**28]}], 0),
        ([{"name": "a", "dtype": "<f4", "shape": [2]}] * 2, 16),
        ([{"name": str(n), "dtype": "<f4", "shape": [0]} for n in range(65)], 0),
        ([{"name": "a", "dtype": "<f4", "shape": [1] * 9}], 8),
    ],
)
def test_arrays_dishonest_spec_is_refused(specs, size):
    with pytest.raises(FrameError):
        decode_arrays(specs, bytearray(size))


def test_arrays_bool_of_another_value_is_refused():
    with pytest.raises(FrameError, match="neither 0 nor 1"):
        decode_arrays([{"name": "a", "dtype": "|b1", "shape": [8]}], bytearray([2] * 8))
