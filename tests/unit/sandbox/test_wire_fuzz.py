"""Whatever bytes arrive, the host sees a frame or a FrameError, and never allocates what was not sent."""

import contextlib
import socket

from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.sandbox.wire.arrays import decode_arrays
from harness.sandbox.wire.frames import Channel, Frame, FrameError, FrameType, decode_meta, encode_meta
from harness.sandbox.wire.messages import QueryMessage, SolutionMessage, WordingMessage, read_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ALL = frozenset(FrameType)


@given(st.binary(max_size=200))
def test_meta_any_bytes_give_object_or_frame_error(data):
    with contextlib.suppress(FrameError):
        assert isinstance(decode_meta(data), dict)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_meta_any_object_round_trips_or_is_refused(meta):
    try:
        encoded = encode_meta(meta)
        assert decode_meta(encoded) == meta
    except FrameError:
        pass


@settings(max_examples=examples(50))
@given(st.binary(max_size=100), st.booleans())
def test_channel_any_bytes_give_frame_or_frame_error(data, has_header):
    near, far = socket.socketpair()
    with near, far:
        near.sendall((b"GFA1" if has_header else b"") + data)
        near.shutdown(socket.SHUT_WR)
        with contextlib.suppress(FrameError):
            Channel(far.fileno(), inbound_bytes=10_000).receive(ALL, frame_s=5)


@given(st.dictionaries(st.sampled_from(["layer", "split", "arrays", "outputs", "template", "words"]), JSON))
def test_messages_any_meta_gives_message_or_frame_error(meta):
    for model in (QueryMessage, SolutionMessage, WordingMessage):
        with contextlib.suppress(FrameError):
            read_message(model, Frame(FrameType.QUERY, 1, meta, bytearray()))


@given(st.dictionaries(st.text(), JSON))
@example({"\x1b]0;owned\x07\x00" * 4000: 1})
def test_messages_any_further_key_gives_a_frame_error_that_people_may_read(further):
    good = {"layer": None, "base": None, "split": "train", "wording": 0, "outputs": [], "arrays": []}
    try:
        read_message(QueryMessage, Frame(FrameType.QUERY, 1, further | good, bytearray()))
    except FrameError as error:
        assert str(error).isprintable()  # noqa: PT017 - no error is right as well
        assert len(str(error)) < 1000  # noqa: PT017


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from("abc"),
                "dtype": st.sampled_from(["<f4", "<i8", "|b1", "|O", ""]),
                "shape": st.lists(st.integers(-2, 1 << 40), max_size=10),
            }
        ),
        max_size=4,
    ),
    st.binary(max_size=64),
)
def test_arrays_any_spec_gives_arrays_of_the_payload_or_frame_error(specs, payload):
    try:
        arrays = decode_arrays(specs, bytearray(payload))
    except FrameError:
        return
    assert sum(array.nbytes for array in arrays.values()) <= len(payload)
