"""The trace of an attempt: one entry per query, with digests for comparison by a replay."""

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
    """One query. In a replay, another `request` is due to the solver, another `response` to the platform.

    Attributes:
        calls: calls charged so far, including this query.
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
    """Return the SHA-256 (hex) over every field of a query and the contents of its handles.

    Args:
        request: the query.
        handles: digests of its placed prompt and its wording, so that queries with equal values and
            different bases differ.
    """
    # Integers, strings and None: `repr` is unambiguous.
    digest = hashlib.sha256(repr(_asked(request)).encode())
    _add_array(digest, request.values)
    for handle in handles:
        digest.update(handle.encode())
    return digest.hexdigest()


def response_digest(response: Response) -> str:
    """Return the SHA-256 (hex) over the outputs present."""
    digest = hashlib.sha256()
    for name, value in filled(response).items():
        digest.update(name.encode())
        _add_array(digest, value)
    return digest.hexdigest()
