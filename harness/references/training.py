"""Training a gradient reference: one loop for all of them."""

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
"""Rows of a batch that are computed together. Of 32 rows of the official few-shot sets about half of the
tokens would be padding; in groups of 8 of similar length a fifth."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to.

    Attributes:
        step: the step that dev selected, 0 for none at all.
        dev_accuracy: there.
    """

    step: int
    dev_accuracy: float


def class_logits(vocabulary: torch.Tensor, class_ids: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    """Return (B, C): the mean logit of each class's words."""
    return torch.stack([vocabulary[:, list(ids)].mean(dim=1) for ids in class_ids], dim=1)


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Compute matrix products in "fp32" or "bf16" (mixed precision), around one forward pass.

    Around one, because autocast keeps the bf16 copy of a weight until it is left, past the weight's update.
    In fp32 too where the processor has no bf16 products and mixed precision would take several times as long.
    """
    if dtype == "fp32" or must_widen(torch.empty(0, dtype=torch.bfloat16)):
        yield
        return
    # The flash kernel's backward pass on a CPU takes ten times as long in bf16 as in fp32.
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
    """Minimise the cross-entropy over the label words, and leave the parameters that dev selected.

    A step's gradient is that of the mean over its batch, gathered from groups of rows of similar length.

    Args:
        adapted: what is tuned: its parameters that require gradients.
        settings: of the method.
        make_batch: train rows to a batch.
        labels: of train, int64 (B,).
        lengths: tokens of the train rows, int64 (B,).
        dev_accuracy: evaluates `adapted` as it is.
        class_ids: token ids of each class's words.
        seed: of batches and dropout.
        dtype: of the matrix products, "fp32" or "bf16"; parameters and their updates are fp32 in both.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    tuned = {name: values for name, values in adapted.named_parameters() if values.requires_grad}
    optimizer = torch.optim.AdamW(tuned.values(), settings.learning_rate, weight_decay=settings.weight_decay)
    warmup = max(1, round(settings.warmup * settings.steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, (settings.steps - step) / max(1, settings.steps - warmup)),
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
