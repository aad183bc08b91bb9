"""What the engine needs to know of a model family. Shape letters: `harness.records`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

__all__ = ["Family", "SpecialIds"]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Token ids that frame an input.

    Attributes:
        start: ids before the prompt positions.
        end: ids after the last template piece.
        mask: the id at the read position.
        pad: fills a batch; never attended to.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    mask: int
    pad: int


class Family(Protocol):
    """A language model as a chain: word vectors, L steps (the last one at the read position only), head.

    A forward pass is ``begin(words(ids))``, then for every layer l the deep prompt of l is added
    at the prompt positions and ``step(l, ...)`` runs, except for the last layer, where
    ``finish(...)`` runs: the last layer and whatever else leads to the read position.
    ``head`` and ``columns`` turn that state into logits of single tokens.

    N stands for P * B or B, whichever is being run.
    """

    @property
    def name(self) -> str:
        """The family, for instance "roberta"."""
        ...

    @property
    def n_layers(self) -> int:
        """L, the layers that take a prompt."""
        ...

    @property
    def hidden_size(self) -> int:
        """D."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest input, prompt and special tokens included."""
        ...

    @property
    def prompt_start(self) -> int:
        """First prompt position; the prompt takes M positions from here."""
        ...

    @property
    def word_embeddings(self) -> torch.Tensor:
        """The word-embedding matrix, (vocabulary, D)."""
        ...

    def words(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up word vectors: int64 (N, T) to (N, T, D)."""
        ...

    def begin(self, words: torch.Tensor) -> torch.Tensor:
        """Turn word vectors into the input of layer 0, both (N, T, D)."""
        ...

    def step(self, layer: int, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Run one layer, (N, T, D) to (N, T, D).

        Args:
            layer: 0 <= layer < L - 1.
            states: the layer's input, its prompt already added.
            mask: bool (N, 1, 1, T), True at real tokens; None when there is no padding.
        """
        ...

    def finish(self, states: torch.Tensor, mask: torch.Tensor | None, read: torch.Tensor) -> torch.Tensor:
        """Run the last layer for one position per input: (N, T, D) and int64 (N,) to (N, D)."""
        ...

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Transform features (N, D) as the LM head does before it scores the vocabulary."""
        ...

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens: the output of `head` (N, D) to logits (N, len(token_ids))."""
        ...

    def layer_modules(self) -> Sequence[Any]:
        """Return the L layer modules of the transformers model: `reference.py` hooks them."""
        ...
