"""Encode and decode named arrays: listed types, raw little-endian, each padded to eight bytes.

Pickle and object arrays are not supported. The receiver computes every array's size from its
declared type and shape and requires the exact byte count. Both sides import this module, so it
needs numpy only.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from harness.records import Array
from harness.sandbox.wire.frames import PAYLOAD_MAX_BYTES, FrameError

__all__ = [
    "DTYPES",
    "MAX_ARRAYS",
    "ArraySpec",
    "PayloadLayout",
    "arrays_in",
    "decode_arrays",
    "encode_arrays",
    "layout_of",
]

DTYPES = {
    name: np.dtype(name)
    for name in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
}
"""Wire name -> numpy type: no strings, complex numbers or objects."""

MAX_ARRAYS = 64
_MAX_NDIM = 8
_ALIGN = 8


class ArraySpec(TypedDict):
    """The description of one array in a frame's meta."""

    name: str
    dtype: str
    shape: list[int]


def _padding(size: int) -> int:
    return -size % _ALIGN


def encode_arrays(arrays: Mapping[str, Array]) -> tuple[list[ArraySpec], list[memoryview]]:
    """Return the specs for the meta and the byte views for the payload.

    Raises:
        FrameError: too many arrays, or a type or rank that the wire format does not allow.
    """
    if len(arrays) > MAX_ARRAYS:
        msg = f"too many arrays: got {len(arrays)}, expected at most {MAX_ARRAYS}"
        raise FrameError(msg)
    specs: list[ArraySpec] = []
    parts: list[memoryview] = []
    for name, array in arrays.items():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype.str not in DTYPES or little.ndim > _MAX_NDIM:
            msg = (
                f"array {name!r} has type {array.dtype} and {array.ndim} dimensions; expected bool, int, "
                f"unsigned or float16/32/64, and at most {_MAX_NDIM}"
            )
            raise FrameError(msg)
        flat = np.ascontiguousarray(little).reshape(-1).view(np.uint8)
        specs.append({"name": name, "dtype": little.dtype.str, "shape": list(little.shape)})
        parts.append(flat.data)
        parts.append(memoryview(bytes(_padding(flat.nbytes))))
    return specs, parts


@dataclass(frozen=True, slots=True)
class PayloadLayout:
    """The position of each described array in a payload.

    Attributes:
        places: per array its name, type, shape, number of elements and first byte.
        n_bytes: size of all arrays with their padding.
    """

    places: tuple[tuple[str, np.dtype[Any], tuple[int, ...], int, int], ...]
    n_bytes: int


def layout_of(specs: Iterable[ArraySpec]) -> PayloadLayout:
    """Compute where each array lies, without allocating anything.

    Raises:
        FrameError: a duplicate name, an unlisted type, or a bad dimension.
    """
    places: dict[str, tuple[str, np.dtype[Any], tuple[int, ...], int, int]] = {}
    offset = 0
    for spec in specs:
        name, shape = spec["name"], tuple(spec["shape"])
        dtype = DTYPES.get(spec["dtype"])
        if name in places or len(places) == MAX_ARRAYS or dtype is None or len(shape) > _MAX_NDIM:
            msg = f"array {name!r} is a duplicate, exceeds {MAX_ARRAYS} arrays, or has an unlisted type or rank"
            raise FrameError(msg)
        if any(type(n) is not int or not 0 <= n <= PAYLOAD_MAX_BYTES for n in shape):
            msg = f"array {name!r} has a dimension outside 0..{PAYLOAD_MAX_BYTES}"
            raise FrameError(msg)
        # Non-zero dimensions only: numpy rejects (0, 2**28, 2**28, ...) with its own error.
        if math.prod(n for n in shape if n) > PAYLOAD_MAX_BYTES:
            msg = f"array {name!r} is too large"
            raise FrameError(msg)
        count = math.prod(shape)
        places[name] = (name, dtype, shape, count, offset)
        size = count * dtype.itemsize
        offset += size + _padding(size)
    return PayloadLayout(tuple(places.values()), offset)


def arrays_in(payload: bytearray, layout: PayloadLayout) -> dict[str, Array]:
    """Return views over the payload.

    Raises:
        FrameError: its length differs from the layout's, or a bool is not 0 or 1.
    """
    if layout.n_bytes != len(payload):
        msg = f"payload has {len(payload)} bytes, expected {layout.n_bytes} for its arrays"
        raise FrameError(msg)
    arrays: dict[str, Array] = {}
    for name, dtype, shape, count, offset in layout.places:
        array: Array = (
            np.frombuffer(payload, dtype=dtype, count=count, offset=offset).reshape(shape)
            if count
            else np.empty(shape, dtype=dtype)
        )
        if dtype.kind == "b" and count and array.view(np.uint8).max() > 1:
            msg = f"array {name!r} holds a bool that is neither 0 nor 1"
            raise FrameError(msg)
        arrays[name] = array
    return arrays


def decode_arrays(specs: Iterable[ArraySpec], payload: bytearray) -> dict[str, Array]:
    """Return views over the payload, each of exactly the described size.

    Raises:
        FrameError: as `layout_of` and `arrays_in`.
    """
    return arrays_in(payload, layout_of(specs))
