"""Post-norm transformer encoders (BERT and its descendants), computed layer by layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers.activations import GELUActivation

from harness.engine.families.attention import attend, attend_at_read
from harness.engine.families.linear import Linear, lay_out
from harness.engine.packing import Packing

__all__ = ["EncoderLayer", "PostNormEncoder"]

Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """The parts of one post-norm layer, in the order in which they run.

    Attributes:
        qkv: queries, keys and values in one map, (D) to (3D).
        attention_out: (D) to (D).
        attention_norm: LayerNorm.
        up: (D) to the inner size.
        activation: of the inner states; None is the exact GELU, which `Linear` can fuse.
        down: back to (D).
        output_norm: LayerNorm.
        read_query: the map of the queries alone.
        read_weights: keys' and values' weights by head, each (heads, D / heads, D).
        value_bias: (D,).
    """

    qkv: Linear
    attention_out: Linear
    attention_norm: Transform
    up: Linear
    activation: Transform | None
    down: Linear
    output_norm: Transform
    read_query: Linear
    read_weights: tuple[torch.Tensor, torch.Tensor]
    value_bias: torch.Tensor

    @classmethod
    def adapt(
        cls, attention: Any, output: Any, n_heads: int, feed_forward: tuple[Any, Any, Any, Any]
    ) -> "EncoderLayer":
        """Lay out the weights of a layer.

        Args:
            attention: holds `query`, `key` and `value`.
            output: holds `dense` and `LayerNorm`, which follow the attention.
            n_heads: attention heads.
            feed_forward: up, activation, down, norm.
        """
        query, key, value = attention.query, attention.key, attention.value
        up, activation, down, norm = feed_forward
        by_head = (n_heads, -1, query.weight.shape[1])
        return cls(
            qkv=lay_out(
                torch.cat([query.weight, key.weight, value.weight]),
                torch.cat([query.bias, key.bias, value.bias]),
            ),
            attention_out=lay_out(output.dense.weight, output.dense.bias),
            attention_norm=output.LayerNorm,
            up=lay_out(up.weight, up.bias),
            activation=None if isinstance(activation, GELUActivation) else activation,
            down=lay_out(down.weight, down.bias),
            output_norm=norm,
            read_query=lay_out(query.weight, query.bias),
            read_weights=(key.weight.detach().view(by_head), value.weight.detach().view(by_head)),
            value_bias=value.bias.detach(),
        )


@dataclass(frozen=True, slots=True)
class PostNormEncoder:
    """A `Family` for encoders with learnt positions, LayerNorm after each sublayer and a masked-LM head.

    It runs the parts of a transformers model itself, because the engine packs inputs without
    padding, stops between layers, shares the states before a layer among candidates and needs the
    last layer at one position only.

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

    def begin(self, words: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Add segment and position vectors and normalise; see `Family.begin`."""
        states = words + self.segment
        for run in packing.runs:
            positions = self.position_embeddings[self.position_offset : self.position_offset + run.length]
            states[run.tokens].view(run.n_inputs, run.length, -1).add_(positions)
        return self.embedding_norm(states)

    def step(self, layer: int, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run one layer at every position; see `Family.step`."""
        parts = self.layers[layer]
        return self._conclude(parts, attend(parts.qkv(states), packing, self.n_heads), states)

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the last layer at the read positions, which attend to all; see `Family.finish`."""
        parts = self.layers[-1]
        at_read = states[packing.read]
        attended = attend_at_read(parts.read_query(at_read), states, packing, *parts.read_weights)
        return self._conclude(parts, attended + parts.value_bias, at_read)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Transform features for `columns`; see `Family.head`."""
        return self.transform(features)

    def columns(self, transformed: torch.Tensor, token_ids: Sequence[int]) -> torch.Tensor:
        """Score single tokens; see `Family.columns`."""
        ids = torch.tensor(token_ids, device=transformed.device)
        weight, bias = self.output_weight[ids].float(), self.output_bias[ids].float()
        return functional.linear(transformed.float(), weight, bias)

    def decoder_input(self) -> None:
        """There is no decoder; see `Family.decoder_input`."""

    def layer_modules(self) -> Sequence[Any]:
        """Return the transformers modules of the layers."""
        return self.modules

    def _conclude(self, parts: EncoderLayer, attended: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Run what follows the attention, token by token; all (N, D)."""
        middle = parts.attention_norm(parts.attention_out.plus(attended, states))
        inner = parts.up.gelu(middle) if parts.activation is None else parts.activation(parts.up(middle))
        return parts.output_norm(parts.down.plus(inner, middle))
