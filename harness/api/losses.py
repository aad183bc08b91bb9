"""Losses for solvers: label-word logits (P, B, C) and labels (B,) to one number per candidate."""

from collections.abc import Callable

import numpy as np

from harness.records import Array, FloatArray, IntArray

__all__ = ["HINGE_MARGIN", "LOSSES", "cross_entropy", "hinge", "log_softmax", "negative_accuracy"]

HINGE_MARGIN = 2.0


def log_softmax(logits: Array) -> Array:
    """Return log probabilities over the last axis, float64 of the same shape."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    probabilities: Array = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return probabilities


def cross_entropy(logits: FloatArray, labels: IntArray) -> Array:
    """Return the mean softmax cross-entropy over the label words, float64 (P,)."""
    losses: Array = -log_softmax(logits)[:, np.arange(len(labels)), labels].mean(axis=1)
    return losses


def hinge(logits: FloatArray, labels: IntArray) -> Array:
    """Return mean_n sum_{j != y} max(0, logit_j - logit_y + margin), float64 (P,).

    Source: Sun et al. 2022, arXiv 2201.03514, section 3.4.
    """
    wide, rows = logits.astype(np.float64), np.arange(len(labels))
    gaps = np.maximum(0.0, wide - wide[:, rows, labels][..., None] + HINGE_MARGIN)
    gaps[:, rows, labels] = 0.0
    losses: Array = gaps.sum(axis=-1).mean(axis=1)
    return losses


def negative_accuracy(logits: FloatArray, labels: IntArray) -> Array:
    """Return minus the accuracy, float64 (P,)."""
    losses: Array = -(logits.argmax(axis=-1) == labels).mean(axis=1)
    return losses


LOSSES: dict[str, Callable[[FloatArray, IntArray], Array]] = {
    "ce": cross_entropy,
    "hinge": hinge,
    "perf": negative_accuracy,
}
"""Loss by its name in the literature."""
