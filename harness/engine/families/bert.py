"""BERT (`transformers.BertForMaskedLM`)."""

from typing import Any

from transformers import AutoModelForMaskedLM

from harness.engine.families.adapter import Adapter
from harness.engine.layers.embeddings import Embeddings, unchanged
from harness.engine.layers.family import Family, Vocabulary
from harness.engine.layers.layer import FeedForward, Layer, SelfAttention, weights_of

__all__ = ["BERT", "adapt_bert", "bert_embeddings", "bert_layer"]


def adapt_bert(model: Any) -> Family:
    """Adapt a `BertForMaskedLM`.

    Positions count from 0; the prompt follows `[CLS]`; the read position is `[MASK]`.
    """
    predictions = model.cls.predictions
    return Family(
        name="bert",
        max_tokens=model.config.max_position_embeddings,
        prompt_start=1,
        embeddings=bert_embeddings(model.bert.embeddings, 0),
        layers=tuple(bert_layer(module) for module in model.bert.encoder.layer),
        modules=tuple(model.bert.encoder.layer),
        final_norm=unchanged,
        vocabulary=Vocabulary(predictions.decoder.weight, predictions.decoder.bias, transform=predictions.transform),
    )


BERT = Adapter(
    adapt_bert,
    AutoModelForMaskedLM,
    start="cls_token",
    end="sep_token",
    mask="mask_token",
    masked_head=lambda model: model.cls.predictions,
)


def bert_embeddings(embeddings: Any, first_position: int) -> Embeddings:
    """Lay out the embeddings of a `BertModel` or `RobertaModel`, for inputs of a single segment."""
    return Embeddings(
        words=embeddings.word_embeddings.weight,
        segment=embeddings.token_type_embeddings.weight[0],
        positions=embeddings.position_embeddings.weight[first_position:],
        norm=embeddings.LayerNorm,
    )


def bert_layer(module: Any) -> Layer:
    """Lay out a `BertLayer` or `RobertaLayer`."""
    attention, inner, output = module.attention.self, module.intermediate, module.output
    return Layer(
        attention=SelfAttention.adapt(
            (weights_of(attention.query), weights_of(attention.key), weights_of(attention.value)),
            weights_of(module.attention.output.dense),
            attention.num_attention_heads,
        ),
        attention_norm=module.attention.output.LayerNorm,
        feed_forward=FeedForward.adapt(weights_of(inner.dense), inner.intermediate_act_fn, weights_of(output.dense)),
        output_norm=output.LayerNorm,
        is_pre_norm=False,
    )
