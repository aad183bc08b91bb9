"""Metrics of class numbers: accuracy and macro-F1."""

import numpy as np

from harness.records import Array, IntArray

__all__ = ["accuracy", "class_counts", "hits", "macro_f1"]


def hits(labels: IntArray, predictions: IntArray, n_classes: int) -> Array:
    """Return per row whether it is right, and 1: float64 (B, 2).

    Args:
        labels: int64 (B,), each 0 <= label < n_classes.
        predictions: int64 (B,), each 0 <= prediction < n_classes.
        n_classes: C.

    Raises:
        ValueError: a prediction is out of range.
    """
    _check_range(predictions, n_classes)
    return np.stack([predictions == labels, np.ones(labels.shape)], axis=1)


def accuracy(sums: Array, full: float = 100.0) -> Array:
    """Return the share of right rows, (...), from sums of `hits` (..., 2); `full` stands for all of them."""
    right, n_rows = sums[..., 0], sums[..., 1]
    share: Array = full * right / n_rows
    return share


def class_counts(labels: IntArray, predictions: IntArray, n_classes: int) -> Array:
    """Return per row the true positives of each class, then labels plus predictions of each: float64 (B, 2 C).

    Args:
        labels: int64 (B,), each 0 <= label < n_classes.
        predictions: int64 (B,), each 0 <= prediction < n_classes.
        n_classes: C.

    Raises:
        ValueError: a prediction is out of range.
    """
    _check_range(predictions, n_classes)
    one_hot = np.eye(n_classes)
    is_label, is_predicted = one_hot[labels], one_hot[predictions]
    return np.concatenate([is_label * is_predicted, is_label + is_predicted], axis=1)


def macro_f1(sums: Array, full: float = 100.0) -> Array:
    """Return the mean F1 over all classes, (...), from sums of `class_counts` (..., 2 C).

    F1 of a class = 2 TP / (rows of the class + rows predicted as it). A class with neither counts as 0, so
    that every submission is averaged over the same classes; scikit-learn's `f1_score(average="macro",
    zero_division=0)` over all labels is the same number.
    """
    positives, rows = np.split(sums, 2, axis=-1)
    f1: Array = np.divide(2.0 * positives, rows, out=np.zeros(rows.shape), where=rows > 0)
    mean: Array = full * f1.mean(axis=-1)
    return mean


def _check_range(predictions: IntArray, n_classes: int) -> None:
    if predictions.min() < 0 or predictions.max() >= n_classes:
        raise ValueError(
            f"Scoring failed: got predictions {predictions.min()}..{predictions.max()}; they must lie in "
            f"0..{n_classes - 1}"
        )
