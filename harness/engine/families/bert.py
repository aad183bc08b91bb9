"""Where BERT keeps its parts (`transformers.BertForMaskedLM`)."""

from typing import Any

from transformers import AutoModelForMaskedLM

from harness.engine.families.adapter import Adapter
from harness.engine.families.encoder import EncoderLayer, PostNormEncoder

__all__ = ["BERT", "adapt_bert", "encoder_layer"]


def encoder_layer(module: Any, n_heads: int) -> EncoderLayer:
    """Lay out a `BertLayer` or `RobertaLayer`."""
    inner, output = module.intermediate, module.output
    return EncoderLayer.adapt(
        module.attention.self,
        module.attention.output,
        n_heads,
        (inner.dense, inner.intermediate_act_fn, output.dense, output.LayerNorm),
    )


def adapt_bert(model: Any) -> PostNormEncoder:
    """Adapt a `BertForMaskedLM`.

    Positions count from 0; the prompt stands after `[CLS]`; the read position is `[MASK]`.
    """
    embeddings = model.bert.embeddings
    predictions = model.cls.predictions
    n_heads = model.config.num_attention_heads
    return PostNormEncoder(
        name="bert",
        n_heads=n_heads,
        max_tokens=model.config.max_position_embeddings,
        position_offset=0,
        word_embeddings=embeddings.word_embeddings.weight,
        position_embeddings=embeddings.position_embeddings.weight,
        segment=embeddings.token_type_embeddings.weight[0],
        embedding_norm=embeddings.LayerNorm,
        layers=tuple(encoder_layer(module, n_heads) for module in model.bert.encoder.layer),
        modules=tuple(model.bert.encoder.layer),
        transform=predictions.transform,
        output_weight=predictions.decoder.weight,
        output_bias=predictions.decoder.bias,
    )


BERT = Adapter(adapt_bert, AutoModelForMaskedLM, start="cls_token", end="sep_token", mask="mask_token")
