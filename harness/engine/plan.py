"""The execution plan of a query: a pure function of lengths, candidates and the profile."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.records import IntArray

__all__ = ["Plan", "Wave", "plan_query"]


@dataclass(frozen=True, slots=True)
class Wave:
    """Examples that run together; consecutive in order of length.

    Attributes:
        members: int64 (n,), positions within the query's rows.
        tokens: their slice of the query's tokens, with the examples concatenated shortest first.
    """

    members: IntArray
    tokens: slice


@dataclass(frozen=True, slots=True)
class Plan:
    """Grouping of examples and candidates: every wave runs for every group.

    Attributes:
        waves: each example of the query is in exactly one.
        groups: consecutive slices of the candidates, of nearly equal size.
    """

    waves: tuple[Wave, ...]
    groups: tuple[slice, ...]


def plan_query(lengths: IntArray, n_candidates: int, chunk_tokens: int) -> Plan:
    """Plan a query so that no forward step holds more than `chunk_tokens` tokens.

    As many candidates as possible run together, then as many examples as fit. Only a single example
    that is longer than the bound exceeds it.

    Args:
        lengths: int64 (B,), tokens of the query's rows.
        n_candidates: P.
        chunk_tokens: the profile's.
    """
    order = np.argsort(lengths, kind="stable")
    most = max(1, chunk_tokens // int(lengths.max()))
    n_groups = -(-n_candidates // most)
    edges = [n_candidates * number // n_groups for number in range(n_groups + 1)]
    groups = tuple(slice(first, last) for first, last in pairwise(edges))
    room = chunk_tokens // max(group.stop - group.start for group in groups)
    waves: list[Wave] = []
    ends = np.cumsum(lengths[order])
    start, before = 0, 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(ends, before + room, side="right")))
        waves.append(Wave(order[start:stop], slice(before, int(ends[stop - 1]))))
        start, before = stop, int(ends[stop - 1])
    return Plan(tuple(waves), groups)
