"""GPT-2 (`transformers.GPT2LMHeadModel`)."""

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from harness.engine.families.adapter import Adapter
from harness.engine.layers.embeddings import Embeddings
from harness.engine.layers.family import Family, Vocabulary
from harness.engine.layers.layer import FeedForward, Layer, SelfAttention, Weights

__all__ = ["GPT2", "adapt_gpt2"]


def adapt_gpt2(model: Any) -> Family:
    """Adapt a `GPT2LMHeadModel`.

    The prompt comes first; the read position is the last token.
    """
    body = model.transformer
    return Family(
        name="gpt2",
        max_tokens=model.config.max_position_embeddings,
        prompt_start=0,
        embeddings=Embeddings(body.wte.weight, body.wpe.weight),
        layers=tuple(_layer(module) for module in body.h),
        modules=tuple(body.h),
        final_norm=body.ln_f,
        vocabulary=Vocabulary(model.lm_head.weight),
    )


GPT2 = Adapter(adapt_gpt2, AutoModelForCausalLM, start=None, end=None, mask=None)
"""No special tokens: the model predicts the token after the template."""


def _layer(block: Any) -> Layer:
    """Lay out a `GPT2Block`."""
    weight, bias = _transposed(block.attn.c_attn)
    query, key, value = zip(weight.chunk(3), bias.chunk(3), strict=True)
    return Layer(
        attention=SelfAttention.adapt(
            (query, key, value),
            _transposed(block.attn.c_proj),
            block.attn.num_heads,
            scale=block.attn.scaling,
            is_causal=True,
        ),
        attention_norm=block.ln_1,
        feed_forward=FeedForward.adapt(_transposed(block.mlp.c_fc), block.mlp.act, _transposed(block.mlp.c_proj)),
        output_norm=block.ln_2,
        is_pre_norm=True,
    )


def _transposed(module: Any) -> Weights:
    """Return the weights of a `Conv1D`, which stores them as (in, out)."""
    weight: torch.Tensor = module.weight
    return weight.detach().t(), module.bias.detach()
