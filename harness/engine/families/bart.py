"""BART (`transformers.BartForConditionalGeneration`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM

from harness.engine.families.adapter import Adapter
from harness.engine.layers.decoder import CrossAttention, Decoder, DecoderLayer, Piece
from harness.engine.layers.embeddings import Embeddings, unchanged
from harness.engine.layers.family import Family, Vocabulary
from harness.engine.layers.layer import FeedForward, Layer, SelfAttention, Weights, weights_of
from harness.engine.packing import Packing

__all__ = ["BART", "ShiftedInput", "adapt_bart"]

_PROMPT_START = 1


def adapt_bart(model: Any) -> Family:
    """Adapt a `BartForConditionalGeneration`.

    The prompt follows `<s>` in the encoder, whose layers are the L layers. The decoder's input is
    the same tokens shifted by one; its read position is the one that predicts the masked token.
    """
    encoder, decoder = model.model.encoder, model.model.decoder
    return Family(
        name="bart",
        max_tokens=model.config.max_position_embeddings,
        prompt_start=_PROMPT_START,
        embeddings=_embeddings(encoder),
        layers=tuple(_layer(module) for module in encoder.layers),
        modules=tuple(encoder.layers),
        final_norm=unchanged,
        vocabulary=Vocabulary(model.lm_head.weight, model.final_logits_bias[0]),
        decoder=Decoder(
            source=ShiftedInput(model.config.decoder_start_token_id),
            embeddings=_embeddings(decoder),
            layers=tuple(_decoder_layer(module) for module in decoder.layers),
            final_norm=unchanged,
        ),
    )


BART = Adapter(adapt_bart, AutoModelForSeq2SeqLM, start="cls_token", end="sep_token", mask="mask_token")


@dataclass(frozen=True, slots=True)
class ShiftedInput:
    """The encoder's tokens shifted by one position, up to the one before the mask.

    Attributes:
        start: id of the first token.
    """

    start: int

    def pieces(self, packing: Packing) -> Iterator[Piece]:
        """Return a piece per run and read position; see `DecoderInput.pieces`."""
        offsets = packing.read.cpu().numpy() - packing.begins
        cut = np.s_[_PROMPT_START : _PROMPT_START + packing.n_without_token]
        first = 0
        for run in packing.runs:
            own = slice(first, first + run.n_inputs)
            for offset in np.unique(offsets[own]):
                members = np.flatnonzero(offsets[own] == offset)
                kept = np.delete(np.arange(offset), cut)
                at = packing.begins[own][members][:, None] + kept
                ids = packing.ids[torch.tensor(at, device=packing.ids.device)]
                started = torch.cat([ids.new_full((len(members), 1), self.start), ids], dim=1)
                yield Piece(run, members if len(members) < run.n_inputs else None, started)
            first = own.stop

    def padded(self, ids: torch.Tensor, read: torch.Tensor, n_without_token: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shifted batch; see `DecoderInput.padded`."""
        tokens = torch.cat([ids[:, :_PROMPT_START], ids[:, _PROMPT_START + n_without_token :]], dim=1)
        shifted = torch.roll(tokens, 1, dims=1)
        shifted[:, 0] = self.start
        return shifted, read - n_without_token


def _embeddings(stack: Any) -> Embeddings:
    """Lay out the embeddings of encoder or decoder, without the two unused position rows."""
    return Embeddings(
        words=stack.embed_tokens.weight,
        positions=stack.embed_positions.weight[stack.embed_positions.offset :],
        norm=stack.layernorm_embedding,
        scale=stack.embed_tokens.embed_scale,
    )


def _maps(attention: Any) -> tuple[Weights, Weights, Weights]:
    return weights_of(attention.q_proj), weights_of(attention.k_proj), weights_of(attention.v_proj)


def _layer(module: Any, *, is_causal: bool = False) -> Layer:
    """Lay out the parts that encoder and decoder layers share."""
    attention = module.self_attn
    return Layer(
        attention=SelfAttention.adapt(
            _maps(attention), weights_of(attention.out_proj), attention.num_heads, is_causal=is_causal
        ),
        attention_norm=module.self_attn_layer_norm,
        feed_forward=FeedForward.adapt(weights_of(module.fc1), module.activation_fn, weights_of(module.fc2)),
        output_norm=module.final_layer_norm,
        is_pre_norm=False,
    )


def _decoder_layer(module: Any) -> DecoderLayer:
    """Lay out a `BartDecoderLayer`."""
    attention = module.encoder_attn
    return DecoderLayer(
        layer=_layer(module, is_causal=True),
        cross=CrossAttention.adapt(
            _maps(attention), weights_of(attention.out_proj), attention.num_heads, has_keys=True
        ),
        cross_norm=module.encoder_attn_layer_norm,
    )
