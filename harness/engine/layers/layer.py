"""A transformer layer of shared parts: attention, feed-forward, norms before or after."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from torch.nn import functional
from transformers.activations import GELUActivation, NewGELUActivation

from harness.engine.layers.attention import attend, attend_at_read
from harness.engine.layers.linear import Linear, lay_out
from harness.engine.packing import Packing

__all__ = [
    "FeedForward",
    "Layer",
    "SelfAttention",
    "Sublayer",
    "Transform",
    "Weights",
    "by_head",
    "scaled_query",
    "weights_of",
]

Transform = Callable[[torch.Tensor], torch.Tensor]

Weights = tuple[torch.Tensor, torch.Tensor]
"""Weight (out, in) and bias (out,) of a map."""


def weights_of(module: Any) -> Weights:
    """Return weight and bias of an `nn.Linear`; zeros if it has no bias."""
    weight = module.weight.detach()
    return weight, weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()


class Sublayer(Protocol):
    """A part of a layer with a residual connection."""

    def __call__(self, inputs: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Compute from `inputs` and add `residual`; all (N, D)."""
        ...


@dataclass(frozen=True)
class SelfAttention:
    """Attention within each input.

    Attributes:
        qkv: queries, keys and values in one map, (D) to (3 heads head).
        out: (heads head) to (D).
        n_heads: number of heads.
        maps: weights of queries, keys and values, as in the transformers model.
        scale: scale of the scores; None means 1 / sqrt(head).
        is_causal: whether a token attends only to itself and earlier tokens.
        bias: (heads, T, T) for the longest input, added to the scores, or None.
    """

    qkv: Linear
    out: Linear
    n_heads: int
    maps: tuple[Weights, Weights, Weights]
    scale: float | None
    is_causal: bool
    bias: torch.Tensor | None

    @classmethod
    def adapt(
        cls,
        maps: tuple[Weights, Weights, Weights],
        out: Weights,
        n_heads: int,
        *,
        scale: float | None = None,
        is_causal: bool = False,
        bias: torch.Tensor | None = None,
    ) -> "SelfAttention":
        """Lay out the weights.

        Args:
            maps: weights of queries, keys and values.
            out: weights of the output map.
            n_heads: number of heads.
            scale: see the class.
            is_causal: see the class.
            bias: see the class; -inf where `is_causal` masks.
        """
        weights, biases = zip(scaled_query(maps[0], n_heads, scale), *maps[1:], strict=True)
        qkv = lay_out(torch.cat(weights), torch.cat(biases))
        return cls(qkv, lay_out(*out), n_heads, maps, scale, is_causal, bias)

    def __call__(self, inputs: torch.Tensor, residual: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Attend at every position and add `residual`; all (N, D)."""
        return self.out.plus(self._attend(inputs, packing), residual)

    def at_read(self, inputs: torch.Tensor, residual: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Attend from the read positions only: inputs (N, D), residual and result (inputs, D).

        With causal attention the read position is the last one, so it attends to all.
        """
        if self.bias is None:
            query, key, value = self._read_maps
            attended = attend_at_read(query(inputs[packing.read]), inputs, packing, key, value)
            attended += self.maps[2][1]
        else:
            attended = self._attend(inputs, packing)[packing.read]
        return self.out.plus(attended, residual)

    @cached_property
    def _read_maps(self) -> tuple[Linear, torch.Tensor, torch.Tensor]:
        """Weights for `at_read`, laid out on first use: only the last layer needs them."""
        query, key, value = scaled_query(self.maps[0], self.n_heads, self.scale), *self.maps[1:]
        return lay_out(*query), by_head(key, self.n_heads), by_head(value, self.n_heads)

    def _attend(self, inputs: torch.Tensor, packing: Packing) -> torch.Tensor:
        return attend(self.qkv(inputs), packing, self.n_heads, is_causal=self.is_causal, bias=self.bias)


def by_head(weights: Weights, n_heads: int) -> torch.Tensor:
    """Reshape the weight of a map to (heads, head, D)."""
    return weights[0].reshape(n_heads, -1, weights[0].shape[1])


def scaled_query(query: Weights, n_heads: int, scale: float | None) -> Weights:
    """Fold the scale of the scores into the query map; attention then scales by 1 / sqrt(head)."""
    if scale is None:
        return query
    factor = scale * (len(query[0]) // n_heads) ** 0.5
    return query if factor == 1.0 else (query[0] * factor, query[1] * factor)


def quick(activation: Transform) -> Transform | None:
    """Return a fused version of an activation; None for the exact GELU, which `Linear` can fuse."""
    if isinstance(activation, GELUActivation):
        return None
    if isinstance(activation, NewGELUActivation):
        return partial(functional.gelu, approximate="tanh")
    return activation


@dataclass(frozen=True, slots=True)
class FeedForward:
    """Two maps with an activation between them.

    Attributes:
        up: (D) to the inner size.
        activation: of the inner states; None means the exact GELU, which `Linear` can fuse.
        down: inner size to (D).
    """

    up: Linear
    activation: Transform | None
    down: Linear

    @classmethod
    def adapt(cls, up: Weights, activation: Transform, down: Weights) -> "FeedForward":
        """Lay out the weights."""
        return cls(lay_out(*up), quick(activation), lay_out(*down))

    def __call__(self, inputs: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Apply the part to each token and add `residual`; all (N, D)."""
        inner = self.up.gelu(inputs) if self.activation is None else self.activation(self.up(inputs))
        return self.down.plus(inner, residual)


@dataclass(frozen=True, slots=True)
class Layer:
    """Self-attention and feed-forward, each with a norm and a residual connection.

    Attributes:
        attention: the self-attention.
        attention_norm: norm of the attention.
        feed_forward: the feed-forward part.
        output_norm: norm of the feed-forward part.
        is_pre_norm: whether norms precede their parts; else they follow the sum.
    """

    attention: SelfAttention
    attention_norm: Transform
    feed_forward: FeedForward
    output_norm: Transform
    is_pre_norm: bool

    def step(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the layer at every position, (N, D) to (N, D)."""
        return self.conclude(self.attend(states, packing))

    def finish(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the layer at the read positions, (N, D) to (inputs, D)."""
        return self.conclude(self.attend_at_read(states, packing))

    def attend(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the self-attention with norm and residual, (N, D) to (N, D)."""
        return self.around(
            self.attention_norm, states, lambda inputs, residual: self.attention(inputs, residual, packing)
        )

    def attend_at_read(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """Run the self-attention at the read positions, (N, D) to (inputs, D)."""
        return self.around(
            self.attention_norm,
            states,
            lambda inputs, residual: self.attention.at_read(inputs, residual[packing.read], packing),
        )

    def conclude(self, states: torch.Tensor) -> torch.Tensor:
        """Run the feed-forward part with norm and residual."""
        return self.around(self.output_norm, states, self.feed_forward)

    def around(self, norm: Transform, states: torch.Tensor, part: Sublayer) -> torch.Tensor:
        """Run a part with its norm and residual connection."""
        return part(norm(states), states) if self.is_pre_norm else norm(part(states, states))
