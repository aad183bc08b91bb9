"""The official metrics of the competition, 0-100."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sklearn.metrics import accuracy_score, f1_score

from harness.records import IntArray

__all__ = ["METRICS", "score"]


def _accuracy(labels: IntArray, predictions: IntArray, n_classes: int) -> float:  # noqa: ARG001 (one signature)
    return float(accuracy_score(labels, predictions))


def _f1_macro(labels: IntArray, predictions: IntArray, n_classes: int) -> float:
    # Classes without a single row count as 0, so that every submission is averaged alike.
    return float(f1_score(labels, predictions, average="macro", labels=range(n_classes), zero_division=0))


METRICS: Mapping[str, Callable[[IntArray, IntArray, int], float]] = MappingProxyType(
    {"accuracy": _accuracy, "f1_macro": _f1_macro}
)
"""Metric name of a round file -> function of labels (B,), predictions (B,) and C, 0-1."""


def score(metric: str, labels: IntArray, predictions: IntArray, n_classes: int) -> float:
    """Return the metric in percent, not rounded.

    Args:
        metric: a key of `METRICS`.
        labels: int64 (B,), B >= 1.
        predictions: int64 (B,), each 0 <= prediction < n_classes.
        n_classes: C.

    Raises:
        ValueError: no rows, shapes differ, or a prediction is out of range: a score of nothing
            would be a number without meaning.
    """
    if labels.size == 0 or labels.shape != predictions.shape:
        raise ValueError(
            f"labels {labels.shape} and predictions {predictions.shape} must be equal, not empty"
        )
    if predictions.min() < 0 or predictions.max() >= n_classes:
        raise ValueError(f"predictions must lie in 0..{n_classes - 1}")
    return 100.0 * METRICS[metric](labels, predictions, n_classes)
