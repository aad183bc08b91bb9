"""T5 (`transformers.T5ForConditionalGeneration`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForSeq2SeqLM

from harness.engine.families.adapter import Adapter
from harness.engine.layers.decoder import CrossAttention, Decoder, DecoderLayer, Piece
from harness.engine.layers.embeddings import Embeddings
from harness.engine.layers.family import Family, Vocabulary
from harness.engine.layers.layer import FeedForward, Layer, SelfAttention, Transform, Weights, quick, weights_of
from harness.engine.packing import Packing

__all__ = ["T5", "SentinelInput", "adapt_t5"]

_MAX_TOKENS = 512
"""Relative positions do not bound an input; T5 was trained on this many tokens."""


def adapt_t5(model: Any) -> Family:
    """Adapt a `T5ForConditionalGeneration`, version 1.0 or 1.1.

    The prompt comes first in the encoder, whose layers are the L layers. The decoder's input is its
    start token and the sentinel at the mask, which is the read position. Features are the decoder's
    final states before the scaling for the head.
    """
    config = model.config
    max_tokens = getattr(config, "n_positions", _MAX_TOKENS)
    scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
    bias = _position_bias(model.encoder, max_tokens)
    behind = torch.ones(2, 2, dtype=torch.bool, device=bias.device).triu(1)
    decoder_bias = _position_bias(model.decoder, 2).masked_fill(behind, -torch.inf)
    return Family(
        name="t5",
        max_tokens=max_tokens,
        prompt_start=0,
        embeddings=Embeddings(model.shared.weight, positions=None),
        layers=tuple(_layer(block, bias) for block in model.encoder.block),
        modules=tuple(model.encoder.block),
        final_norm=_norm(model.encoder.final_layer_norm),
        vocabulary=Vocabulary(model.lm_head.weight, transform=lambda features: features * scale),
        decoder=Decoder(
            source=SentinelInput(config.decoder_start_token_id),
            embeddings=Embeddings(model.shared.weight, positions=None),
            layers=tuple(_decoder_layer(block, decoder_bias) for block in model.decoder.block),
            final_norm=_norm(model.decoder.final_layer_norm),
        ),
    )


T5 = Adapter(adapt_t5, AutoModelForSeq2SeqLM, start=None, end="eos_token", mask="<extra_id_0>")


@dataclass(frozen=True, slots=True)
class SentinelInput:
    """Two tokens: the start token and the token at the encoder's read position.

    Attributes:
        start: id of the first token.
    """

    start: int

    def pieces(self, packing: Packing) -> Iterator[Piece]:
        """Return a piece per run; see `DecoderInput.pieces`."""
        sentinels = packing.ids[packing.read]
        ids = torch.stack([torch.full_like(sentinels, self.start), sentinels], dim=1)
        first = 0
        for run in packing.runs:
            yield Piece(run, None, ids[first : first + run.n_inputs])
            first += run.n_inputs

    def padded(self, ids: torch.Tensor, read: torch.Tensor, n_without_token: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the two tokens of each row; see `DecoderInput.padded`."""
        _ = n_without_token
        sentinels = ids[torch.arange(len(ids)), read]
        return torch.stack([torch.full_like(sentinels, self.start), sentinels], dim=1), torch.ones_like(read)


def _position_bias(stack: Any, length: int) -> torch.Tensor:
    """Return the first layer's position bias, which all layers add to their scores, (heads, T, T)."""
    bias: torch.Tensor = stack.block[0].layer[0].SelfAttention.compute_bias(length, length)
    return bias[0].detach().contiguous()


def _norm(module: Any) -> Transform:
    """Return a `T5LayerNorm`, which scales without centring."""
    weight, epsilon = module.weight, module.variance_epsilon
    return lambda states: functional.rms_norm(states, weight.shape, weight, epsilon)


def _maps(attention: Any) -> tuple[Weights, Weights, Weights]:
    return weights_of(attention.q), weights_of(attention.k), weights_of(attention.v)


def _layer(block: Any, bias: torch.Tensor) -> Layer:
    """Lay out the parts that encoder and decoder blocks share; scores are not scaled."""
    own, last = block.layer[0], block.layer[-1]
    attention = own.SelfAttention
    return Layer(
        attention=SelfAttention.adapt(
            _maps(attention), weights_of(attention.o), attention.n_heads, scale=1.0, bias=bias
        ),
        attention_norm=_norm(own.layer_norm),
        feed_forward=_feed_forward(last.DenseReluDense),
        output_norm=_norm(last.layer_norm),
        is_pre_norm=True,
    )


def _decoder_layer(block: Any, bias: torch.Tensor) -> DecoderLayer:
    """Lay out a `T5Block` of a decoder."""
    cross = block.layer[1]
    attention = cross.EncDecAttention
    return DecoderLayer(
        layer=_layer(block, bias),
        cross=CrossAttention.adapt(
            _maps(attention), weights_of(attention.o), attention.n_heads, scale=1.0, has_keys=False
        ),
        cross_norm=_norm(cross.layer_norm),
    )


def _feed_forward(module: Any) -> FeedForward:
    """Lay out a feed-forward part, gated (version 1.1) or not."""
    down, bias = weights_of(module.wo)
    if hasattr(module, "wi"):
        up, activation = weights_of(module.wi), module.act
    else:
        gate, linear = weights_of(module.wi_0), weights_of(module.wi_1)
        up = torch.cat([gate[0], linear[0]]), torch.cat([gate[1], linear[1]])
        activation = _gated(module.act)
    # transformers may store the last map in float32.
    return FeedForward.adapt(up, activation, (down.to(up[0].dtype), bias.to(up[0].dtype)))


def _gated(activation: Transform) -> Transform:
    quick_one = quick(activation) or activation

    def gate(states: torch.Tensor) -> torch.Tensor:
        opened, linear = states.chunk(2, dim=1)
        return quick_one(opened) * linear

    return gate
