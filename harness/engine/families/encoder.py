"""Post-norm transformer encoders (BERT and its descendants), computed layer by layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

__all__ = ["EncoderLayer", "PostNormEncoder"]

Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """The parts of one post-norm layer, in the order in which they run."""

    query: Transform
    key: Transform
    value: Transform
    attention_out: Transform
    attention_norm: Transform
    up: Transform
    activation: Transform
    down: Transform
    output_norm: Transform


@dataclass(frozen=True, slots=True)
class PostNormEncoder:
    """A `Family` for encoders with learnt positions, LayerNorm after each sublayer and a masked-LM head.

    It runs the parts of a transformers model itself, because the engine stops between layers,
    shares the states before a layer among candidates and needs the last layer at one position only.

    Attributes:
        name: the family.
        n_heads: attention heads; D is a multiple of it.
        max_tokens: longest input.
        position_offset: row of the position table that belongs to position 0.
        word_embeddings: (vocabulary, D).
        position_embeddings: (positions, D).
        segment: (D,), the token-type vector of a single-segment input.
        embedding_norm: LayerNorm of the embeddings.
        layers: L layers.
        modules: the same layers as modules of the transformers model.
        transform: features to the state that is scored against the vocabulary.
        output_weight: (vocabulary, D).
        output_bias: (vocabulary,).
        prompt_start: first prompt position: after the start token.
    """

    name: str
    n_heads: int
    max_tokens: int
    position_offset: int
    word_embeddings: torch.Tensor
    position_embeddings: torch.Tensor
    segment: torch.Tensor
    embedding_norm: Transform
    layers: tuple[EncoderLayer, ...]
    modules: tuple[Any, ...]
    transform: Transform
    output_weight: torch.Tensor
    output_bias: torch.Tensor
    prompt_start: int = 1

    @property
    def n_layers(self) -> int:
        """L."""
        return len(self.layers)

    @property
    def hidden_size(self) -> int:
        """D."""
        return self.word_embeddings.shape[1]

    def words(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up word vectors; see `Family.words`."""
        return functional.embedding(ids, self.word_embeddings)

    def begin(self, words: torch.Tensor) -> torch.Tensor:
        """Add segment and position vectors and normalise; see `Family.begin`."""
        first = self.position_offset
        positions = self.position_embeddings[first : first + words.shape[1]]
        return self.embedding_norm(words + self.segment + positions)

    def step(self, layer: int, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Run one layer at every position; see `Family.step`."""
        return self._run(self.layers[layer], states, states, mask)

    def finish(self, states: torch.Tensor, mask: torch.Tensor | None, read: torch.Tensor) -> torch.Tensor:
        """Run the last layer at the read position, which attends to all; see `Family.finish`."""
        at_read = states[torch.arange(len(read), device=read.device), read].unsqueeze(1)  # (N, 1, D)
        return self._run(self.layers[-1], at_read, states, mask).squeeze(1)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Transform features for `columns`; see `Family.head`."""
        return self.transform(features)

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens; see `Family.columns`."""
        ids = torch.tensor(token_ids, device=transformed.device)
        return functional.linear(transformed, self.output_weight[ids], self.output_bias[ids])

    def layer_modules(self) -> Sequence[Any]:
        """Return the transformers modules of the layers."""
        return self.modules

    def _run(
        self, layer: EncoderLayer, asking: torch.Tensor, states: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Run `layer` for the positions in `asking` (N, Q, D), which attend to `states` (N, T, D)."""
        heads = functional.scaled_dot_product_attention(
            self._split(layer.query(asking)),
            self._split(layer.key(states)),
            self._split(layer.value(states)),
            attn_mask=mask,
        )  # (N, heads, Q, D / heads)
        attended = layer.attention_out(heads.transpose(1, 2).flatten(2))
        middle = layer.attention_norm(attended + asking)
        return layer.output_norm(layer.down(layer.activation(layer.up(middle))) + middle)

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """Split the hidden axis into heads: (N, T, D) to (N, heads, T, D / heads)."""
        n, length, size = states.shape
        return states.view(n, length, self.n_heads, size // self.n_heads).transpose(1, 2)
