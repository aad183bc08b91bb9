"""Where RoBERTa keeps its parts (`transformers.RobertaForMaskedLM`)."""

from typing import Any

import torch
from transformers import AutoModelForMaskedLM

from harness.engine.families.adapter import Adapter
from harness.engine.families.bert import encoder_layer
from harness.engine.families.encoder import PostNormEncoder, Transform

__all__ = ["ROBERTA", "adapt_roberta"]


def adapt_roberta(model: Any) -> PostNormEncoder:
    """Adapt a `RobertaForMaskedLM`.

    Positions count from the padding id plus one; the prompt stands after `<s>`; the read
    position is `<mask>`. The decoder's own bias is used: it is the pretrained one.
    """
    embeddings = model.roberta.embeddings
    offset = embeddings.padding_idx + 1
    n_heads = model.config.num_attention_heads
    return PostNormEncoder(
        name="roberta",
        n_heads=n_heads,
        max_tokens=model.config.max_position_embeddings - offset,
        position_offset=offset,
        word_embeddings=embeddings.word_embeddings.weight,
        position_embeddings=embeddings.position_embeddings.weight,
        segment=embeddings.token_type_embeddings.weight[0],
        embedding_norm=embeddings.LayerNorm,
        layers=tuple(encoder_layer(module, n_heads) for module in model.roberta.encoder.layer),
        modules=tuple(model.roberta.encoder.layer),
        transform=_head(model.lm_head),
        output_weight=model.lm_head.decoder.weight,
        output_bias=model.lm_head.decoder.bias,
    )


ROBERTA = Adapter(adapt_roberta, AutoModelForMaskedLM, start="cls_token", end="sep_token", mask="mask_token")


def _head(lm_head: Any) -> Transform:
    """Return the LM head without its decoder; GELU is fixed there, whatever the layers use."""

    def transform(features: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = lm_head.layer_norm(torch.nn.functional.gelu(lm_head.dense(features)))
        return hidden

    return transform
