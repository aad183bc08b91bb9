"""The execution plan of a query: a pure function of lengths, candidates and the profile."""

from dataclasses import dataclass

import numpy as np

from harness.records import IntArray

__all__ = ["BUCKET_TOKENS", "Block", "Plan", "plan_query"]

BUCKET_TOKENS = 32
"""Examples share a block only if their lengths fall into the same bucket of this width."""


@dataclass(frozen=True, slots=True)
class Block:
    """Examples that are padded to one length.

    Attributes:
        members: int64 (n,), positions within the query's rows.
        width: length of the longest member: T of the block.
    """

    members: IntArray
    width: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Which examples and which candidates run together.

    Attributes:
        blocks: every example of the query in exactly one block.
        groups: consecutive slices of the candidates; a group runs through all blocks, layer by
            layer, before the next one starts.
    """

    blocks: tuple[Block, ...]
    groups: tuple[slice, ...]


def plan_query(lengths: IntArray, n_candidates: int, chunk_tokens: int) -> Plan:
    """Plan a query so that neither a step nor a group holds more than `chunk_tokens` tokens.

    Only a single example that is longer, or a single candidate on many examples, exceeds it:
    the first as a block of its own, the second as a group of one.

    Args:
        lengths: int64 (B,), real tokens of the query's rows.
        n_candidates: P.
        chunk_tokens: the profile's.
    """
    order = np.argsort(lengths, kind="stable")
    blocks: list[Block] = []
    start = 0
    for stop in range(1, len(order) + 1):
        if stop < len(order):
            width = int(lengths[order[stop]])
            same_bucket = (width - 1) // BUCKET_TOKENS == (int(lengths[order[start]]) - 1) // BUCKET_TOKENS
            if same_bucket and width * (stop + 1 - start) <= chunk_tokens:
                continue
        blocks.append(Block(order[start:stop], int(lengths[order[stop - 1]])))
        start = stop
    padded = sum(block.width * len(block.members) for block in blocks)
    size = max(1, chunk_tokens // padded)
    groups = tuple(slice(first, min(first + size, n_candidates)) for first in range(0, n_candidates, size))
    return Plan(tuple(blocks), groups)
