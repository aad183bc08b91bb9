"""The input of the first layer: word vectors, positions, norm."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from harness.engine.layers.layer import Transform
from harness.engine.packing import Packing

__all__ = ["Embeddings", "unchanged"]


def unchanged(states: torch.Tensor) -> torch.Tensor:
    """Return the states unchanged; used where a family has no norm."""
    return states


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Word vectors, positions and norm.

    Attributes:
        words: (vocabulary, D).
        scale: factor of the word vectors.
        positions: (positions, D), from position 0 on; None if the layers add positions.
        norm: norm of the sum.
        segment: (D,), added to every word vector; None without segments.
    """

    words: torch.Tensor
    positions: torch.Tensor | None
    norm: Transform = unchanged
    scale: float = 1.0
    segment: torch.Tensor | None = None

    def look_up(self, ids: torch.Tensor) -> torch.Tensor:
        """Return word vectors: int64 (N,) to (N, D)."""
        vectors = functional.embedding(ids, self.words)
        return vectors if self.scale == 1.0 else vectors * self.scale

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Compute the input of layer 0 from word vectors, both (N, D)."""
        if self.positions is None:
            return self.norm(words)
        states = words.clone() if self.segment is None else words + self.segment
        for run in packing.runs:
            states[run.tokens].view(run.n_inputs, run.length, -1).add_(self.positions[: run.length])
        return self.norm(states)
