"""The interface of a model family. Shape letters: `harness.records`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from harness.engine.layers.decoder import DecoderInput
from harness.engine.packing import Packing

__all__ = ["Family", "SpecialIds"]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the special tokens of an input.

    Attributes:
        start: ids before the prompt positions.
        end: ids after the template.
        mask: the id at the read position; None if the last token is read.
        pad: padding id; never attended to.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    mask: int | None
    pad: int

    @property
    def all_ids(self) -> frozenset[int]:
        """All of these ids."""
        masks = () if self.mask is None else (self.mask,)
        return frozenset({*self.start, *self.end, *masks, self.pad})


class Family(Protocol):
    """A language model as a chain: word vectors, L layers (the last at the read position only), head.

    A forward pass is ``begin(words(ids))``, then for each layer l the deep prompt of l is added at
    the prompt positions and ``step(l, ...)`` runs; for the last layer ``finish(...)`` runs instead.
    ``head`` and ``columns`` compute logits of single tokens from its result.

    N is the number of tokens of a `Packing`. All states are in the type of the weights.
    """

    @property
    def name(self) -> str:
        """The family's name in `ADAPTERS`."""
        ...

    @property
    def n_layers(self) -> int:
        """L, the number of layers with a prompt."""
        ...

    @property
    def hidden_size(self) -> int:
        """D."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, including prompt and special tokens."""
        ...

    @property
    def prompt_start(self) -> int:
        """First of the M prompt positions."""
        ...

    @property
    def word_embeddings(self) -> torch.Tensor:
        """The word-embedding matrix, (vocabulary, D)."""
        ...

    def words(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up word vectors: int64 (N,) to (N, D)."""
        ...

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Compute the input of layer 0 from word vectors, both (N, D)."""
        ...

    def step(self, layer: int, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run one layer, (N, D) to (N, D).

        Args:
            layer: 0 <= layer < L - 1.
            states: the layer's input with its prompt added.
            packing: layout of the inputs.
        """
        ...

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the last layer at the read position of each input: (N, D) to (inputs, D)."""
        ...

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Apply the part of the LM head before the vocabulary map to features (inputs, D)."""
        ...

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens: the output of `head` to float32 logits (inputs, len(token_ids))."""
        ...

    def decoder_input(self) -> DecoderInput | None:
        """Return the decoder's input tokens of an encoder-decoder, for `reference.py`; else None."""
        ...

    def layer_modules(self) -> Sequence[Any]:
        """Return the L layer modules of the transformers model, for the hooks of `reference.py`."""
        ...
