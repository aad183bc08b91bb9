"""The trace of an attempt: one line per query, with digests that a replay can compare."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np

from harness.api.outputs import Response, filled
from harness.records import Array, QueryRequest

__all__ = ["TraceEntry", "array_digest", "request_digest", "response_digest"]

_asked = attrgetter(*(item.name for item in fields(QueryRequest) if item.name != "values"))


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One query: a replay that first differs in `request` blames the solver, in `response` the device.

    Attributes:
        calls: charged so far, this query included.
        request: SHA-256 (hex) of the query.
        response: SHA-256 (hex) of the outputs.
    """

    calls: int
    request: str
    response: str


def array_digest(array: Array) -> bytes:
    """Return the SHA-256 over dtype, shape and little-endian bytes."""
    digest = hashlib.sha256()
    _add_array(digest, array)
    return digest.digest()


def _add_array(digest: "hashlib._Hash", array: Array) -> None:
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest.update(f"{plain.dtype.str}{plain.shape}".encode())
    digest.update(plain.data if plain.size else b"")


def request_digest(request: QueryRequest, handles: Sequence[str] = ()) -> str:
    """Return the SHA-256 (hex) over every field of a query, and over what its handles stand for.

    Args:
        request: the query.
        handles: digests of the placed prompt and of the wording that it names: two queries with the same
            numbers but another base are not the same question.
    """
    # Whole numbers, text and None: what they print as is what they are.
    digest = hashlib.sha256(repr(_asked(request)).encode())
    _add_array(digest, request.values)
    for handle in handles:
        digest.update(handle.encode())
    return digest.hexdigest()


def response_digest(response: Response) -> str:
    """Return the SHA-256 (hex) over the outputs that were filled."""
    digest = hashlib.sha256()
    for name, value in filled(response).items():
        digest.update(name.encode())
        _add_array(digest, value)
    return digest.hexdigest()
