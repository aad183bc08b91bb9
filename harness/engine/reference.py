"""The slow, plain path: transformers forward calls. The tests compare every fast path with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from harness.api.outputs import Response
from harness.engine.backbone import Backbone
from harness.engine.text.encode import EncodedSplit
from harness.engine.tunables import TUNABLES
from harness.records import Array, FloatArray, IntArray

__all__ = ["evaluate_reference", "reference_logits"]


@torch.no_grad()
def evaluate_reference(
    backbone: Backbone,
    encoded: EncodedSplit,
    values: FloatArray,
    *,
    layer: int | None = None,
    base: FloatArray | None = None,
    rows: IntArray | None = None,
) -> Response:
    """Compute all outputs, one candidate after the other.

    Uses one padded batch of all rows, hooks that add the prompts, and the whole LM head. Takes the
    arguments of `Engine.evaluate` without checking them. Without probe words their output has no
    columns.
    """
    chosen = encoded.select(rows)
    wording = encoded.wording
    deep = _whole_prompts(values, layer, base, len(backbone.family.modules))
    batch, at_read = _pad(backbone, encoded, chosen)
    mask = batch["attention_mask"]
    logits, features, word_logits, spreads = [], [], [], []
    for prompt in deep:  # (L, M, D)
        hidden, vocabulary, inputs = _forward(backbone, batch, prompt, wording.mode)
        scores = vocabulary[at_read]  # (B, vocabulary)
        logits.append(_class_logits(scores, encoded))
        word_logits.append(_numbers(scores[:, list(wording.probe_ids)]))
        features.append(_numbers(hidden[at_read]))
        spread = [float(np.std(_numbers(backbone.model.get_input_embeddings().weight).astype(np.float64)))]
        spread += [_clipped_std(_numbers(states[mask == 1])) for states in inputs[1:]]
        spreads.append(spread)
    return Response(
        logits=np.stack(logits),
        features=np.stack(features),
        layer_std=np.array(spreads, dtype=np.float64),
        word_logits=np.stack(word_logits),
    )


@torch.no_grad()
def reference_logits(
    backbone: Backbone,
    encoded: EncodedSplit,
    values: FloatArray,
    *,
    layer: int | None = None,
    base: FloatArray | None = None,
) -> FloatArray:
    """Compute the class logits (P, B, C) alone, as the authors' code does; the baseline of the bench.

    One padded forward call per candidate with the whole LM head. Takes the arguments of
    `evaluate_reference`.
    """
    chosen = encoded.select(None)
    deep = _whole_prompts(values, layer, base, len(backbone.family.modules))
    batch, at_read = _pad(backbone, encoded, chosen)
    logits = []
    for prompt in deep:  # (L, M, D)
        with _applied(backbone, batch, prompt, encoded.wording.mode) as arguments:
            scores = backbone.model(**arguments).logits[at_read]
        logits.append(_class_logits(scores, encoded))
    return np.stack(logits)


def _class_logits(scores: torch.Tensor, encoded: EncodedSplit) -> FloatArray:
    """Average the words of each class: (B, vocabulary) to (B, C)."""
    per_class = [scores[:, list(ids)].mean(dim=1) for ids in encoded.wording.class_ids]
    return _numbers(torch.stack(per_class, dim=1))


def _numbers(values: torch.Tensor) -> FloatArray:
    """Convert to a float32 array on the CPU."""
    numbers: FloatArray = values.float().cpu().numpy()
    return numbers


def _whole_prompts(values: FloatArray, layer: int | None, base: FloatArray | None, n_layers: int) -> FloatArray:
    """Return whole deep prompts (P, L, M, D)."""
    if layer is None:
        return values
    deep = np.zeros((len(values), n_layers, *values.shape[1:]), dtype=np.float32)
    if base is not None:
        deep[:] = base
    deep[:, layer] = values
    return deep


def _pad(
    backbone: Backbone, encoded: EncodedSplit, rows: IntArray
) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Return the model's keyword arguments, int64 (B, T) padded on the right, and the read positions."""
    width = int(encoded.lengths[rows].max())
    ids = torch.full((len(rows), width), backbone.specials.pad)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for number, row in enumerate(rows):
        example = torch.tensor(encoded.example_ids(int(row)))
        ids[number, : len(example)] = example
        mask[number, : len(example)] = 1
    device = backbone.model.device
    batch = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
    read = torch.tensor(encoded.read_positions[rows], device=device)
    decoder = backbone.family.decoder
    if decoder is not None:
        n_without_token = len(encoded.wording.placeholder_ids) if encoded.wording.mode == "cat" else 0
        batch["decoder_input_ids"], read = decoder.source.padded(batch["input_ids"], read, n_without_token)
    return batch, (torch.arange(len(rows), device=device), read)


@contextmanager
def _applied(
    backbone: Backbone, batch: dict[str, torch.Tensor], prompt: FloatArray, mode: str
) -> Iterator[dict[str, torch.Tensor]]:
    """Apply one candidate (L, M, D) to the transformers model; yield the batch to call it with."""
    family = backbone.family
    n_layers, n_tokens, hidden_size = prompt.shape
    tunable = TUNABLES["prompt"](n_layers, n_tokens, hidden_size, family.prompt_start)
    batch, handles = tunable.apply_in_transformers(backbone.model, family.modules, batch, prompt, mode)
    try:
        yield batch
    finally:
        for handle in handles:
            handle.remove()


def _forward(
    backbone: Backbone, batch: dict[str, torch.Tensor], prompt: FloatArray, mode: str
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Return the last hidden states, vocabulary logits, and each layer's input before its prompt."""
    model = backbone.model
    inputs: list[torch.Tensor] = []
    # Registered first, so that these hooks run before those that add the prompt.
    watching = [
        module.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].clone()))
        for module in backbone.family.modules
    ]
    try:
        with _applied(backbone, batch, prompt, mode) as arguments:
            output = model(**arguments, output_hidden_states=True)
    finally:
        for handle in watching:
            handle.remove()
    hidden = output.decoder_hidden_states if model.config.is_encoder_decoder else output.hidden_states
    return hidden[-1], output.logits, inputs


def _clipped_std(values: Array) -> float:
    """Clip to mean +- 3 std, five times, in float64."""
    values = values.astype(np.float64)
    for _ in range(5):
        mean, std = np.mean(values), np.std(values)
        values = np.clip(values, mean - 3 * std, mean + 3 * std)
    return float(np.std(values))
