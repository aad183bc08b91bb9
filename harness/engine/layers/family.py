"""A language model as the engine runs it: embeddings, layers, and the head at the read position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from harness.engine.layers.decoder import Decoder
from harness.engine.layers.embeddings import Embeddings, unchanged
from harness.engine.layers.layer import Layer, Transform
from harness.engine.packing import Packing

__all__ = ["Family", "Vocabulary"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The LM head, evaluated for single tokens.

    Attributes:
        weight: (vocabulary, D).
        bias: (vocabulary,), or None.
        transform: applied to the features before scoring.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    transform: Transform = unchanged

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score tokens: (inputs, D) to float32 (inputs, len(token_ids))."""
        ids = torch.tensor(token_ids, device=transformed.device)
        bias = None if self.bias is None else self.bias[ids].float()
        return functional.linear(transformed.float(), self.weight[ids].float(), bias)


@dataclass(frozen=True, slots=True)
class Family:
    """A language model as a chain: word vectors, L layers (the last at the read position only), head.

    A forward pass is ``begin(words(ids))``, then for each layer l the deep prompt of l is added at
    the prompt positions and ``step(l, ...)`` runs; for the last layer ``finish(...)`` runs instead.
    ``head`` and ``columns`` compute logits of single tokens from its result.

    It does not call the transformers model, because the engine packs inputs without padding, stops
    between layers, shares states among candidates and runs the last layer at one position only.
    N is the number of tokens of a `Packing`. All states are in the type of the weights.

    Attributes:
        name: the family's name in `families.ADAPTERS`.
        max_tokens: longest input in tokens, including prompt and special tokens.
        prompt_start: first of the M prompt positions.
        embeddings: word vectors and the input of layer 0.
        layers: L layers.
        modules: the modules of these layers in the transformers model, for hooks.
        final_norm: norm of the last layer's output.
        vocabulary: the LM head.
        decoder: the decoder if the layers are the encoder of an encoder-decoder, else None.
    """

    name: str
    max_tokens: int
    prompt_start: int
    embeddings: Embeddings
    layers: tuple[Layer, ...]
    modules: tuple[Any, ...]
    final_norm: Transform
    vocabulary: Vocabulary
    decoder: Decoder | None = None

    @property
    def n_layers(self) -> int:
        """L, the number of layers with a prompt."""
        return len(self.layers)

    @property
    def hidden_size(self) -> int:
        """D."""
        return self.word_embeddings.shape[1]

    @property
    def word_embeddings(self) -> torch.Tensor:
        """The word-embedding matrix, (vocabulary, D)."""
        return self.embeddings.words

    def words(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up word vectors: int64 (N,) to (N, D)."""
        return self.embeddings.look_up(ids)

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Compute the input of layer 0 from word vectors, both (N, D)."""
        return self.embeddings.begin(words, packing)

    def step(self, layer: int, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run one layer, 0 <= layer < L - 1, on its input with the prompt added: (N, D) to (N, D)."""
        return self.layers[layer].step(states, packing)

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the last layer at the read position of each input: (N, D) to (inputs, D)."""
        last = self.layers[-1]
        if self.decoder is None:
            return self.final_norm(last.finish(states, packing))
        return self.decoder.read(self.final_norm(last.step(states, packing)), packing)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Apply the part of the LM head before the vocabulary map to features (inputs, D)."""
        return self.vocabulary.transform(features)

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens: the output of `head` to float32 logits (inputs, len(token_ids))."""
        return self.vocabulary.columns(transformed, token_ids)
