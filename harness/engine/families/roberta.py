"""RoBERTa (`transformers.RobertaForMaskedLM`)."""

from typing import Any

import torch
from transformers import AutoModelForMaskedLM

from harness.engine.families.adapter import Adapter
from harness.engine.families.bert import bert_embeddings, bert_layer
from harness.engine.layers.embeddings import unchanged
from harness.engine.layers.family import Family, Vocabulary
from harness.engine.layers.layer import Transform

__all__ = ["ROBERTA", "adapt_roberta"]


def adapt_roberta(model: Any) -> Family:
    """Adapt a `RobertaForMaskedLM`.

    Positions count from the padding id plus one; the prompt follows `<s>`; the read position is
    `<mask>`. The pretrained bias is that of the head's `decoder`.
    """
    embeddings, lm_head = model.roberta.embeddings, model.lm_head
    first_position = embeddings.padding_idx + 1
    return Family(
        name="roberta",
        max_tokens=model.config.max_position_embeddings - first_position,
        prompt_start=1,
        embeddings=bert_embeddings(embeddings, first_position),
        layers=tuple(bert_layer(module) for module in model.roberta.encoder.layer),
        modules=tuple(model.roberta.encoder.layer),
        final_norm=unchanged,
        vocabulary=Vocabulary(lm_head.decoder.weight, lm_head.decoder.bias, transform=_head(lm_head)),
    )


ROBERTA = Adapter(
    adapt_roberta,
    AutoModelForMaskedLM,
    start="cls_token",
    end="sep_token",
    mask="mask_token",
    masked_head=lambda model: model.lm_head,
)


def _head(lm_head: Any) -> Transform:
    """Return the LM head without its decoder; its activation is GELU, independent of the layers'."""

    def transform(features: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = lm_head.layer_norm(torch.nn.functional.gelu(lm_head.dense(features)))
        return hidden

    return transform
