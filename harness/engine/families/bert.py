"""Where BERT keeps its parts (`transformers.BertForMaskedLM`)."""

from typing import Any

from harness.engine.families.encoder import EncoderLayer, PostNormEncoder

__all__ = ["adapt_bert", "encoder_layer"]


def encoder_layer(module: Any) -> EncoderLayer:
    """Name the parts of a `BertLayer` or `RobertaLayer`."""
    return EncoderLayer(
        query=module.attention.self.query,
        key=module.attention.self.key,
        value=module.attention.self.value,
        attention_out=module.attention.output.dense,
        attention_norm=module.attention.output.LayerNorm,
        up=module.intermediate.dense,
        activation=module.intermediate.intermediate_act_fn,
        down=module.output.dense,
        output_norm=module.output.LayerNorm,
    )


def adapt_bert(model: Any) -> PostNormEncoder:
    """Adapt a `BertForMaskedLM`.

    Positions count from 0; the prompt stands after `[CLS]`; the read position is `[MASK]`.
    """
    embeddings = model.bert.embeddings
    predictions = model.cls.predictions
    return PostNormEncoder(
        name="bert",
        n_heads=model.config.num_attention_heads,
        max_tokens=model.config.max_position_embeddings,
        position_offset=0,
        word_embeddings=embeddings.word_embeddings.weight,
        position_embeddings=embeddings.position_embeddings.weight,
        segment=embeddings.token_type_embeddings.weight[0],
        embedding_norm=embeddings.LayerNorm,
        layers=tuple(encoder_layer(module) for module in model.bert.encoder.layer),
        modules=tuple(model.bert.encoder.layer),
        transform=predictions.transform,
        output_weight=predictions.decoder.weight,
        output_bias=predictions.decoder.bias,
    )
