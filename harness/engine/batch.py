"""A block of the plan, padded and on the device."""

from dataclasses import dataclass

import numpy as np
import torch

from harness.engine.encode import EncodedSplit
from harness.engine.plan import Block
from harness.records import IntArray

__all__ = ["Batch", "load_batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples padded to one length.

    Attributes:
        members: int64 (n,), positions within the query's rows.
        ids: int64 (n, T), padded.
        real: bool (n, T), True at real tokens.
        read: int64 (n,), read positions.
        is_padded: some token is not real.
    """

    members: IntArray
    ids: torch.Tensor
    real: torch.Tensor
    read: torch.Tensor
    is_padded: bool

    def mask(self, n_candidates: int) -> torch.Tensor | None:
        """Return the attention mask (G * n, 1, 1, T), or None where nothing is padding."""
        return self.real[:, None, None, :].repeat(n_candidates, 1, 1, 1) if self.is_padded else None


def load_batch(encoded: EncodedSplit, chosen: IntArray, block: Block, *, pad_id: int, device: str) -> Batch:
    """Pad the examples of a block and move them to the device.

    Args:
        encoded: the split.
        chosen: the query's rows, in its order.
        block: which of them.
        pad_id: fills up to the block's width.
        device: the profile's.
    """
    rows = chosen[block.members]
    ids = np.full((len(rows), block.width), pad_id, dtype=np.int64)
    for number, row in enumerate(rows):
        example = encoded.example_ids(int(row))
        ids[number, : len(example)] = example
    lengths = (encoded.offsets[rows + 1] - encoded.offsets[rows])[:, None]
    real = np.arange(block.width) < lengths
    return Batch(
        members=block.members,
        ids=torch.tensor(ids, device=device),
        real=torch.tensor(real, device=device),
        read=torch.tensor(encoded.read_positions[rows], device=device),
        is_padded=not bool(real.all()),
    )
