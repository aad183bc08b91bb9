"""What the engine needs to know of a model family. Shape letters: `harness.records`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from harness.engine.layers.decoder import DecoderInput
from harness.engine.packing import Packing

__all__ = ["Family", "SpecialIds"]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Token ids that frame an input.

    Attributes:
        start: ids before the prompt positions.
        end: ids after the last template piece.
        mask: the id at the read position; None where the last token is read.
        pad: fills a batch; never attended to.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    mask: int | None
    pad: int

    @property
    def all_ids(self) -> frozenset[int]:
        """Every one of them."""
        masks = () if self.mask is None else (self.mask,)
        return frozenset({*self.start, *self.end, *masks, self.pad})


class Family(Protocol):
    """A language model as a chain: word vectors, L steps (the last one at the read position only), head.

    A forward pass is ``begin(words(ids))``, then for every layer l the deep prompt of l is added
    at the prompt positions and ``step(l, ...)`` runs, except for the last layer, where
    ``finish(...)`` runs: the last layer and whatever else leads to the read position.
    ``head`` and ``columns`` turn that state into logits of single tokens.

    N stands for the tokens of a `Packing`. All states are in the type of the weights.
    """

    @property
    def name(self) -> str:
        """The family's name in `ADAPTERS`."""
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
        """Look up word vectors: int64 (N,) to (N, D)."""
        ...

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Turn word vectors into the input of layer 0, both (N, D)."""
        ...

    def step(self, layer: int, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run one layer, (N, D) to (N, D).

        Args:
            layer: 0 <= layer < L - 1.
            states: the layer's input, its prompt already added.
            packing: where the inputs lie.
        """
        ...

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the last layer for the read position of each input: (N, D) to (inputs, D)."""
        ...

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Transform features (inputs, D) as the LM head does before it scores the vocabulary."""
        ...

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens: the output of `head` to float32 logits (inputs, len(token_ids))."""
        ...

    def decoder_input(self) -> DecoderInput | None:
        """Return what the decoder of an encoder-decoder reads; `reference.py` passes it on. Else None."""
        ...

    def layer_modules(self) -> Sequence[Any]:
        """Return the L layer modules of the transformers model: `reference.py` hooks them."""
        ...
