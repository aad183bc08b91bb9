"""The training loop of all gradient references."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.engine.layers.linear import must_widen
from harness.records import IntArray
from harness.references.masked_lm import Adapted, Batch
from harness.references.method import Training

__all__ = ["Trained", "class_logits", "computing_in", "train"]

_GROUP_ROWS = 8
"""Rows of a batch computed together. Padding is about half of the tokens of 32 official k-shot rows,
and a fifth in groups of 8 rows of similar length."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Result of training.

    Attributes:
        step: the step selected on dev; 0 means before training.
        dev_accuracy: accuracy on dev at that step, in [0, 1].
    """

    step: int
    dev_accuracy: float


def class_logits(vocabulary: torch.Tensor, class_ids: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    """Return (B, C): the mean logit of each class's words."""
    return torch.stack([vocabulary[:, list(ids)].mean(dim=1) for ids in class_ids], dim=1)


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Compute matrix products of one forward pass in "fp32" or "bf16" (mixed precision).

    Use it for one pass only: autocast caches the bf16 copy of a weight until exit, beyond the weight's
    update. "bf16" falls back to fp32 on processors without bf16 products, where it would be slower.
    """
    if dtype == "fp32" or must_widen(torch.empty(0, dtype=torch.bfloat16)):
        yield
        return
    # On a CPU the flash kernel's backward pass is ten times slower in bf16 than in fp32.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def train(
    adapted: Adapted,
    settings: Training,
    make_batch: Callable[[IntArray], Batch],
    labels: IntArray,
    lengths: IntArray,
    dev_accuracy: Callable[[Adapted], float],
    class_ids: tuple[tuple[int, ...], ...],
    seed: int,
    dtype: str = "fp32",
) -> Trained:
    """Minimise the cross-entropy over the label words, and restore the parameters of the best step on dev.

    A step's gradient is that of the batch mean, accumulated over groups of rows of similar length.

    Args:
        adapted: the model; its parameters that require gradients are tuned.
        settings: the method's training settings.
        make_batch: builds a batch from train rows.
        labels: train labels, int64 (B,).
        lengths: tokens of the train rows, int64 (B,).
        dev_accuracy: returns the current accuracy on dev.
        class_ids: token ids of each class's words.
        seed: seed of batches and dropout.
        dtype: type of the matrix products, "fp32" or "bf16"; parameters and updates are fp32.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    tuned = {name: values for name, values in adapted.named_parameters() if values.requires_grad}
    optimizer = torch.optim.AdamW(tuned.values(), settings.learning_rate, weight_decay=settings.weight_decay)
    warmup = max(1, round(settings.warmup * settings.steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (settings.steps - step) / max(1, settings.steps - warmup))
    )
    best_step, best_accuracy = 0, dev_accuracy(adapted)
    best = {name: values.detach().clone() for name, values in tuned.items()}
    for step in range(1, settings.steps + 1):
        rows = generator.permutation(len(labels))[: settings.batch_size]
        adapted.train()
        optimizer.zero_grad()
        by_length = rows[np.argsort(lengths[rows], kind="stable")]
        for group in np.split(by_length, range(_GROUP_ROWS, len(rows), _GROUP_ROWS)):
            with computing_in(dtype):
                logits = class_logits(adapted(make_batch(group)), class_ids)
            losses = functional.cross_entropy(logits, torch.from_numpy(labels[group]), reduction="sum")
            (losses / len(rows)).backward()  # type: ignore[no-untyped-call]  # torch lacks the type
        optimizer.step()
        schedule.step()
        if step % settings.eval_every == 0 or step == settings.steps:
            accuracy = dev_accuracy(adapted)
            if accuracy > best_accuracy:
                best_step, best_accuracy = step, accuracy
                best = {name: values.detach().clone() for name, values in tuned.items()}
    with torch.no_grad():
        for name, values in tuned.items():
            values.copy_(best[name])
    return Trained(best_step, best_accuracy)
