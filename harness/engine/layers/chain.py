"""The class of all families: embeddings, a chain of layers, and the head at the read position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from harness.engine.layers.decoder import Decoder, DecoderInput
from harness.engine.layers.embeddings import Embeddings, unchanged
from harness.engine.layers.layer import Layer, Transform
from harness.engine.packing import Packing

__all__ = ["Chain", "Vocabulary"]


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
class Chain:
    """A `Family` built from `layer.Layer`.

    It does not call the transformers model, because the engine packs inputs without padding, stops
    between layers, shares states among candidates and runs the last layer at one position only.

    Attributes:
        name: the family's name.
        max_tokens: longest input, in tokens.
        prompt_start: first prompt position.
        embeddings: word vectors and the input of layer 0.
        layers: L layers.
        modules: the modules of these layers in the transformers model.
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
        """L."""
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
        """See `Family.words`."""
        return self.embeddings.look_up(ids)

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """See `Family.begin`."""
        return self.embeddings.begin(words, packing)

    def step(self, layer: int, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """See `Family.step`."""
        return self.layers[layer].step(states, packing)

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """See `Family.finish`."""
        last = self.layers[-1]
        if self.decoder is None:
            return self.final_norm(last.finish(states, packing))
        return self.decoder.read(self.final_norm(last.step(states, packing)), packing)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """See `Family.head`."""
        return self.vocabulary.transform(features)

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """See `Family.columns`."""
        return self.vocabulary.columns(transformed, token_ids)

    def decoder_input(self) -> DecoderInput | None:
        """See `Family.decoder_input`."""
        return None if self.decoder is None else self.decoder.source

    def layer_modules(self) -> Sequence[Any]:
        """See `Family.layer_modules`."""
        return self.modules
